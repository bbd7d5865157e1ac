"""Tables of trees and of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from inboxd.cli.render.console import foreign, status_text, time_between, time_text
from inboxd.names import display_file_name, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inboxd.store.views import TaskView, TreeView

__all__ = ["counts_text", "tasks_table", "tree_label", "trees_table"]


#: Columns of a terminal from which on a list has all columns.
_WIDE = 110

_NUMBERS = frozenset({"TIME", "TASKS", "FAILED", "ATTEMPTS"})

#: Columns that are made narrower on a narrow terminal, the widest first.
_GIVE_WAY = frozenset({"NAME", "FILE", "TASK", "EXECUTOR", "REASON"})


def trees_table(trees: Sequence[TreeView], *, now: int, width: int) -> Table:
    """
    Return one line for each tree.

    Args:
        trees: in the order of the table.
        now: microseconds since 1970, UTC.
        width: of the terminal; on a narrow one a tree has one name, and no time of receipt.
    """
    is_wide = width >= _WIDE
    more = ["RECEIVED", "TIME", "NAME", "FILE"] if is_wide else ["TIME", "NAME"]
    table = _table("ID", "STATUS", "TASKS", "FAILED", *more)
    for tree in trees:
        counts = tree.counts
        name = None if tree.name is None else escaped(tree.name)
        file = None if tree.file_name is None else display_file_name(tree.file_name)
        names = [name or "-", file or "-"] if is_wide else [name or file or "-"]
        table.add_row(
            tree.short_id,
            status_text(tree.status),
            f"{counts.ended}/{counts.total}",
            Text(str(counts.failed), "bold red") if counts.failed else "-",
            *([time_text(tree.received_at)] if is_wide else []),
            time_between(tree.started_at, tree.ended_at, now),
            *map(_cut, names),
        )
    return table


def tasks_table(tasks: Iterable[TaskView], reasons: Mapping[int, str | None], *, now: int) -> Table:
    """Return one line for each task; *reasons* by internal number."""
    table = _table("TASK", "STATUS", "ATTEMPTS", "TIME", "EXECUTOR", "REASON")
    for task in tasks:
        table.add_row(
            _cut(escaped(task.id)),
            status_text(task.status),
            str(task.attempts),
            time_between(task.started_at, task.ended_at, now),
            _cut(escaped(task.executor)),
            reasons.get(task.number) or "",
        )
    return table


def counts_text(tree: TreeView) -> str:
    """Return `12 of 40 ended: 11 completed, 1 failed; 3 in progress, 25 pending`."""
    counts = tree.counts
    ended = [
        f"{number:,} {word}"
        for number, word in (
            (counts.completed, "completed"),
            (counts.failed, "failed"),
            (counts.cancelled, "cancelled"),
            (counts.skipped, "skipped"),
        )
        if number
    ]
    left = [
        f"{number:,} {word}"
        for number, word in ((counts.in_progress, "in progress"), (counts.pending, "pending"))
        if number
    ]
    text = f"{counts.ended:,} of {counts.total:,} ended"
    if ended:
        text += f": {', '.join(ended)}"
    return f"{text}; {', '.join(left)}" if left else text


def tree_label(name: str | None, file_name: bytes | None, tree_id: str) -> Text:
    """Return what a person calls a tree: its name, else its file's, and the end of its id."""
    if name is not None:
        label = foreign(name, "bold")
    else:
        label = Text("" if file_name is None else display_file_name(file_name), "bold")
    return Text.assemble(label, " " if label.plain else "", (tree_id[-8:], "dim"))


def _cut(text: str) -> Text:
    """Return text that is cut where its column is too narrow, and never wrapped."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _table(*headings: str) -> Table:
    """Return a table whose columns of numbers and words keep their width; others give way."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading in _NUMBERS else "left",
            no_wrap=heading not in _GIVE_WAY,
            overflow="fold" if heading == "REASON" else "ellipsis",
        )
    return table
