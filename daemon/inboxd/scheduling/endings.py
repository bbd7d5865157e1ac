"""What the outcome of an attempt means for its task: it ended, or another attempt follows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from inboxd.retry import retry_delay_seconds
from inboxd.store.outcomes import AttemptEnd, RequeuedTask
from inboxd.store.tables import TaskFlag, TaskState
from inboxd.task import (
    Completed,
    Failed,
    Interrupted,
    RetryPolicy,
    TaskError,
    TaskErrorCode,
)

if TYPE_CHECKING:
    from inboxd.store.claims import Candidate
    from inboxd.task import Outcome

__all__ = [
    "CANCELLED",
    "RunningTask",
    "cancelled_end",
    "decide_outcome",
    "left_over_end",
    "outcome_name",
]

#: The error of every task that a person cancelled, alone or with its tree.
CANCELLED = TaskError(code=TaskErrorCode.CANCELLED, message="cancelled")


class RunningTask(msgspec.Struct, frozen=True):
    """A task in progress, as it was claimed."""

    task: Candidate
    #: Of the attempt in progress.
    number: int
    start_seq: int
    started_at: int


def decide_outcome(
    running: RunningTask, outcome: Outcome, *, ended_at: int, max_interruptions: int, chance: float
) -> AttemptEnd | RequeuedTask:
    """
    Return what becomes of the task.

    Args:
        running: the task, with its counts from before this attempt.
        outcome: how the attempt ended.
        ended_at: when; microseconds since 1970, UTC. A retry's delay begins here.
        max_interruptions: crashes after which it is not run again.
        chance: 0 <= chance < 1, for the jitter of a retry's delay.
    """
    task = running.task
    match outcome:
        case Completed():
            return _end(running, TaskState.COMPLETED, outcome.result, None, ended_at)
        case Failed():
            failures = task.failures + 1
            policy = None if task.retry is None else _policy(task.retry)
            delay = retry_delay_seconds(policy, outcome, failures=failures, chance=chance)
            if delay is None:
                return _end(
                    running, TaskState.FAILED, outcome.result, outcome.error, ended_at,
                    failures=failures,
                )  # fmt: skip
            return RequeuedTask(
                state=TaskState.WAITING,
                due_at=ended_at + int(delay * 1_000_000),
                result=_text(outcome.result),
                error=_error(outcome.error),
                failures=failures,
                interruptions=task.interruptions,
                task=task.id,
                attempt=running.number,
            )
        case Interrupted():
            interruptions = task.interruptions + int(outcome.counts)
            reason = _why_not_again(task, interruptions, max_interruptions)
            if reason is not None:
                error = TaskError(code=TaskErrorCode.INTERRUPTED, message=reason)
                return _end(
                    running, TaskState.FAILED, None, error, ended_at, interruptions=interruptions
                )
            return RequeuedTask(
                state=TaskState.READY,
                due_at=task.due_at,
                result=None,
                error=None,
                failures=task.failures,
                interruptions=interruptions,
                task=task.id,
                attempt=running.number,
            )
        case _:
            assert_never(outcome)


def cancelled_end(running: RunningTask, *, ended_at: int) -> AttemptEnd:
    """Return the end of a task that a person cancelled, whatever its attempt reported."""
    return _end(running, TaskState.CANCELLED, None, CANCELLED, ended_at)


def left_over_end(running: RunningTask, *, ended_at: int) -> AttemptEnd:
    """Return the end of a task whose attempt an earlier process left, where nothing goes on."""
    error = TaskError(
        code=TaskErrorCode.INTERRUPTED,
        message="the process that ran this attempt ended; it is not run again by itself",
    )
    interruptions = running.task.interruptions + 1
    return _end(running, TaskState.FAILED, None, error, ended_at, interruptions=interruptions)


def outcome_name(outcome: Outcome) -> str:
    """Return the word for the attempts' history: `completed`, or the code of the error."""
    match outcome:
        case Completed():
            return "completed"
        case Failed():
            return outcome.error.code.value
        case Interrupted():
            return TaskErrorCode.INTERRUPTED.value
        case _:
            assert_never(outcome)


def _why_not_again(task: Candidate, interruptions: int, max_interruptions: int) -> str | None:
    if task.flags & TaskFlag.AT_MOST_ONCE:
        return (
            "the daemon ended while this attempt was in progress, and the task is at_most_once: "
            "whether it did its work is not known"
        )
    if interruptions > max_interruptions:
        return (
            f"the daemon ended {interruptions} times while this task was in progress; "
            "it is not run again by itself"
        )
    return None


def _end(
    running: RunningTask,
    state: TaskState,
    result: bytes | None,
    error: TaskError | None,
    ended_at: int,
    *,
    failures: int | None = None,
    interruptions: int | None = None,
) -> AttemptEnd:
    task = running.task
    return AttemptEnd(
        state=state,
        result=_text(result),
        error=_error(error),
        ended_at=ended_at,
        failures=task.failures if failures is None else failures,
        interruptions=task.interruptions if interruptions is None else interruptions,
        task=task.id,
        attempt=running.number,
    )


def _policy(document: str) -> RetryPolicy:
    return msgspec.json.decode(document, type=RetryPolicy)


def _text(document: bytes | None) -> str | None:
    return None if document is None else document.decode()


def _error(error: TaskError | None) -> str | None:
    return None if error is None else msgspec.json.encode(error).decode()
