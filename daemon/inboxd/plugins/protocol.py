"""
What an executor is, and what it is given.

An executor is any object with these attributes; there is nothing to inherit from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import msgspec

from inboxd.array.catalog import InputProblem
from inboxd.task import PlaceKind

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

__all__ = [
    "ChecksInputs",
    "ChecksParams",
    "CommandLine",
    "Configurable",
    "Executor",
    "FindsCode",
    "HasExample",
    "HasPositions",
    "InputProblem",
    "Isolation",
    "ParseProblem",
    "PluginConfiguration",
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
    #: `json`: all of stdout is one JSON document, and becomes the result. `lines`: stdout is the
    #: line protocol of docs/reference/executor-protocol.md: progress, a result or an error.
    stdout: Literal["text", "json", "lines"] = "text"


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
    def dependencies(self) -> Mapping[str, Any]:
        """
        The results of the tasks it depends on, by their ids; null for one that did not complete.

        Read from the store when first asked for; a name that only one of them has will do as well.
        """
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """The task's `params`."""
        ...

    @property
    def deadline(self) -> datetime | None:
        """When the time limit ends the attempt, aware UTC; None: it has no limit."""
        ...

    @property
    def cancelled(self) -> bool:
        """True once the attempt is to end: its time limit is over, or the daemon stops."""
        ...

    @property
    def directory(self) -> Path:
        """The tree's own directory, shared by its tasks; made when first asked for."""
        ...

    @property
    def log(self) -> logging.Logger:
        """A logger of the attempt's own: what is logged at INFO and above is in its log."""
        ...

    def progress(self, fraction: float | None, message: str = "") -> None:
        """
        Say how far the attempt is; cheap, and never raises for what it is given.

        Shown beside the task by `inboxd run` on a terminal, and now and then in the daemon's log;
        what a person is to read in the attempt's own log goes to `log`.

        Args:
            fraction: 0 to 1; None: not known.
            message: one line for people.
        """
        ...


@runtime_checkable
class Executor(Protocol):
    """Who carries a task out."""

    # Read-only here, so that an executor may say them as it likes: in the class, or as properties.

    @property
    def name(self) -> str:
        """What a task file says in `executor`."""
        ...

    @property
    def description(self) -> str:
        """One sentence for `inboxd executors`."""
        ...

    @property
    def inputs_schema(self) -> Mapping[str, Any] | type | None:
        """JSON Schema (2020-12) of `inputs`, or a type it is made from; None takes any object."""
        ...

    @property
    def isolation(self) -> str:
        """One of `Isolation`."""
        ...

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

        Called when a file is checked, while the intake waits: quick, and without waiting. All calls
        for one file have 10 s, and 5 ms more each; one that overstays is not called any more until
        the next start, and files with the executor are rejected, as for what it raises.
        """
        ...


@runtime_checkable
class ChecksParams(Protocol):
    """What an executor has besides, when it wants something of a task's `params`."""

    def params_problems(self, params: Mapping[str, Any]) -> Sequence[InputProblem]:
        """
        Return what is wrong with a task's `params`, paths from their top; empty: nothing.

        Called when a file is checked, while the intake waits: quick, and without waiting. All calls
        for one file have 10 s, and 5 ms more each; one that overstays is not called any more until
        the next start, and files with the executor are rejected, as for what it raises.
        """
        ...


@runtime_checkable
class FindsCode(Protocol):
    """
    What an executor has besides, when some of its inputs are code.

    Where these are always the same, `code_inputs = ("script",)` names them instead.
    """

    def code_places(self, inputs: dict[str, Any]) -> Sequence[tuple[str | int, ...]]:
        """
        Return the paths, from the top of *inputs*, of what is run as code.

        No expression may stand there: the value that it brings would become code. Called when a
        file is checked, with inputs of any shape and expressions as they are written, and before
        an attempt, with all values filled in.
        """
        ...


@runtime_checkable
class HasExample(Protocol):
    """
    What an executor has besides, when no good example can be made from its schema alone.

    `inboxd executors NAME` shows it. One whose tasks need `params` has `example_params` too.
    """

    @property
    def example(self) -> Mapping[str, Any]:
        """The `inputs` of a task, as a file may hold them."""
        ...


@runtime_checkable
class Configurable(Protocol):
    """What an executor has besides, when `[executors.NAME]` may hold more than `enabled`."""

    def configure(self, options: Mapping[str, Any]) -> None:
        """
        Take the executor's own settings; called once, before everything else, maybe with none.

        Args:
            options: the table `[executors.NAME]` without `enabled`; values as TOML gives them.

        Raises:
            ValueError: one cannot be used; the text says which, and what is wanted.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginConfiguration:
    """What `inboxd_configure` is given."""

    #: The table `[plugins.NAME]`, where NAME is that of the entry point; values as TOML gives them.
    options: Mapping[str, Any]
    #: Where the plugin may keep files, of its own, in the state directory; made by who needs it.
    directory: Path
    #: The file that says so, for messages and relative paths; None: there is none.
    file: Path | None = None


class ParseProblem(Exception):
    """Raised by `inboxd_parse_file`: the text cannot be read."""

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
        code: str = "invalid_value",
    ) -> None:
        """
        Args:
            message: what is wrong, without a full stop.
            line: from 1.
            column: in characters, from 1.
            hint: what to do about it.
            code: one of the stable codes of errors; `duplicate_key`, `not_finite`, ….
        """
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint
        self.code = code


@runtime_checkable
class HasPositions(Protocol):
    """What the answer of `inboxd_parse_file` has besides, when it knows where its values stood."""

    def position_of(
        self, path: tuple[str | int, ...], *, at_key: bool = False
    ) -> tuple[int, int] | None:
        """
        Return line and column, from 1, of a value in the file; None when that is not known.

        Args:
            path: keys and indices from the top of the document; its end may not be there.
            at_key: the key that *path* ends with is meant, not its value.
        """
        ...
