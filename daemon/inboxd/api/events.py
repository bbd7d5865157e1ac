"""What is told of a tree while it runs: small frozen values, made after the commit they tell of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from inboxd.api.task import Task
    from inboxd.plugins.told import ToldAttempt, ToldOutcome, ToldTree
    from inboxd.task import TaskError, TaskStatus

__all__ = ["AttemptEnded", "TaskEnded", "TaskProgress", "TaskStarted", "TreeEnded", "TreeEvent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """An attempt of a task started."""

    #: The caller's handle, where the tree is one of the caller's; it shows the task as it is now,
    #: which may be later than the event.
    task: Task
    #: The attempt, as hooks are told of it.
    attempt: ToldAttempt


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgress:
    """A running attempt said how far it is; of each the newest, once a second at the most."""

    #: As of `TaskStarted`.
    task: Task
    #: The attempt's number, from 1.
    attempt: int
    #: 0.0 to 1.0; None: not known.
    fraction: float | None
    #: For people, at most 200 characters; may hold any character.
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """An attempt failed or was interrupted, and another one follows: the task has not ended."""

    #: As of `TaskStarted`.
    task: Task
    #: The attempt that ended.
    attempt: ToldAttempt
    #: `retry_at` says when the next one is due.
    outcome: ToldOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnded:
    """A task ended."""

    #: As of `TaskStarted`.
    task: Task
    #: `completed`, `failed`, `cancelled` or `skipped`.
    status: TaskStatus
    #: Aware, UTC.
    ended_at: datetime
    #: Why it failed, or why it was not run; None when it completed.
    error: TaskError | None
    #: Its last attempt; None: it was never started.
    attempt: ToldAttempt | None
    #: How that ended, with the result; None where it did not decide how the task ended.
    outcome: ToldOutcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEnded:
    """All tasks of the tree have ended; the last event."""

    #: `completed`, `failed` or `cancelled`.
    status: TaskStatus
    #: The tree as it was when the event was read; its `write_result` works while the session is
    #: open.
    tree: ToldTree


TreeEvent: TypeAlias = TaskStarted | TaskProgress | AttemptEnded | TaskEnded | TreeEnded
