"""What the hooks that tell are given: small frozen values, made after the commit they tell of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

__all__ = ["ToldAttempt", "ToldOutcome", "ToldTask", "ToldTree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldTree:
    """A tree, as it was when the hook was called. Times are aware UTC."""

    #: Its public id, a UUIDv7.
    tree_id: str
    #: The `name` of its file's envelope.
    name: str | None
    #: The name of its file, fit to be shown; None when it came another way.
    file: str | None
    #: The `user_id` of its file's envelope.
    user_id: str | None
    #: The uid of the file's owner.
    owner: int | None
    #: The envelope's `metadata`.
    metadata: Mapping[str, Any]
    #: `pending`, `in_progress`, `completed`, `failed` or `cancelled`.
    status: str
    #: How many tasks it has.
    task_count: int
    #: Tasks by their status, those that are not 0.
    counts: Mapping[str, int]
    #: When it was committed.
    accepted_at: datetime
    #: When its first attempt started; None before that.
    started_at: datetime | None = None
    #: When its last task ended; None before that.
    ended_at: datetime | None = None
    #: Writes the result document to a binary file, piece by piece: the form of the result file.
    #: Only while the hook runs.
    write_result: Callable[[BinaryIO], None] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldTask:
    """A task of a tree."""

    tree_id: str
    #: The tree's `name`, and its file's name.
    tree_name: str | None
    file: str | None
    #: In its file.
    id: str
    #: From 0, in its array.
    position: int
    executor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAttempt:
    """One start of a task."""

    #: From 1.
    number: int
    #: The place in the order of all starts.
    start_seq: int
    #: Aware, UTC.
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldOutcome:
    """How an attempt ended."""

    #: `interrupted`: a stop or a crash of the daemon cut it, and another attempt follows.
    #: `cancelled`: a person cancelled its task, whatever the attempt itself reported.
    status: Literal["completed", "failed", "interrupted", "cancelled"]
    #: Aware, UTC.
    ended_at: datetime
    #: `{"code", "message", "cause", …}` as in the result file; None when it completed.
    error: Mapping[str, Any] | None = None
    #: When the next attempt is due; None when there is none.
    retry_at: datetime | None = None
    #: Gives the result, a JSON value.
    result: Callable[[], Any] = field(repr=False, compare=False)
