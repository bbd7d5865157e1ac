"""
What the daemon tells while it runs: small frozen values, made after the commit they tell of.

They are for people who look on; nothing may depend on one arriving.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from inboxd.task import TaskStatus

__all__ = [
    "DrainBegan",
    "Event",
    "FileRejected",
    "FileTaken",
    "Listener",
    "TaskFailed",
    "TaskProgress",
    "TreeEnded",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTaken:
    """A file was accepted, as a new tree or as a duplicate of an earlier one."""

    file_name: bytes
    tree_id: str
    #: The tree's `name`.
    tree_name: str | None
    task_count: int
    duplicate: bool = False
    #: Warnings of its receipt.
    warnings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRejected:
    """A file was rejected."""

    file_name: bytes
    #: The first problems, a sentence each: `/tasks/3/dependencies/0: no task "fetch" …`.
    problems: tuple[str, ...]
    #: How many problems its receipt has.
    problem_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """An attempt failed, or a task was refused its attempt."""

    tree_id: str
    tree_name: str | None
    file_name: bytes | None
    task_id: str
    #: From 0, in its file; with the attempt's number it says where the log is.
    position: int
    attempt: int
    #: The error's code and message.
    code: str
    message: str
    #: Microseconds since 1970 of the next attempt; None: there is none.
    retry_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgress:
    """A running attempt said how far it is; of each the newest, once a second at the most."""

    tree_id: str
    task_id: str
    attempt: int
    #: 0 to 1; None: not known.
    fraction: float | None
    #: For people, bounded; may hold any character.
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEnded:
    """Every task of a tree has ended."""

    tree_id: str
    tree_name: str | None
    file_name: bytes | None
    status: TaskStatus
    #: From its first start to its end, 0 when nothing started.
    seconds: float
    task_count: int
    #: Failed tasks without `allow_failure`.
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainBegan:
    """A stop was asked for: nothing new starts, what runs may end."""

    #: Tasks in progress.
    running: int
    #: They have this long; None: they are cut at once.
    seconds: float | None


Event: TypeAlias = FileTaken | FileRejected | TaskFailed | TaskProgress | TreeEnded | DrainBegan

#: Is told events, from any thread; must return at once and never raise.
Listener: TypeAlias = Callable[[Event], None]
