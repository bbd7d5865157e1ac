"""From what the turns and the store say of tasks to the events that callers read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from inboxd.api.events import AttemptEnded, TaskEnded, TaskStarted
from inboxd.clock import from_micros
from inboxd.plugins.told import ToldAttempt, ToldOutcome
from inboxd.store.outcomes import RequeuedTask
from inboxd.store.tables import STATUS_OF_STATE
from inboxd.task import TaskError, TaskStatus
from inboxd.telling.values import told_attempt, told_outcome

if TYPE_CHECKING:
    from inboxd.api.subscription import RecordedEnd
    from inboxd.api.task import Task
    from inboxd.running.attempt import Attempt
    from inboxd.store.views import TaskView

__all__ = ["end_of_recorded", "end_of_view", "start_of_attempt", "start_of_view"]

_decode_error = msgspec.json.Decoder(TaskError).decode


def start_of_attempt(task: Task, attempt: Attempt) -> TaskStarted:
    """Return the start of an attempt."""
    return TaskStarted(task=task, attempt=told_attempt(attempt))


def end_of_recorded(task: Task, recorded: RecordedEnd) -> AttemptEnded | TaskEnded:
    """Return the end of an attempt, which is that of its task unless another one follows."""
    end = recorded.end
    attempt = told_attempt(recorded.attempt)
    outcome = told_outcome(end, recorded_at=recorded.recorded_at)
    if isinstance(end, RequeuedTask):
        return AttemptEnded(task=task, attempt=attempt, outcome=outcome)
    return TaskEnded(
        task=task,
        status=STATUS_OF_STATE[end.state],
        ended_at=outcome.ended_at,
        error=None if end.error is None else _decode_error(end.error),
        attempt=attempt,
        outcome=outcome,
    )


def start_of_view(task: Task, view: TaskView) -> TaskStarted | None:
    """Return the newest start of a task as the store has it; None: it was never started."""
    attempt = _attempt(view)
    return None if attempt is None else TaskStarted(task=task, attempt=attempt)


def end_of_view(task: Task, view: TaskView) -> TaskEnded:
    """Return how a task ended, as the store has it."""
    assert view.ended_at is not None  # noqa: S101 - it has ended
    attempt = _attempt(view)
    return TaskEnded(
        task=task,
        status=view.status,
        ended_at=from_micros(view.ended_at),
        error=view.error,
        attempt=attempt,
        outcome=None if attempt is None else _outcome(task, view, view.ended_at),
    )


def _attempt(view: TaskView) -> ToldAttempt | None:
    if view.start_seq is None or view.started_at is None:
        return None
    return ToldAttempt(
        number=view.attempts,
        start_seq=view.start_seq,
        started_at=from_micros(view.started_at),
    )


def _outcome(task: Task, view: TaskView, ended_at: int) -> ToldOutcome | None:
    status: Literal["completed", "failed", "cancelled"]
    match view.status:
        case TaskStatus.COMPLETED:
            status = "completed"
        case TaskStatus.FAILED:
            status = "failed"
        case TaskStatus.CANCELLED:
            status = "cancelled"
        case _:
            return None
    error: dict[str, Any] | None = None
    if view.error is not None:
        error = msgspec.json.decode(msgspec.json.encode(view.error))
    return ToldOutcome(
        status=status,
        ended_at=from_micros(ended_at),
        error=error,
        result=lambda: task.result,
    )
