"""A plugin as an author writes it; type checkers see what each name is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, assert_type

from inboxd import (
    CandidateTask,
    CommandLine,
    Executor,
    HasPositions,
    InputProblem,
    InvalidInputs,
    Isolation,
    NoRetry,
    ParseProblem,
    PluginConfiguration,
    Problem,
    ProblemCode,
    RetryLater,
    TaskContext,
    ToldAttempt,
    ToldOutcome,
    ToldTask,
    executor,
    hookimpl,
)

if TYPE_CHECKING:
    from inboxd import CandidateTree


@dataclass
class Copy:
    source: str
    times: int = 1


class Move(TypedDict):
    source: str


@executor("copy")
def copy(inputs: Copy, context: TaskContext) -> list[str]:
    """Copy a file."""
    assert_type(context.tree_id, str)
    assert_type(context.attempt, int)
    assert_type(context.cancelled, bool)
    assert_type(context.deadline, datetime | None)
    assert_type(context.directory, Path)
    assert_type(context.params, Mapping[str, Any])
    assert_type(context.dependencies, Mapping[str, Any])
    context.progress(0.5, "half")
    context.log.info("copying")
    if inputs.times > 9:
        raise InvalidInputs("nine at most")
    if context.attempt > 3:
        raise NoRetry("three times is enough")
    return [inputs.source] * inputs.times


@executor("move", description="Moves a file.", isolation="async")
async def move(inputs: Move, context: TaskContext) -> None:
    raise RetryLater(60, inputs["source"])


class Plain:
    """An executor needs no decorator, and no annotations on what it says of itself."""

    name = "plain"
    description = "Says hello."
    inputs_schema = Copy
    isolation = Isolation.COMMAND

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> CommandLine:
        return CommandLine(argv=("echo", "hello"))

    def input_problems(self, inputs: dict[str, Any]) -> list[InputProblem]:
        return [InputProblem(path=("source",), message="no")]


class Count:
    async def execute(self, inputs: dict[str, Any], context: TaskContext) -> int:
        return len(inputs)


count = executor("count")(Count)


@hookimpl
def inboxd_executors() -> list[Executor]:
    return [copy, move, Plain(), count]


@hookimpl
def inboxd_configure(configuration: PluginConfiguration) -> None:
    assert_type(configuration.options, Mapping[str, Any])


@hookimpl
def inboxd_parse_file(path: Path, data: bytes) -> list[Any] | None:
    if not data:
        raise ParseProblem("there is nothing in it", line=1)
    return Lines(data.split())


class Lines(list[Any]):
    """An answer of the hook that knows where its values stood."""

    def position_of(
        self, path: tuple[str | int, ...], *, at_key: bool = False
    ) -> tuple[int, int] | None:
        return (1, 1) if at_key else None


positions: HasPositions = Lines()


def pointer_of(task: CandidateTask) -> str:
    assert_type(task.dependencies, tuple[str, ...])
    assert_type(task.timeout_seconds, float | None)
    return task.pointer


@hookimpl
def inboxd_validate_tree(tree: CandidateTree) -> list[Problem]:
    return [
        Problem(code=ProblemCode.INVALID_VALUE, pointer=pointer_of(task), message="no")
        for task in tree.tasks()
        if task.priority == 0
    ]


@hookimpl
def inboxd_task_ended(task: ToldTask, attempt: ToldAttempt, outcome: ToldOutcome) -> None:
    assert_type(task.id, str)
    assert_type(attempt.number, int)
    assert_type(outcome.retry_at, datetime | None)


def call_as_functions(context: TaskContext) -> None:
    """Functions keep their signatures."""
    assert_type(copy(Copy("a"), context), list[str])
    assert_type(count, Executor)
    assert_type(copy.name, str)
