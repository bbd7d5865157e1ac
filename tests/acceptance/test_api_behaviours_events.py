"""The order of events, and callers that are slow, late or broken, through the Python API."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import (
    AttemptEnded,
    Conflict,
    NoRetry,
    TaskEnded,
    TaskManager,
    TaskProgress,
    TaskStarted,
    TreeEnded,
    create_session,
    executor,
)

from .api_trees import LIMIT_SECONDS, made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd import Session, TaskContext, TreeEvent


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with create_session(places=1, async_places=1) as session:
        yield session


@executor("behave-fail-once")
async def fail_once(inputs: dict[str, Any], context: TaskContext) -> None:
    if context.attempt == 1:
        raise RuntimeError("once")


TREE: list[dict[str, Any]] = [
    {"id": "a"},
    {"id": "b", "executor": "behave-fail-once", "dependencies": ["a"],
     "retry": {"limit": 1, "delay": 0}},
    {"id": "c", "executor": "behave-refuse", "dependencies": ["b"]},
    {"id": "d", "dependencies": ["c"]},
    {"id": "e", "dependencies": [{"id": "c", "on": "failure"}]},
]  # fmt: skip
#: With one place there is one order; who is skipped is told of last.
TOLD = [
    "a started 1",
    "a completed",
    "b started 1",
    "b tried again",
    "b started 2",
    "b completed",
    "c started 1",
    "c failed",
    "e started 1",
    "e completed",
    "d skipped",
    "tree failed",
]


def said(event: TreeEvent) -> str:
    match event:
        case TaskStarted():
            return f"{event.task.id} started {event.attempt.number}"
        case TaskProgress():
            return f"{event.task.id} progress {event.fraction}"
        case AttemptEnded():
            return f"{event.task.id} tried again"
        case TaskEnded():
            return f"{event.task.id} {event.status}"
        case TreeEnded():
            return f"tree {event.status}"


async def all_of(events: Any) -> list[str]:
    async with asyncio.timeout(LIMIT_SECONDS):
        return [said(event) async for event in events]


def test_events_come_in_the_order_of_what_happened_to_each_reader(session: Session) -> None:
    """Expected: the same twelve events for two readers and the callback."""
    trees = made(session, *TREE)
    manager = TaskManager(session)
    called: list[str] = []

    async def main() -> list[Any]:
        readers = [all_of(manager.events(trees)) for _ in range(2)]
        return await asyncio.gather(
            *readers,
            manager.distribute_task_tree(trees, on_event=lambda event: called.append(said(event))),
        )

    first, second, ended = asyncio.run(main())

    assert ended is trees
    assert first == second == called == TOLD


def test_a_callback_that_raises_stops_nothing(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """Expected: it is called for every event all the same, and each error is logged."""
    trees = made(session, *TREE)
    called: list[str] = []

    def broken(event: TreeEvent) -> None:
        called.append(said(event))
        raise LookupError("a bug of the caller's")

    asyncio.run(TaskManager(session).distribute_task_tree(trees, on_event=broken))

    assert called == TOLD
    logged = [record for record in caplog.records if record.name == "inboxd.api.callbacks"]
    assert len(logged) == len(TOLD)
    assert "LookupError: a bug of the caller's" in caplog.text


def test_who_comes_after_the_end_is_told_how_all_ended(session: Session) -> None:
    """Expected: the end of each task by position, then that of the tree."""
    trees = made(session, *TREE)
    manager = TaskManager(session)

    async def main() -> list[str]:
        await manager.distribute_task_tree(trees)
        return await all_of(manager.events(trees))

    assert asyncio.run(main()) == [
        "a completed",
        "b completed",
        "c failed",
        "d skipped",
        "e completed",
        "tree failed",
    ]


def test_a_reader_that_leaves_and_one_that_dawdles_hold_nothing_up(session: Session) -> None:
    """Expected: the tree ends while one has read a single event; it finds the rest after."""
    trees = made(session, *TREE)
    manager = TaskManager(session)

    async def main() -> list[str]:
        slow, leaving = manager.events(trees), manager.events(trees)
        running = asyncio.create_task(manager.distribute_task_tree(trees))
        first = said(await anext(slow))
        await anext(leaving)
        await leaving.aclose()
        async with asyncio.timeout(LIMIT_SECONDS):
            await running
        return [first, *await all_of(slow)]

    assert asyncio.run(main()) == TOLD


def test_an_event_shows_the_task_as_it_is_and_as_it_was(session: Session) -> None:
    """Expected: the handle is the caller's; the outcome carries result, error and times."""
    trees = made(
        session,
        {"id": "a", "executor": "behave-answer", "inputs": {"value": [1]}},
        {"id": "b", "executor": "behave-refuse"},
    )
    tasks = {task.id: task for task in trees.tasks()}
    ends: dict[str, TaskEnded] = {}

    def on_event(event: TreeEvent) -> None:
        if isinstance(event, TaskEnded):
            ends[event.task.id] = event

    asyncio.run(TaskManager(session).distribute_task_tree(trees, on_event=on_event))
    a, b = ends["a"], ends["b"]

    assert (a.task, b.task) == (tasks["a"], tasks["b"])
    assert a.outcome is not None
    assert a.outcome.result() == [1]
    assert (a.ended_at, a.error) == (tasks["a"].ended_at, None)
    assert b.error == tasks["b"].error
    assert b.attempt is not None
    assert b.attempt.start_seq == tasks["b"].start_seq


def test_events_of_a_retry_tell_first_what_was_kept(session: Session) -> None:
    """Expected: the ends of `a` and `b`, then what runs again, as it happens."""
    go_on = threading.Event()

    @executor("behave-fail-slowly")
    def fail_slowly(inputs: dict[str, Any], context: TaskContext) -> None:
        # The second time it runs until its start was told: what comes after it is news then.
        if context.attempt > 1:
            go_on.wait(LIMIT_SECONDS)
        raise NoRetry("as before")

    tree = [{**task, "executor": "behave-fail-slowly"} if task["id"] == "c" else task
            for task in TREE]  # fmt: skip
    trees = made(session, *tree)
    manager = TaskManager(session)
    called: list[str] = []

    def on_event(event: TreeEvent) -> None:
        called.append(said(event))
        if called[-1] == "c started 2":
            go_on.set()

    async def main() -> None:
        await manager.distribute_task_tree(trees)
        assert await manager.retry(trees, on_event=on_event) == "failed"

    asyncio.run(main())

    assert called == [
        "a completed",
        "b completed",
        "c started 2",
        "c failed",
        "e started 2",
        "e completed",
        "d skipped",
        "tree failed",
    ]


def test_what_ended_is_not_cancelled_and_what_completed_not_retried(session: Session) -> None:
    """Expected: `Conflict` for both, and nothing has changed."""
    trees = made(session, {"id": "a"})
    manager = TaskManager(session)
    (task,) = trees.tasks()

    async def main() -> None:
        with pytest.raises(Conflict):
            await manager.cancel(trees)
        await manager.distribute_task_tree(trees)
        for refused in (manager.cancel(trees), manager.cancel(task), manager.retry(trees)):
            with pytest.raises(Conflict):
                await refused
        # A single task that completed may be run again, on request.
        assert await manager.retry(task) == "completed"

    asyncio.run(main())

    assert task.attempts == 2
