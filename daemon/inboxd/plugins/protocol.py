"""
What an executor is, and what it is given.

An executor is any object with these attributes; there is nothing to inherit from.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import msgspec

from inboxd.array.catalog import InputProblem
from inboxd.task import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = [
    "ChecksInputs",
    "CommandLine",
    "Executor",
    "InputProblem",
    "Isolation",
    "TaskContext",
    "place_kind",
]


class Isolation(StrEnum):
    """Where `execute` runs, and so which kind of place an attempt takes and how it is ended."""

    #: On the daemon's event loop; takes an `async_places` place; is cancelled.
    ASYNC = "async"
    #: In a thread of the daemon; sees `context.cancelled`.
    THREAD = "thread"
    #: In a worker process; is killed.
    PROCESS = "process"
    #: `execute` gives a `CommandLine`, quickly and without waiting; the daemon runs it as it runs
    #: every command: own session, output to files, the whole process tree ended at the time limit.
    COMMAND = "command"


def place_kind(isolation: str) -> PlaceKind:
    """Return which kind of place an attempt of an executor with this isolation takes."""
    return PlaceKind.ASYNC if isolation == Isolation.ASYNC else PlaceKind.PROCESS


class CommandLine(msgspec.Struct, frozen=True, kw_only=True):
    """A command to run; what an executor with isolation `command` returns."""

    #: At least one element; no shell takes part.
    argv: tuple[str, ...]
    #: Absolute, or relative to the tree's directory; None is the tree's directory.
    cwd: str | None = None
    #: Added to the environment that every command gets.
    env: dict[str, str] = {}
    #: Given on standard input; None gives an empty one.
    stdin: bytes | None = None
    #: `json`: all of stdout is one JSON document, and becomes the result.
    stdout: Literal["text", "json"] = "text"


class TaskContext(Protocol):
    """What an attempt may know and do besides its inputs."""

    @property
    def tree_id(self) -> str:
        """The tree's public id."""
        ...

    @property
    def task_id(self) -> str:
        """The task's id in its file."""
        ...

    @property
    def attempt(self) -> int:
        """The attempt's number, from 1."""
        ...

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of one task, and for no other task."""
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """The task's `params`."""
        ...

    @property
    def cancelled(self) -> bool:
        """True once the attempt is to end: its time limit is over, or the daemon stops."""
        ...

    @property
    def directory(self) -> Path:
        """The tree's own directory, shared by its tasks; made when first asked for."""
        ...


@runtime_checkable
class Executor(Protocol):
    """Who carries a task out."""

    #: What a task file says in `executor`.
    name: str
    #: One sentence for `inboxd executors`.
    description: str
    #: JSON Schema (2020-12) of `inputs`; None takes any object.
    inputs_schema: Mapping[str, Any] | None
    #: One of `Isolation`.
    isolation: str

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        """
        Do the task and return its result, a JSON value.

        Args:
            inputs: the task's `inputs`, already checked against `inputs_schema`.
            context: see `TaskContext`.

        Returns:
            A JSON value; with isolation `async` it may be an awaitable of one,
            with isolation `command` it is a `CommandLine`.

        Raises:
            NoRetry: it failed, and would fail again.
            RetryLater: it failed; when to try again.
            Exception: it failed; it is tried again while retries are left.
        """
        ...


@runtime_checkable
class ChecksInputs(Protocol):
    """What an executor has besides, when its schema cannot say everything about its inputs."""

    def input_problems(self, inputs: dict[str, Any]) -> Sequence[InputProblem]:
        """
        Return what is wrong with inputs that fit the schema; empty when nothing is.

        Called when a file is checked, on the thread that does so: quick, and without waiting.
        """
        ...
