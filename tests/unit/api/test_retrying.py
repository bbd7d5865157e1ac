"""`TaskManager.retry`: what runs again of a tree and after a task, and what is refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import Conflict, NoRetry, TaskEnded, TaskManager, create_session, executor
from inboxd.plugins import registered

from .steered import all_of, gates, is_reached, mended, noops, reached, trees_of, words

if TYPE_CHECKING:
    from pathlib import Path

    from inboxd import Session, TreeEvent


def broken(key: str) -> list[dict[str, Any]]:
    """Return a tree one of whose tasks fails until it is mended."""
    return [
        {"id": "kept", "executor": "noop"},
        {"id": "broken", "executor": "steered_fails", "inputs": {"key": key}}
        | {"dependencies": ["kept"]},
        {"id": "after", "executor": "noop", "dependencies": ["broken"]},
    ]


def test_a_retry_runs_what_failed_and_what_comes_after_it(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(session, *broken("tree"))
        await manager.distribute_task_tree(trees)
        assert [task.status for task in trees.tasks()] == ["completed", "failed", "skipped"]
        kept_at = trees[0].task.ended_at
        # It fails again, and the tree ends again.
        assert await manager.retry(trees) == "failed"
        assert [task.attempts for task in trees.tasks()] == [1, 2, 0]

        mended.add("tree")
        seen: list[TreeEvent] = []
        assert await manager.retry(trees, on_event=seen.append) == "completed"
        assert [task.status for task in trees.tasks()] == ["completed"] * 3
        assert [task.attempts for task in trees.tasks()] == [1, 3, 1]
        assert [task.result for task in trees.tasks()][1] == 3
        assert trees[0].task.ended_at == kept_at
        # What was kept is told first, as of any tree that runs already.
        assert words(seen) == [
            "TaskEnded kept",
            "TaskStarted broken",
            "TaskEnded broken",
            "TaskStarted after",
            "TaskEnded after",
            "TreeEnded",
        ]
        with pytest.raises(Conflict, match="nothing to retry"):
            await manager.retry(trees)

    asyncio.run(run())


def test_a_task_that_completed_runs_again_with_all_after_it(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session,
            *noops(1),
            {"id": "again", "executor": "noop", "dependencies": ["t0"]},
            {"id": "after", "executor": "noop", "dependencies": ["again"]},
        )
        await manager.distribute_task_tree(trees)
        again = trees.find("again")
        assert again is not None
        assert await manager.retry(again.task) == "completed"
        assert [task.attempts for task in trees.tasks()] == [1, 2, 2]
        assert await manager.retry(f"{again.task.tree_id}/after") == "completed"
        assert [task.attempts for task in trees.tasks()] == [1, 2, 3]

    asyncio.run(run())


def test_a_tree_that_was_cancelled_runs_to_its_end(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session,
            {"id": "held", "executor": "steered_gate", "inputs": {"gate": "cancelled"}},
            {"id": "next", "executor": "noop", "dependencies": ["held"]},
        )
        runs = asyncio.ensure_future(manager.distribute_task_tree(trees))
        await is_reached("cancelled")
        await manager.cancel(trees)
        await runs
        assert trees.calculate_status() == "cancelled"
        gates["cancelled"].set()
        assert await manager.retry(trees) == "completed"
        assert [task.attempts for task in trees.tasks()] == [2, 1]
        assert [task.error for task in trees.tasks()] == [None, None]

    asyncio.run(run())


def test_a_retry_may_be_asked_for_and_not_waited_for(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session,
            {"id": "held", "executor": "steered_gate", "inputs": {"gate": "at once"}},
            {"id": "broken", "executor": "steered_fails", "inputs": {"key": "at once"}},
        )
        gates["at once"].set()
        await manager.distribute_task_tree(trees)
        gates["at once"].clear()
        reached["at once"].clear()
        with pytest.raises(ValueError, match="wait=False"):
            await manager.retry(trees, wait=False, on_event=print)
        assert await manager.retry(trees[0].task, wait=False) == "in_progress"
        await is_reached("at once")

        # Expected: what would be set back is in progress.
        with pytest.raises(Conflict, match="in progress"):
            await manager.retry(trees[0].task)
        # The other one can be retried meanwhile; the tree has not ended.
        mended.add("at once")
        events = manager.events(trees)
        assert await manager.retry(trees[1].task, wait=False) == "in_progress"
        gates["at once"].set()
        assert await manager.wait(trees) == "completed"
        seen = await all_of(events)
        assert words(seen)[-1] == "TreeEnded"
        ended = [event for event in seen if isinstance(event, TaskEnded)]
        assert {(event.task.id, event.attempt.number) for event in ended if event.attempt} >= {
            ("held", 2),
            ("broken", 2),
        }

    asyncio.run(run())


def test_of_two_retries_at_once_one_is_refused(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(session, *broken("two"))
        await manager.distribute_task_tree(trees)
        mended.add("two")
        ends = await asyncio.gather(
            *(manager.retry(trees) for _ in range(2)), return_exceptions=True
        )

        assert [isinstance(end, Conflict) for end in ends].count(True) == 1
        assert "completed" in ends
        assert [task.attempts for task in trees.tasks()] == [1, 2, 1]

    asyncio.run(run())


def test_a_retry_whose_wait_is_cancelled_is_cancelled(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session, {"id": "held", "executor": "steered_async", "inputs": {"gate": "wait"}}
        )
        runs = asyncio.ensure_future(manager.distribute_task_tree(trees))
        await is_reached("wait")
        await manager.cancel(trees)
        await runs
        for is_asked_only in (True, False):
            reached["wait"].clear()
            again = asyncio.ensure_future(manager.retry(trees))
            await asyncio.sleep(0)
            if not is_asked_only:
                await is_reached("wait")
            again.cancel()
            with pytest.raises(asyncio.CancelledError):
                await again

            assert await manager.wait(trees) == "cancelled"

    asyncio.run(run())


def test_a_tree_that_an_earlier_session_left_is_run_by_a_retry(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    found: dict[str, str | None] = {}

    async def leave() -> None:
        with create_session(url) as session:
            manager = TaskManager(session)
            trees = await trees_of(
                session,
                {"id": "first", "executor": "steered_gate", "inputs": {"gate": "left"}},
                {"id": "second", "executor": "noop", "dependencies": ["first"]},
            )
            runs = asyncio.ensure_future(manager.distribute_task_tree(trees))
            await is_reached("left")
            await asyncio.sleep(0)
            found["tree"] = trees[0].task.tree_id
        with pytest.raises(Exception, match="closed"):
            await runs

    async def take_up() -> None:
        gates["left"].set()
        tree_id = found["tree"]
        assert tree_id is not None
        with create_session(url) as session:
            manager = TaskManager(session)
            events = manager.events(tree_id)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await anext(events)  # nothing runs by itself
            assert await manager.retry(tree_id) == "completed"
            assert words(await all_of(events)) == [
                "TaskStarted first",
                "TaskEnded first",
                "TaskStarted second",
                "TaskEnded second",
                "TreeEnded",
            ]

    asyncio.run(leave())
    asyncio.run(take_up())


def test_a_retry_takes_the_executors_as_they_are_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'kept.db'}"

    @executor("retried_thing")
    def broken_thing(inputs: dict[str, Any], context: Any) -> str:
        raise NoRetry("broken")

    async def run() -> None:
        with create_session(url) as session:
            manager = TaskManager(session)
            trees = await trees_of(session, {"id": "thing", "executor": "retried_thing"})
            await manager.distribute_task_tree(trees)
            task = trees[0].task
            assert task.status == "failed"
            monkeypatch.delitem(registered._executors, "retried_thing")
        with create_session(url) as session:
            manager = TaskManager(session)
            # Without it the tree would wait for ever.
            with pytest.raises(Conflict, match='nobody offers executor "retried_thing"'):
                await manager.retry(f"{task.tree_id}")

            @executor("retried_thing")
            def mended_thing(inputs: dict[str, Any], context: Any) -> str:
                return "mended"

            assert await manager.retry(f"{task.tree_id}/thing") == "completed"

    asyncio.run(run())
