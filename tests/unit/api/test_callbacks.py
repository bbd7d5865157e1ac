"""`on_event` of `distribute_task_tree`: called in the caller's task, in order, whatever it does."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

from inboxd import TaskEnded, TaskManager, TaskStarted, TreeEnded

from .steered import eventually, noops, trees_of, words

if TYPE_CHECKING:
    import pytest

    from inboxd import Session, TreeEvent


def test_a_callback_that_raises_is_logged_and_called_again(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[TreeEvent] = []

    def on_event(event: TreeEvent) -> None:
        seen.append(event)
        raise ZeroDivisionError(len(seen))

    async def run() -> None:
        trees = await trees_of(session, *noops(1))
        await TaskManager(session).distribute_task_tree(trees, on_event=on_event)

        assert trees.calculate_status() == "completed"

    with caplog.at_level(logging.ERROR, logger="inboxd.api"):
        asyncio.run(run())

    assert words(seen) == ["TaskStarted t0", "TaskEnded t0", "TreeEnded"]
    records = [record for record in caplog.records if record.name == "inboxd.api.callbacks"]
    assert [record.getMessage() for record in records] == [
        "on_event raised for TaskStarted; the tree runs on",
        "on_event raised for TaskEnded; the tree runs on",
        "on_event raised for TreeEnded; the tree runs on",
    ]
    assert records[0].exc_info is not None
    assert isinstance(records[0].exc_info[1], ZeroDivisionError)


def test_a_coroutine_is_awaited_event_by_event_in_the_caller(session: Session) -> None:
    seen: list[TreeEvent] = []

    async def run() -> None:
        caller, thread, inside = asyncio.current_task(), threading.current_thread(), 0

        async def on_event(event: TreeEvent) -> None:
            nonlocal inside
            inside += 1
            assert (inside, asyncio.current_task()) == (1, caller)
            assert threading.current_thread() is thread
            await asyncio.sleep(0)
            seen.append(event)
            inside -= 1

        trees = await trees_of(session, *noops(20))
        await TaskManager(session).distribute_task_tree(trees, on_event=on_event)

        assert sum(isinstance(event, TaskStarted) for event in seen) == 20
        assert sum(isinstance(event, TaskEnded) for event in seen) == 20
        assert isinstance(seen[-1], TreeEnded)

    asyncio.run(run())


def test_a_callback_that_is_slow_holds_no_task_up(session: Session) -> None:
    seen: list[TreeEvent] = []

    async def run() -> None:
        trees = await trees_of(
            session,
            {"id": "t0", "executor": "noop"},
            {"id": "t1", "executor": "noop", "dependencies": ["t0"]},
        )

        async def on_event(event: TreeEvent) -> None:
            if not seen:
                # It is in the first one still when all is over.
                await eventually(session, lambda: trees.calculate_status() == "completed")
            seen.append(event)

        await TaskManager(session).distribute_task_tree(trees, on_event=on_event)

        assert words(seen) == [
            "TaskStarted t0",
            "TaskEnded t0",
            "TaskStarted t1",
            "TaskEnded t1",
            "TreeEnded",
        ]

    asyncio.run(run())


def test_a_callback_may_cancel_its_tree(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session,
            {"id": "broken", "executor": "steered_fails"},
            {"id": "long", "executor": "steered_async", "inputs": {"gate": "callback"}},
        )

        async def on_event(event: TreeEvent) -> None:
            if isinstance(event, TaskEnded) and event.status == "failed":
                await manager.cancel(trees)

        await manager.distribute_task_tree(trees, on_event=on_event)

        assert [task.status for task in trees.tasks()] == ["failed", "cancelled"]

    asyncio.run(run())


def test_what_a_callback_awaits_may_be_cancelled_without_the_tree(session: Session) -> None:
    seen: list[TreeEvent] = []

    async def on_event(event: TreeEvent) -> None:
        seen.append(event)
        other = asyncio.ensure_future(asyncio.Event().wait())
        other.cancel()
        await other

    async def run() -> None:
        trees = await trees_of(session, *noops(1))
        await TaskManager(session).distribute_task_tree(trees, on_event=on_event)

    asyncio.run(run())

    assert words(seen) == ["TaskStarted t0", "TaskEnded t0", "TreeEnded"]
