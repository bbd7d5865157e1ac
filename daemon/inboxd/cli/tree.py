"""`inboxd tree`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from inboxd.cli.completing import complete_tree
from inboxd.cli.options import Verb, json_option, where_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.cli.options import Where
    from inboxd.cli.render.drawing import Branch
    from inboxd.store.reader import StoreReader
    from inboxd.store.views import TaskView, TreeView

__all__ = ["command"]

#: Lines that are read, aligned and printed at one time.
_PAGE = 500


@click.command(
    cls=Verb,
    example="""
inboxd tree @
inboxd tree nightly --limit 0 | less
""",
)
@click.argument("tree", shell_complete=complete_tree)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    metavar="N",
    help="Draw at most so many tasks; 0: all. With --json all are printed.",
)
@where_options
@json_option
def command(where: Where, tree: str, limit: int, as_json: bool) -> None:
    """
    Draw the tasks of a tree under their parents.

    TREE is an id, a part of one, a file name, a tree's name, or @ for the newest.
    Parents only arrange: what a task waits for stands beside it.
    """
    from inboxd.cli.references import client_for, find_tree  # not needed for --help
    from inboxd.store.reader import StoreReader

    instance = where.instance()
    client = client_for(instance)
    if client is not None:
        from inboxd.cli.show_over_socket import draw

        with client:
            draw(client, tree, limit=limit, as_json=as_json)
        return
    with StoreReader(instance.settings.store.url) as reader:
        found = find_tree(reader, tree)
        if as_json:
            _print_json(reader, found)
        else:
            _draw(reader, found, limit or found.counts.total)


def _print_json(reader: StoreReader, tree: TreeView) -> None:
    from inboxd.cli.render.json_forms import to_stdout, write_tree_document

    other = reader.tree_other(tree)
    write_tree_document(tree, _json_lines(reader, tree), to_stdout(), other=other)


def _json_lines(reader: StoreReader, tree: TreeView) -> Iterator[bytes]:
    from inboxd.cli.render.json_forms import task_line
    from inboxd.clock import SystemClock

    now = SystemClock().now_micros()
    tasks = reader.tree_tasks(tree)
    while page := list(islice(tasks, _PAGE)):
        reasons = reader.task_reasons(page, now=now)
        numbers = sorted({task.parent for task in page if task.parent is not None})
        parents = reader.tasks_by_number(tree, numbers)
        for task in page:
            parent = None if task.parent is None else parents[task.parent].id
            yield task_line(task, parent_id=parent, reason=reasons[task.number])


def _draw(reader: StoreReader, tree: TreeView, limit: int) -> None:
    from inboxd.cli.output import note
    from inboxd.cli.render.branches import branch_lines, heading
    from inboxd.cli.render.console import guides_for, make_console
    from inboxd.cli.render.drawing import draw_branches
    from inboxd.clock import SystemClock

    now = SystemClock().now_micros()
    console = make_console()
    console.print(heading(tree, now=now), no_wrap=True, overflow="ellipsis")
    branches = draw_branches(tree.counts.total, reader.tree_parents(tree), guides_for(console))
    drawn = 0
    for page in _pages(islice(branches, limit)):
        tasks = _tasks(reader, tree, page)
        reasons = reader.task_reasons(list(tasks.values()), now=now)
        for line in branch_lines(page, tasks, reasons, now=now):
            console.print(line, no_wrap=True, overflow="ellipsis", crop=console.is_terminal)
        drawn += len(page)
    if drawn < tree.counts.total:
        note(
            f"… {tree.counts.total - drawn:,} of {tree.counts.total:,} tasks are not drawn;"
            " --limit 0 draws all"
        )


def _pages(branches: Iterator[Branch]) -> Iterator[list[Branch]]:
    while page := list(islice(branches, _PAGE)):
        yield page


def _tasks(reader: StoreReader, tree: TreeView, page: list[Branch]) -> dict[int, TaskView]:
    """Return the tasks of a page by their positions."""
    numbers = [tree.first_task + branch.position for branch in page]
    return {task.position: task for task in reader.tasks_by_number(tree, numbers).values()}
