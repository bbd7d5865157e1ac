"""`inboxd show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.completing import complete_tree_or_task
from inboxd.cli.options import Verb, json_option, where_options

if TYPE_CHECKING:
    from inboxd.cli.options import Where
    from inboxd.store.reader import StoreReader
    from inboxd.store.views import TaskView, TreeView

__all__ = ["command"]

#: Edges that are shown of each kind, without --json.
_MOST_EDGES = 20


@click.command(
    cls=Verb,
    example="""
inboxd show @
inboxd show nightly/fetch
inboxd show 4b1c9e02 --json | jq '.tasks[] | select(.status == "failed")'
""",
)
@click.argument("reference", metavar="TREE[/TASK]", shell_complete=complete_tree_or_task)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="N",
    help="Show at most so many tasks of a tree; 0: all. With --json all are printed.",
)
@where_options
@json_option
def command(where: Where, reference: str, limit: int, as_json: bool) -> None:
    """
    Show a tree or one of its tasks.

    TREE is an id, a part of one, a file name, a tree's name, or @ for the newest; TASK is an id in
    its file, or a name that only one of its tasks has. Of a large tree those tasks come first that
    failed or are in progress. `--json` prints a tree as its result file has it.
    """
    from inboxd.cli.references import (  # what follows is not needed for --help
        client_for,
        find_tree_or_task,
    )
    from inboxd.store.reader import StoreReader

    instance = where.instance()
    client = client_for(instance)
    if client is not None:
        from inboxd.cli.show_over_socket import show

        with client:
            show(client, reference, limit=limit, as_json=as_json)
        return
    with StoreReader(instance.settings.store.url) as reader:
        tree, task = find_tree_or_task(reader, reference)
        if task is not None:
            _show_task(reader, tree, task, as_json=as_json)
        elif as_json:
            _print_result(reader, tree)
        else:
            _show_tree(reader, tree, limit or tree.counts.total)


def _print_result(reader: StoreReader, tree: TreeView) -> None:
    from inboxd.cli.render.json_forms import to_stdout
    from inboxd.store.result_document import write_result_document

    write_result_document(reader, tree, to_stdout())


def _show_tree(reader: StoreReader, tree: TreeView, limit: int) -> None:
    from inboxd.cli.output import note
    from inboxd.cli.render.console import make_console, print_plainly
    from inboxd.cli.render.pages import print_json_section, tree_page
    from inboxd.cli.render.tables import tasks_table
    from inboxd.clock import SystemClock

    now = SystemClock().now_micros()
    console = make_console()
    print_plainly(console, tree_page(tree, now=now))
    if other := reader.tree_other(tree):
        print_json_section(console, "also", other)
    tasks = _tasks_worth_showing(reader, tree, limit)
    console.print()
    print_plainly(console, tasks_table(tasks, reader.task_reasons(tasks, now=now), now=now))
    if len(tasks) < tree.counts.total:
        note(
            f"… {tree.counts.total - len(tasks):,} of {tree.counts.total:,} tasks are not shown;"
            " --limit 0 shows all"
        )


def _tasks_worth_showing(reader: StoreReader, tree: TreeView, limit: int) -> list[TaskView]:
    """Return all tasks in order, or of too many those that failed, that run, and the first ones."""
    from inboxd.store.tables import TaskState

    if tree.counts.total <= limit:
        return list(reader.tree_tasks(tree))
    found: dict[int, TaskView] = {}
    if tree.counts.failed:
        failed = reader.tasks_in_state(tree, TaskState.FAILED, limit)
        found.update((task.position, task) for task in failed)
    if tree.counts.in_progress:
        numbers = [task.number for task in reader.running_tasks(limit * 100)]
        running = reader.tasks_by_number(tree, numbers)
        found.update((task.position, task) for task in running.values())
    for task in reader.tree_tasks(tree, end=limit):
        found.setdefault(task.position, task)
    return list(found.values())[:limit]


def _show_task(reader: StoreReader, tree: TreeView, task: TaskView, *, as_json: bool) -> None:
    from inboxd.cli.render.console import make_console
    from inboxd.cli.render.json_forms import task_document, to_stdout
    from inboxd.cli.render.pages import print_task_page
    from inboxd.clock import SystemClock

    now = SystemClock().now_micros()
    to, back = reader.count_edges(task)
    parent = None if task.parent is None else reader.tasks_by_number(tree, [task.parent])
    parent_id = None if parent is None or task.parent is None else parent[task.parent].id
    reason = reader.task_reason(tree, task, now=now)
    details = reader.task_details(task)
    attempts = reader.task_attempts(task)
    if as_json:
        document = task_document(
            tree,
            task,
            parent_id=parent_id,
            reason=reason,
            details=details,
            attempts=attempts,
            dependencies=reader.edges_of(task, limit=to),
            dependants=reader.dependants_of(task, limit=back),
        )
        to_stdout()(document + b"\n")
        return
    print_task_page(
        make_console(),
        tree,
        task,
        now=now,
        parent_id=parent_id,
        reason=reason,
        details=details,
        attempts=attempts,
        dependencies=(to, reader.edges_of(task, limit=_MOST_EDGES)),
        dependants=(back, reader.dependants_of(task, limit=_MOST_EDGES)),
    )
