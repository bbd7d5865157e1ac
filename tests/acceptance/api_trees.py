"""Task arrays run through the Python API, executors for them, and what came of the tasks."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import (
    InvalidTaskArray,
    NoRetry,
    Problem,
    TaskCreator,
    TaskEnded,
    TaskManager,
    TaskTrees,
    executor,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from inboxd import Session, Task, TreeEvent

__all__ = [
    "LIMIT_SECONDS",
    "Gate",
    "ended_as",
    "made",
    "ran",
    "refusals",
    "start_order",
    "until_ended",
]

#: To wait for what is bound to come.
LIMIT_SECONDS = 30


@executor("behave-answer")
async def answer(inputs: dict[str, Any], context: Any) -> Any:
    """Return what the task says."""
    return inputs.get("value")


@executor("behave-refuse")
async def refuse(inputs: dict[str, Any], context: Any) -> None:
    """Fail, and say that another attempt would."""
    raise NoRetry(inputs.get("message", "refused"))


@executor("behave-read")
async def read(inputs: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return what reached the attempt."""
    return {"inputs": inputs, "dependencies": dict(context.dependencies)}


class Gate:
    """An executor of this process whose attempts wait until the test lets them through."""

    def __init__(self, name: str) -> None:
        #: Set when an attempt has begun.
        self.begun = threading.Event()
        #: Set when an attempt was cancelled.
        self.was_cut = threading.Event()
        self._opened: Future[None] = Future()

        @executor(name)
        async def wait(inputs: dict[str, Any], context: Any) -> str:
            self.begun.set()
            try:
                await asyncio.shield(asyncio.wrap_future(self._opened))
            except asyncio.CancelledError:
                self.was_cut.set()
                raise
            return "through"

    def open(self) -> None:
        """Let all through, from now on."""
        self._opened.set_result(None)

    async def wait_until_begun(self) -> None:
        """Return when an attempt has begun."""
        assert await asyncio.to_thread(self.begun.wait, LIMIT_SECONDS), "nothing began"


async def until_ended(events: AsyncIterator[TreeEvent], task_id: str) -> None:
    """Return when a task has ended that was started."""
    async with asyncio.timeout(LIMIT_SECONDS):
        async for event in events:
            if isinstance(event, TaskEnded) and event.task.id == task_id:
                return
    raise AssertionError(f"the tree ended without {task_id}")


def made(session: Session, *tasks: Mapping[str, Any], **beside: Any) -> TaskTrees:
    """Return the drafts of an array; a task that names no executor is a `noop`."""
    listed = [
        {"executor": "noop", **task} if "executor" not in beside.get("defaults", {}) else task
        for task in tasks
    ]
    return asyncio.run(TaskCreator(session).create_task_trees_from_array(listed, **beside))


def ran(
    session: Session, *tasks: Mapping[str, Any], strict_priority: bool = False, **beside: Any
) -> dict[str, Task]:
    """Run an array to its end, and return its tasks by their ids."""
    trees = made(session, *tasks, **beside)
    manager = TaskManager(session)
    asyncio.run(manager.distribute_task_tree(trees, strict_priority=strict_priority))
    return {task.id: task for task in trees.tasks()}


def refusals(session: Session, *tasks: Mapping[str, Any], **beside: Any) -> tuple[Problem, ...]:
    """Return what is wrong with an array, of which nothing may be left, neither drafts nor tree."""
    before = len(session.drafts)
    with pytest.raises(InvalidTaskArray) as raised:
        ran(session, *tasks, **beside)
    assert len(session.drafts) == before
    return raised.value.errors


def ended_as(task: Task) -> tuple[str, str | None, str | None]:
    """Return the status of a task with the code and the cause of its error."""
    error = task.error
    return (task.status.value, None, None) if error is None else (
        task.status.value, error.code.value, error.cause,
    )  # fmt: skip


def start_order(tasks: Mapping[str, Task]) -> list[str]:
    """Return the ids of the tasks that were started, in the order of their newest starts."""
    started = {task.id: task.start_seq for task in tasks.values() if task.start_seq is not None}
    return sorted(started, key=lambda task_id: started[task_id])
