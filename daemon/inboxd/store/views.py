"""What a reader gives: trees, tasks, attempts and edges as they were at one moment."""

from __future__ import annotations

import msgspec

from inboxd.ids import short_id
from inboxd.store.tables import TaskState
from inboxd.task import EdgeOn, RetryPolicy, TaskError, TaskStatus

__all__ = [
    "AttemptView",
    "Counts",
    "EdgeView",
    "Overview",
    "RunningTask",
    "TaskDetails",
    "TaskView",
    "TreeView",
]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many tasks of a tree are in each status; the six add up to `total`."""

    total: int
    pending: int
    in_progress: int
    completed: int
    #: Those with `allow_failure` too.
    failed: int
    cancelled: int
    skipped: int

    @property
    def ended(self) -> int:
        """Tasks that have ended, however they did."""
        return self.total - self.pending - self.in_progress


class TreeView(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted tree. Times are microseconds since 1970 in UTC."""

    #: Internal.
    number: int
    #: Public.
    id: str
    name: str | None
    #: The name of the file as it was dropped; None when it came another way.
    file_name: bytes | None
    status: TaskStatus
    counts: Counts
    #: Failed tasks with `allow_failure`; `counts.failed` holds them too.
    tolerated: int
    strict_priority: bool
    user_id: str | None
    received_at: int
    accepted_at: int
    started_at: int | None
    ended_at: int | None
    #: The internal number of its first task; the others follow in the order of the file.
    first_task: int

    @property
    def short_id(self) -> str:
        """The last 8 characters of the id."""
        return short_id(self.id)


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """One task as its row has it, without inputs and result."""

    #: Internal.
    number: int
    #: The internal number of its tree.
    tree: int
    #: From 0, in its file.
    position: int
    id: str
    name: str
    #: The internal number of its parent.
    parent: int | None
    status: TaskStatus
    state: TaskState
    executor: str
    priority: int
    due_at: int
    join_any: bool
    allow_failure: bool
    at_most_once: bool
    #: Once otherwise ready it waits for a person's release.
    hold: bool
    #: A person released it.
    is_released: bool
    strict: bool
    has_dependants: bool
    #: Edges that must still hold before it may start; with `join: any` at most 1.
    unmet: int
    retry: RetryPolicy | None
    timeout_seconds: float | None
    #: Starts so far, which is the number of the newest attempt.
    attempts: int
    #: Attempts that failed.
    failures: int
    interruptions: int
    start_seq: int | None
    #: Of the newest attempt.
    started_at: int | None
    ended_at: int | None
    error: TaskError | None


class TaskDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What only one reader of one task asks for; each is one JSON document, None for nothing."""

    inputs: bytes | None
    params: bytes | None
    #: An object with `description`, `metadata`, `user_id`, `schemas`, `not_before`, `x-…`.
    other: bytes | None
    result: bytes | None


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a task; `ended_at` and `outcome` are None while it is in progress."""

    number: int
    start_seq: int
    started_at: int
    ended_at: int | None
    #: `completed`, or the code of its error.
    outcome: str | None
    error: TaskError | None


class EdgeView(msgspec.Struct, frozen=True, kw_only=True):
    """One edge, seen from one of its ends: the task at the other end, and what it is on."""

    #: The internal number of the task at the other end.
    number: int
    id: str
    status: TaskStatus
    on: EdgeOn


class RunningTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task in progress, with what a list over all trees must say of it."""

    #: Internal numbers.
    number: int
    tree: int
    tree_id: str
    tree_name: str | None
    file_name: bytes | None
    task_id: str
    position: int
    executor: str
    attempt: int
    started_at: int


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on now, over all trees, at one moment."""

    #: Trees that have not ended; counted up to a bound only.
    open_trees: int
    #: Tasks in progress.
    running: int
    #: Some open trees: those with most in progress, then the oldest; in order of arrival.
    trees: tuple[TreeView, ...]
    #: Some tasks in progress, in the order in which they started.
    running_tasks: tuple[RunningTask, ...]
