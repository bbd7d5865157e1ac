"""The lines of a drawn tree: guides, task, status, time and reason, aligned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from inboxd.cli.render.console import foreign, status_text, time_between
from inboxd.cli.render.drawing import DEEPEST
from inboxd.cli.render.tables import counts_text, tree_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inboxd.cli.render.drawing import Branch
    from inboxd.store.views import TaskView, TreeView

__all__ = ["branch_lines", "heading"]

#: A longer label pushes its own line's columns to the right, not everybody's.
_WIDEST_LABEL = 60


def heading(tree: TreeView, *, now: int) -> Text:
    """Return the first line: which tree, its status, and how far it is."""
    return Text.assemble(
        tree_label(tree.name, tree.file_name, tree.id),
        "  ",
        status_text(tree.status),
        f"  {counts_text(tree)}  {time_between(tree.started_at, tree.ended_at, now)}",
    )


def branch_lines(
    page: Sequence[Branch],
    tasks: Mapping[int, TaskView],
    reasons: Mapping[int, str | None],
    *,
    now: int,
) -> Iterator[Text]:
    """
    Yield the line of each branch.

    Args:
        page: the branches, aligned with one another.
        tasks: by position; has each of them.
        reasons: by internal number.
        now: microseconds since 1970, UTC.
    """
    labels = [_label(branch, tasks[branch.position]) for branch in page]
    width = min(_WIDEST_LABEL, max(label.cell_len for label in labels))
    for branch, label in zip(page, labels, strict=True):
        task = tasks[branch.position]
        label.pad_right(max(0, width - label.cell_len))
        status = status_text(task.status)
        status.pad_right(11 - len(status))
        time = time_between(task.started_at, task.ended_at, now)
        reason = reasons.get(task.number)
        line = Text.assemble(label, "  ", status, f"  {time:>10}", f"  {reason}" if reason else "")
        line.rstrip()
        yield line


def _label(branch: Branch, task: TaskView) -> Text:
    level = f"({branch.level}) " if branch.level > DEEPEST else ""
    label = Text.assemble((branch.guides, "dim"), (level, "dim"), foreign(task.id))
    if task.name != task.id:
        label.append(f" {foreign(task.name).plain}", "dim")
    return label
