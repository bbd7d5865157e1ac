"""Why a task is where it is, in words for people. Pure: values in, one sentence out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.clock import rfc3339_micros
from inboxd.ids import short_id
from inboxd.names import escaped
from inboxd.store.tables import TaskState, TreeMark
from inboxd.task import EdgeOn, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.store.views import EdgeView, TaskView
    from inboxd.task import TaskError

__all__ = ["NAMED_EDGES", "after_edges", "duration_text", "task_reason"]

#: So many dependencies are named; the others are counted.
NAMED_EDGES = 3

#: A due time further off than this is given as a date.
_SOON_MICROSECONDS = 24 * 3_600 * 1_000_000

_ON_WORDS = {EdgeOn.SUCCESS: "", EdgeOn.FAILURE: " to fail", EdgeOn.END: " to end"}


def task_reason(
    task: TaskView,
    *,
    now: int,
    undecided: Sequence[EdgeView] = (),
    cause: TaskError | None = None,
    marks: int = 0,
    is_cancelling: bool = False,
    is_all_paused: bool = False,
    tree_id: str | None = None,
) -> str | None:
    """
    Return why the task is pending, failed, was cancelled or skipped; None where nothing is to say.

    Args:
        task: as the reader gave it.
        now: microseconds since 1970, UTC.
        undecided: for a blocked task, the first `NAMED_EDGES` + 1 or more of its edges to tasks
            that have not ended.
        cause: for a skipped task, the error of the task where it began, where it is known.
        marks: its tree's (`TreeMark`).
        is_cancelling: a person cancelled it while it was in progress.
        is_all_paused: a person paused everything.
        tree_id: for a held task, the public id of its tree.

    Returns:
        One line, safe to show.
    """
    if task.state < TaskState.IN_PROGRESS and marks:
        return _held_back(marks)
    match task.state:
        case TaskState.BLOCKED:
            return f"{_waits_for(task, undecided)}{after_edges(task)}"
        case TaskState.HELD:
            return _held(task, tree_id, now)
        case TaskState.PARKED | TaskState.READY | TaskState.WAITING:
            if is_all_paused:
                return "everything is paused"
            if task.due_at > now:
                return _due(task, now)
            return "ready, by strict_priority" if task.strict else "ready"
        case TaskState.WITHOUT_EXECUTOR:
            return f'nobody offers the executor "{escaped(task.executor)}"'
        case TaskState.IN_PROGRESS if is_cancelling or marks & TreeMark.CANCELLED:
            return "is being cancelled"
        case TaskState.IN_PROGRESS:
            return _attempt(task)
        case TaskState.COMPLETED:
            return None
        case TaskState.FAILED | TaskState.CANCELLED:
            allowed = "; allow_failure: the tree does not fail for it"
            return _error(task.error, allowed if task.allow_failure else "")
        case TaskState.SKIPPED:
            return _skipped(task.error, cause)


def _held_back(marks: int) -> str:
    if marks & TreeMark.CANCELLED:
        return "is being cancelled with its tree"
    if marks & TreeMark.RETRIED:
        return "its tree is being made ready to run again"
    if marks & TreeMark.LEFT_OVER:
        return "left over by an earlier process, until a person retries its tree"
    return "its tree is paused"


def duration_text(microseconds: int) -> str:
    """Return a duration for people: `0.21 s`, `41 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    seconds = max(0, microseconds) / 1_000_000
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3_600} h {whole % 3_600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600} h"


def _waits_for(task: TaskView, undecided: Sequence[EdgeView]) -> str:
    if not undecided:
        return "waits for its dependencies"
    named = [
        f"{edge.id} ({edge.status.value.replace('_', ' ')}){_ON_WORDS[edge.on]}"
        for edge in undecided[:NAMED_EDGES]
    ]
    # With `join: all` the row knows how many edges are left; with `any` it is only seen.
    left = task.unmet - len(named)
    if len(undecided) > len(named):
        named.append("others" if task.join_any or left <= 0 else f"{left:,} more")
    words = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    one_of = "one of " if task.join_any and len(named) > 1 else ""
    return f"waits for {one_of}{words}"


def after_edges(task: TaskView) -> str:
    """Return what is to be said of a blocked task's `hold`, for the end of a sentence."""
    if not task.hold:
        return ""
    return "; released already" if task.is_released else "; then held until a person releases it"


def _held(task: TaskView, tree_id: str | None, now: int) -> str:
    tree = "TREE" if tree_id is None else short_id(tree_id)
    later = f", and {_due(task, now)}" if task.due_at > now else ""
    return f"held until `inboxd release {tree}/{escaped(task.id)}`{later}"


def _due(task: TaskView, now: int) -> str:
    away = task.due_at - now
    date = rfc3339_micros(task.due_at)
    is_soon = away < _SOON_MICROSECONDS
    if task.failures:
        return f"due {f'in {duration_text(away)}' if is_soon else f'at {date}'} ({_retry(task)})"
    return f"not before {date}{f', in {duration_text(away)}' if is_soon else ''}"


def _attempt(task: TaskView) -> str | None:
    if task.failures:
        return _retry(task)
    if task.interruptions:
        return f"attempt {task.attempts}, after the daemon ended during another"
    return None


def _retry(task: TaskView) -> str:
    limit = f" of {task.retry.limit}" if task.retry is not None else ""
    after = f" after: {escaped(task.error.message)}" if task.error is not None else ""
    return f"retry {task.failures}{limit}{after}"


def _error(error: TaskError | None, ending: str) -> str | None:
    return None if error is None else f"{escaped(error.message)}{ending}"


def _skipped(error: TaskError | None, cause: TaskError | None) -> str | None:
    if error is None:
        return None
    more = ""
    if cause is not None and error.code is TaskErrorCode.DEPENDENCY_FAILED:
        more = f": {escaped(cause.message)}"
    return f"{escaped(error.message)}{more}"
