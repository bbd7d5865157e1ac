"""A tree as text for people: a line for each task, with how it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.api.reading import refreshed
from inboxd.api.walk import walk
from inboxd.known_as import called_among
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inboxd.api.task import Task
    from inboxd.api.tree import TaskTreeNode
    from inboxd.api.walk import Step

__all__ = ["outline"]

#: What a terminal shows at once.
_MOST_LINES = 50
#: Deeper nodes stand no further to the right.
_MOST_INDENT = 20
_LONGEST_ERROR = 80


def outline(roots: Sequence[TaskTreeNode]) -> str:
    """
    Return the first 50 tasks, indented by their depth, and how many more there are.

    It costs a read of those 50, and one pass over the nodes.
    """
    shown: list[Step] = []
    more = 0
    try:
        for step in walk(roots):
            if len(shown) < _MOST_LINES:
                shown.append(step)
            else:
                more += 1
    except ValueError as error:
        # What is shown in a debugger must not raise.
        return f"<no tree: {error}>"
    tasks = [step.node.task for step in shown]
    refreshed(tasks)
    known_as = called_among({task.id: task.name for task in tasks})
    lines = [
        f"{'  ' * min(step.depth, _MOST_INDENT)}{_line(step.node.task, known_as)}" for step in shown
    ]
    if more:
        lines.append(f"… and {more:,} more")
    return "\n".join(lines) or "<no tasks>"


def _line(task: Task, known_as: Mapping[str, str]) -> str:
    text = known_as[task.id]
    if text == task.id != task.name:
        text = f"{text} {escaped(task.name)}"
    text = f"{text}: {task.status}"
    error = task.error
    if error is None:
        return text
    message = escaped(error.message)
    if len(message) > _LONGEST_ERROR:
        message = message[: _LONGEST_ERROR - 1] + "…"
    return f"{text} ({error.code}: {message})"
