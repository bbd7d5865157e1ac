"""`show` and `tree` for who may ask the daemon, but not read its store."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from inboxd.cli.asking import first_found
from inboxd.cli.output import note
from inboxd.cli.over_socket import (
    attempt_views,
    details_view,
    edge_views,
    raw_tasks,
    task_view,
    tree_view,
)
from inboxd.cli.render.branches import branch_lines, heading
from inboxd.cli.render.console import guides_for, make_console, print_plainly
from inboxd.cli.render.drawing import draw_branches
from inboxd.cli.render.json_forms import encoded, to_stdout, write_tree_document
from inboxd.cli.render.pages import print_task_page, tree_page
from inboxd.cli.render.tables import tasks_table
from inboxd.clock import SystemClock
from inboxd.control.client import task_path, tree_path

if TYPE_CHECKING:
    from inboxd.control.client import ControlClient
    from inboxd.store.views import TreeView

__all__ = ["draw", "show"]

#: Edges that are shown of each kind, without --json.
_MOST_EDGES = 20

#: Lines that are aligned and printed at one time.
_PAGE = 500


def show(client: ControlClient, reference: str, *, limit: int, as_json: bool) -> None:
    """Show TREE or TREE/TASK; see `inboxd show`."""
    tree, task = first_found(reference, lambda tree, task: _read(client, tree, task))
    if task is not None:
        if as_json:
            _copy(client, task_path(tree["tree_id"], task["id"]))
        else:
            _show_task(tree_view(tree), task)
    elif as_json:
        _copy(client, tree_path(tree["tree_id"], "result"))
    else:
        _show_tree(client, tree_view(tree), limit)


def draw(client: ControlClient, reference: str, *, limit: int, as_json: bool) -> None:
    """Draw TREE; see `inboxd tree`."""
    tree = tree_view(client.get(tree_path(reference)))
    documents = raw_tasks(client, tree.id, tree.counts.total)
    if as_json:
        write_tree_document(tree, map(encoded, documents), to_stdout(), other=None)
        return
    now = SystemClock().now_micros()
    console = make_console()
    console.print(heading(tree, now=now), no_wrap=True, overflow="ellipsis")
    found = list(documents)
    positions = {document["id"]: position for position, document in enumerate(found)}
    parents = [
        (position, positions[document["parent_id"]])
        for position, document in enumerate(found)
        if document["parent_id"] is not None
    ]
    branches = draw_branches(len(found), parents, guides_for(console))
    left = islice(branches, limit or len(found))
    drawn = 0
    while page := list(islice(left, _PAGE)):
        tasks = {one.position: task_view(found[one.position], one.position) for one in page}
        reasons = {one.position: found[one.position]["reason"] for one in page}
        for line in branch_lines(page, tasks, reasons, now=now):
            console.print(line, no_wrap=True, overflow="ellipsis", crop=console.is_terminal)
        drawn += len(page)
    if drawn < tree.counts.total:
        note(
            f"… {tree.counts.total - drawn:,} of {tree.counts.total:,} tasks are not drawn;"
            " --limit 0 draws all"
        )


def _copy(client: ControlClient, path: str) -> None:
    """Print a document as the daemon gives it, however large."""
    write = to_stdout()
    for piece in client.pieces(path):
        write(piece)


def _read(
    client: ControlClient, tree: str, task: str | None
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    document = client.get(tree_path(tree))
    if task is None:
        return document, None
    return document, client.get(task_path(document["tree_id"], task))


def _show_tree(client: ControlClient, tree: TreeView, limit: int) -> None:
    now = SystemClock().now_micros()
    console = make_console()
    print_plainly(console, tree_page(tree, now=now))
    documents = list(raw_tasks(client, tree.id, limit or tree.counts.total))
    tasks = [task_view(document, position) for position, document in enumerate(documents)]
    reasons = {position: document["reason"] for position, document in enumerate(documents)}
    console.print()
    print_plainly(console, tasks_table(tasks, reasons, now=now))
    if len(tasks) < tree.counts.total:
        note(
            f"… {tree.counts.total - len(tasks):,} of {tree.counts.total:,} tasks are not shown;"
            " --limit 0 shows all"
        )


def _show_task(tree: TreeView, document: dict[str, Any]) -> None:
    dependencies, dependants = document["dependencies"], document["dependants"]
    print_task_page(
        make_console(),
        tree,
        task_view(document, 0),
        now=SystemClock().now_micros(),
        parent_id=document["parent_id"],
        reason=document["reason"],
        details=details_view(document),
        attempts=attempt_views(document),
        dependencies=(len(dependencies), edge_views(dependencies[:_MOST_EDGES])),
        dependants=(len(dependants), edge_views(dependants[:_MOST_EDGES])),
    )
