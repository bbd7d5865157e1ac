"""
The values that move between modules: statuses, a task as it was accepted, how an attempt ended.

The hot ones are `msgspec.Struct`s, not dataclasses: frozen, slotted and keyword-only alike, but
made several times faster, which counts at a million tasks a file (ADR 0003).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TypeAlias

import msgspec

__all__ = [
    "TERMINAL_STATUSES",
    "AttemptId",
    "Completed",
    "Delivery",
    "EdgeOn",
    "EdgeSpec",
    "Failed",
    "Interrupted",
    "Join",
    "Outcome",
    "PlaceKind",
    "RetryPolicy",
    "TaskError",
    "TaskErrorCode",
    "TaskSpec",
    "TaskStatus",
]


class TaskStatus(StrEnum):
    """The status of a task or a tree, as people and files see it."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


TERMINAL_STATUSES = frozenset(
    {TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.SKIPPED}
)


class EdgeOn(StrEnum):
    """Which end of the dependency makes an edge hold."""

    SUCCESS = "success"
    FAILURE = "failure"
    END = "end"


class Join(StrEnum):
    """Whether every edge of a task must hold, or one."""

    ALL = "all"
    ANY = "any"


class Delivery(StrEnum):
    """What a crash of the daemon during an attempt means."""

    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


class PlaceKind(IntEnum):
    """The two kinds of places; a task needs one place of its executor's kind."""

    #: `[run] places`: commands, threads and worker processes.
    PROCESS = 0
    #: `[run] async_places`: executors on the event loop.
    ASYNC = 1


class TaskErrorCode(StrEnum):
    """The stable codes of a task's `error`."""

    EXIT_STATUS = "exit_status"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    SPAWN_FAILED = "spawn_failed"
    EXCEPTION = "exception"
    INVALID_INPUTS = "invalid_inputs"
    INVALID_RESULT = "invalid_result"
    RESULT_TOO_LARGE = "result_too_large"
    UNRESOLVED_REFERENCE = "unresolved_reference"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    DEPENDENCY_FAILED = "dependency_failed"
    DEPENDENCY_CANCELLED = "dependency_cancelled"
    CONDITION = "condition"


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often and how soon a failed attempt is followed by another."""

    #: Retries after the first attempt; 0 means one attempt.
    limit: int = 0
    #: Before the first retry.
    delay_seconds: float = 1.0
    #: What each further delay is multiplied by; >= 1.
    backoff: float = 2.0
    #: No delay is longer.
    max_delay_seconds: float = 300.0
    #: A delay is moved by up to this fraction of itself, either way; 0 to 1.
    jitter: float = 0.1


class EdgeSpec(msgspec.Struct, frozen=True):
    """One dependency of a task: the position of the task it names, and which end holds."""

    dependency: int
    on: EdgeOn


class TaskSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it was checked and is about to be stored; positions count from 0 in its array."""

    position: int
    id: str
    name: str
    executor: str
    kind: PlaceKind
    parent: int | None = None
    priority: int = 2
    #: Each (dependency, on) once, in the order of the file.
    edges: tuple[EdgeSpec, ...] = ()
    #: True when another task of the array depends on this one.
    has_dependants: bool = False
    join: Join = Join.ALL
    allow_failure: bool = False
    retry: RetryPolicy | None = None
    timeout_seconds: float | None = None
    #: Microseconds since 1970, UTC.
    not_before_micros: int | None = None
    #: Once otherwise ready it waits for a person's release.
    hold: bool = False
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    #: JSON objects as they were written (defaults merged in); None for an empty one.
    inputs: bytes | None = None
    params: bytes | None = None
    #: JSON object: the references in `inputs` and the positions of the tasks that they name; None
    #: when `inputs` are handed over as they are.
    reads: bytes | None = None
    #: One JSON object with what is kept and shown but never read: `description`, `metadata`,
    #: `user_id`, `schemas`, `not_before` as it was written, `x-…`; None when there is nothing.
    other: bytes | None = None


def _none() -> None:
    """Be a default that files hold as null: msgspec leaves out only those that are values."""


class TaskError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a task failed or was not run; written to files as `{"code", "message", "cause", …}`."""

    #: What kind of failure it is.
    code: TaskErrorCode
    #: One sentence for people.
    message: str
    #: The id of the task where it began; None when that is this task.
    cause: str | None = msgspec.field(default_factory=_none)
    #: With `exit_status`: the exit code of the command; else None, and not in files.
    exit_code: int | None = None
    #: With `signal`: its name, such as `SIGKILL`; else None, and not in files.
    signal: str | None = None
    #: Where an executor in Python raised it: the last frames, from its own code on, at most 4,000
    #: characters of text for people; else None, and not in files.
    traceback: str | None = None


class AttemptId(msgspec.Struct, frozen=True):
    """What an outcome must match to count: the task's internal number and the attempt's number."""

    task: int
    attempt: int


class Completed(msgspec.Struct, frozen=True):
    """The attempt succeeded; `result` is one JSON document in UTF-8, None for null."""

    result: bytes | None = None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt failed; another follows when it is retryable and retries are left."""

    error: TaskError
    retryable: bool = True
    #: Seconds until the next attempt, when the executor said so itself.
    retry_after_seconds: float | None = None
    #: A result that is kept beside the error (a command's exit code and output), JSON.
    result: bytes | None = None


class Interrupted(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt was cut by the daemon's end, not by the task's fault."""

    #: True for a crash, which counts toward `max_interruptions`; False for a stop that cut it.
    counts: bool


Outcome: TypeAlias = Completed | Failed | Interrupted
