"""The pages of one tree and of one task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from rich.table import Table
from rich.text import Text

from inboxd.cli.render.console import (
    foreign,
    print_plainly,
    status_text,
    time_between,
    time_text,
)
from inboxd.cli.render.tables import counts_text
from inboxd.names import display_file_name, escaped
from inboxd.store.reasons import duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from inboxd.store.views import AttemptView, EdgeView, TaskDetails, TaskView, TreeView

__all__ = ["print_json_section", "print_task_page", "tree_page"]

#: Of a longer JSON document this much is shown, in characters.
_MOST_JSON = 4_000


def tree_page(tree: TreeView, *, now: int) -> Table:
    """Return what is known of a tree but its tasks."""
    page = _fields()
    page.add_row("tree", tree.id)
    if tree.name is not None:
        page.add_row("name", foreign(tree.name, "bold"))
    if tree.file_name is not None:
        page.add_row("file", display_file_name(tree.file_name))
    page.add_row("status", status_text(tree.status))
    page.add_row("tasks", counts_text(tree))
    if tree.tolerated:
        page.add_row("", f"{tree.tolerated:,} of the failed: allow_failure, the tree goes on")
    if tree.user_id is not None:
        page.add_row("user", foreign(tree.user_id))
    if tree.strict_priority:
        page.add_row("priority", "strict")
    _add_times(page, tree.started_at, tree.ended_at, now, received_at=tree.received_at)
    return page


def print_task_page(
    console: Console,
    tree: TreeView,
    task: TaskView,
    *,
    now: int,
    parent_id: str | None,
    reason: str | None,
    details: TaskDetails,
    attempts: Sequence[AttemptView],
    dependencies: tuple[int, Sequence[EdgeView]],
    dependants: tuple[int, Sequence[EdgeView]],
) -> None:
    """
    Print everything that is known of a task; long JSON is cut.

    Args:
        console: where to.
        tree: the task's.
        task: as the reader gave it, like *details* and *attempts*.
        now: microseconds since 1970, UTC.
        parent_id: of its parent.
        reason: why it is where it is.
        details: what was stored as JSON.
        attempts: by number.
        dependencies: how many edges there are, and the first of them.
        dependants: the same, of the other direction.
    """
    page = _fields()
    page.add_row("task", foreign(task.id, "bold"))
    if task.name != task.id:
        page.add_row("name", foreign(task.name))
    page.add_row("tree", Text.assemble(tree.id, _of_tree(tree)))
    page.add_row("status", status_text(task.status))
    if reason is not None:
        page.add_row("reason", reason)
    if parent_id is not None:
        page.add_row("parent", foreign(parent_id))
    page.add_row("executor", foreign(task.executor))
    page.add_row("priority", str(task.priority))
    for label, (count, edges) in (("depends on", dependencies), ("dependants", dependants)):
        if count:
            page.add_row(label, _edges_text(count, edges, task))
    rules = _rules(task)
    if rules:
        page.add_row("rules", rules)
    _add_times(page, task.started_at, task.ended_at, now)
    print_plainly(console, page)
    if attempts:
        console.print()
        print_plainly(console, _attempts_table(attempts, now))
    for label, document in (
        ("inputs", details.inputs),
        ("params", details.params),
        ("also", details.other),
        ("result", details.result),
    ):
        if document is not None:
            print_json_section(console, label, document)
    if attempts:
        console.print()
        console.print(Text(f"inboxd logs {tree.short_id}/{task.id}", "dim"))


def _fields() -> Table:
    fields = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    fields.add_column(style="dim", no_wrap=True)
    fields.add_column(overflow="fold")
    return fields


def _of_tree(tree: TreeView) -> str:
    if tree.name is not None:
        return f"  {escaped(tree.name)}"
    return "" if tree.file_name is None else f"  {display_file_name(tree.file_name)}"


def _add_times(
    page: Table,
    started_at: int | None,
    ended_at: int | None,
    now: int,
    *,
    received_at: int | None = None,
) -> None:
    if received_at is not None:
        page.add_row("received", time_text(received_at))
    if started_at is not None:
        page.add_row("started", time_text(started_at))
    if ended_at is not None:
        page.add_row("ended", time_text(ended_at))
    if started_at is not None:
        page.add_row("time", time_between(started_at, ended_at, now))


def _edges_text(count: int, edges: Sequence[EdgeView], task: TaskView) -> Text:
    text = Text()
    for index, edge in enumerate(edges):
        text.append("" if index == 0 else ", ")
        text.append(escaped(edge.id))
        text.append(f" on {edge.on.value} (")
        text.append_text(status_text(edge.status))
        text.append(")")
    if count > len(edges):
        text.append(f" and {count - len(edges):,} more")
    return text


def _rules(task: TaskView) -> str:
    rules: list[str] = []
    if task.join_any:
        rules.append("join any")
    if task.allow_failure:
        rules.append("allow_failure")
    if task.at_most_once:
        rules.append("at_most_once")
    if task.hold:
        rules.append("hold, released" if task.is_released else "hold")
    if task.retry is not None and task.retry.limit:
        rules.append(f"{task.retry.limit} retries")
    if task.timeout_seconds is not None:
        rules.append(f"timeout {duration_text(int(task.timeout_seconds * 1_000_000))}")
    return ", ".join(rules)


def _attempts_table(attempts: Sequence[AttemptView], now: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("ATTEMPT", justify="right")
    table.add_column("OUTCOME", no_wrap=True)
    table.add_column("STARTED", no_wrap=True)
    table.add_column("TIME", justify="right", no_wrap=True)
    table.add_column("ERROR", overflow="fold")
    for attempt in attempts:
        table.add_row(
            str(attempt.number),
            "in progress" if attempt.outcome is None else escaped(attempt.outcome),
            time_text(attempt.started_at),
            time_between(attempt.started_at, attempt.ended_at, now),
            "" if attempt.error is None else foreign(attempt.error.message),
        )
    return table


def print_json_section(console: Console, label: str, document: bytes) -> None:
    """Print one JSON document under its label; a long one is cut."""
    console.print()
    console.print(Text(label, "bold"))
    console.print(_json_text(document))


def _json_text(document: bytes) -> Text:
    text = escaped(msgspec.json.format(document, indent=2).decode(), keep_newlines=True)
    left = len(text) - _MOST_JSON
    if left > 0:
        text = f"{text[:_MOST_JSON]}\n… {left:,} more characters; --json has all"
    return Text("\n".join(f"  {line}" for line in text.split("\n")))
