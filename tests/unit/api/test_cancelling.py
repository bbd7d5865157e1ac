"""Cancelling trees and tasks: by `cancel`, and by cancelling who awaits the tree."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import Conflict, NotFound, TaskEnded, TaskManager, TreeEnded, create_session
from inboxd.store.driver import sqlite_module

from .steered import all_of, eventually, gates, is_reached, noops, reached, trees_of, words

if TYPE_CHECKING:
    from inboxd import Session, TaskTrees

FUNCTIONS = Path(__file__).parents[2] / "integration" / "functions"


def held(gate: str, executor: str = "steered_async", task_id: str = "held") -> dict[str, Any]:
    """Return a task that runs until it is cancelled."""
    return {"id": task_id, "executor": executor, "inputs": {"gate": gate}}


async def running(manager: TaskManager, trees: TaskTrees, gate: str) -> asyncio.Task[TaskTrees]:
    """Distribute; return when an attempt is at its gate."""
    runs = asyncio.ensure_future(manager.distribute_task_tree(trees))
    await is_reached(gate)
    await asyncio.sleep(0)
    return runs


@pytest.mark.parametrize("kind", ["async", "thread", "command", "process"])
def test_a_tree_that_runs_is_cancelled_with_its_caller(tmp_path: Path, kind: str) -> None:
    # Expected: what runs, what waits, and what would come after the end are all cancelled.
    mark = tmp_path / "runs"
    tasks: dict[str, dict[str, Any]] = {
        "async": held("caller async"),
        "thread": held("caller thread", "steered_gate"),
        "command": {
            "id": "held",
            "executor": "command",
            "inputs": {"script": f"trap '' TERM; : >{mark}; while :; do sleep 1; done"},
        },
        "process": {
            "id": "held",
            "executor": "python",
            "params": {"function": "inboxd_sample_functions:work"},
            "inputs": {"seconds": 600},
        },
    }
    settings = {
        "executors.python.allow": ["inboxd_sample_functions:work"],
        "executors.python.path": [str(FUNCTIONS)],
    }

    async def run() -> None:
        with create_session(grace=0.1, settings=settings) as session:
            manager = TaskManager(session)
            trees = await trees_of(
                session,
                tasks[kind],
                {"id": "next", "executor": "noop", "dependencies": ["held"]},
                {"id": "cleanup", "executor": "noop"}
                | {"dependencies": [{"id": "held", "on": "end"}]},
            )
            events = manager.events(trees)
            runs = asyncio.ensure_future(manager.distribute_task_tree(trees))
            await anext(events)
            if kind == "command":
                async with asyncio.timeout(60):
                    while not mark.exists():  # noqa: ASYNC110 - the shell tells nobody else
                        await asyncio.sleep(0.01)
            runs.cancel()
            with pytest.raises(asyncio.CancelledError):
                await runs

            # The request is committed: what is not in progress is cancelled.
            assert [task.status for task in trees.tasks()][1:] == ["cancelled", "cancelled"]
            assert await manager.wait(trees) == "cancelled"
            tasks_ended = [task for task in trees.tasks() if task.ended_at is not None]
            assert [(task.status, task.error and task.error.code) for task in tasks_ended] == [
                ("cancelled", "cancelled")
            ] * 3
            rest = await all_of(events)
            assert words(rest) == [
                "TaskEnded held",
                "TaskEnded next",
                "TaskEnded cleanup",
                "TreeEnded",
            ]
            assert isinstance(rest[0], TaskEnded)
            assert rest[0].outcome is not None
            assert rest[0].outcome.status == "cancelled"

    asyncio.run(run())


def test_timeouts_and_task_groups_cancel_trees(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        first = await trees_of(session, held("timeout"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await manager.distribute_task_tree(first)
        second = await trees_of(session, held("group"))

        async def fail_beside() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(manager.distribute_task_tree(second))
                await is_reached("group")
                raise ZeroDivisionError

        with pytest.raises(ExceptionGroup) as failed:
            await fail_beside()

        assert failed.group_contains(ZeroDivisionError)
        assert await manager.wait(first) == "cancelled"
        assert await manager.wait(second) == "cancelled"

    asyncio.run(run())


def test_a_second_cancellation_takes_nothing_back(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(session, held("twice"))
        runs = await running(manager, trees, "twice")
        runs.cancel()
        await asyncio.sleep(0)
        runs.cancel()
        with pytest.raises(asyncio.CancelledError):
            await runs

        assert await manager.wait(trees) == "cancelled"

    asyncio.run(run())


@pytest.mark.parametrize("steps", [0, 1, 2, 4, 8, 16])
def test_a_cancellation_while_it_is_accepted_leaves_drafts_or_a_cancelled_tree(
    session: Session, steps: int
) -> None:
    # Expected wherever the threads are by then.
    gate = f"accepted {steps}"

    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(session, held(gate), *noops(3))
        events = manager.events(trees)
        runs = asyncio.ensure_future(manager.distribute_task_tree(trees))
        await asyncio.sleep(0)
        for _ in range(steps):
            await asyncio.to_thread(noops, 1)
        runs.cancel()
        with pytest.raises(asyncio.CancelledError):
            await runs

        if trees[0].task.is_draft:
            # Nothing of it is left, and it can be distributed again.
            assert session._reader.list_trees() == []
            with pytest.raises(Conflict, match="before it was accepted"):
                await anext(events)
            assert not reached[gate].is_set()
            again = await running(manager, trees, gate)
            again.cancel()
            with pytest.raises(asyncio.CancelledError):
                await again
        else:
            ended = (await all_of(events))[-1]
            assert isinstance(ended, TreeEnded)
            assert ended.status == "cancelled"
        assert await manager.wait(trees) == "cancelled"
        assert {task.status for task in trees.tasks()} <= {"cancelled", "completed"}

    asyncio.run(run())


@pytest.mark.parametrize("waits", [1, 2, 3], ids=["checked", "accepted", "run"])
def test_a_coroutine_that_is_thrown_away_cancels_its_tree(session: Session, waits: int) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(session, held(f"thrown {waits}"))
        distributes = manager.distribute_task_tree(trees)
        # As a caller that is no task drives it: it is checked, accepted, run.
        for _ in range(waits - 1):
            waiter: Any = distributes.send(None)
            # The loop asks a task that waits to say so.
            waiter._asyncio_future_blocking = False
            await asyncio.wait([waiter])
        distributes.send(None)
        distributes.close()
        await eventually(session, is_over)

    def is_over() -> bool:
        return all(tree.status == "cancelled" for tree in session._reader.list_trees())

    asyncio.run(run())

    # Whether one that was on its way is withdrawn or cancelled is up to the threads.
    left = len(session._reader.list_trees())
    assert left in {1: (0,), 2: (0, 1), 3: (1,)}[waits]


def test_cancel_of_a_task_decides_the_edges_of_what_comes_after(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session,
            held("one", "steered_gate"),
            {"id": "pending", "executor": "noop", "dependencies": ["held"]},
            {"id": "after", "executor": "noop", "dependencies": ["pending"]},
            {"id": "anyway", "executor": "noop"}
            | {"dependencies": [{"id": "pending", "on": "end"}]},
        )
        runs = await running(manager, trees, "one")
        pending = trees.find("pending")
        assert pending is not None
        await manager.cancel(pending.task)
        # Expected at once: it was not in progress.
        assert pending.task.status == "cancelled"
        with pytest.raises(Conflict, match="nothing to cancel"):
            await manager.cancel(pending.task)
        gates["one"].set()
        await runs

        statuses = {task.id: task.status for task in trees.tasks()}
        assert statuses == {
            "held": "completed",
            "pending": "cancelled",
            "after": "skipped",
            "anyway": "completed",
        }
        assert trees.calculate_status() == "cancelled"
        with pytest.raises(Conflict, match="it has ended"):
            await manager.cancel(trees)

    asyncio.run(run())


def test_trees_and_tasks_are_named_by_handles_and_ids(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        for number, by in enumerate(("node", "trees", "tree id", "task", "path", "id")):
            task_id = f"held-{by}".replace(" ", "-")
            trees = await trees_of(session, held(f"named {number}", task_id=task_id))
            with pytest.raises(Conflict, match="is a draft"):
                await manager.cancel(trees)
            runs = await running(manager, trees, f"named {number}")
            task = trees[0].task
            named: dict[str, Any] = {
                "node": trees[0],
                "trees": trees,
                "tree id": task.tree_id,
                "task": task,
                "path": f"{task.tree_id}/{task_id}",
                "id": task_id,
            }
            await manager.cancel(named[by])
            await runs

            assert task.status == "cancelled"
            assert task.error is not None
            assert task.error.message == "cancelled"
        with pytest.raises(NotFound):
            await manager.cancel("no such id")
        with pytest.raises(NotFound, match='no task "hold"'):
            await manager.cancel(f"{task.tree_id}/hold")
        with pytest.raises(NotFound, match="no tree of this session"):
            await manager.wait(task_id)
        with pytest.raises(TypeError, match="the id of a tree is meant"):
            await manager.wait(task)  # type: ignore[arg-type]

    asyncio.run(run())


def test_wait_is_for_others_and_cancels_nothing(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(session, held("others", "steered_gate"))
        runs = await running(manager, trees, "others")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await manager.wait(trees)
        assert session.watch._ends.keys() == {trees[0].task.tree_id}
        waits = [asyncio.ensure_future(manager.wait(trees)) for _ in range(2)]
        gates["others"].set()

        assert [await wait for wait in waits] == ["completed", "completed"]
        await runs
        assert await manager.wait(trees) == "completed"
        assert session.watch._ends == {}
        assert isinstance((await all_of(manager.events(trees)))[-1], TreeEnded)

    asyncio.run(run())


def test_a_cancellation_goes_on_though_the_store_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Expected: who waits is free after our patience, and the tree is cancelled when it can be.
    monkeypatch.setattr("inboxd.api.awaiting._PATIENCE_SECONDS", 0.2)
    database = tmp_path / "x.db"

    async def run() -> None:
        with create_session(f"sqlite:///{database}", grace=0.1) as session:
            manager = TaskManager(session)
            trees = await trees_of(session, held("unwritable"))
            runs = await running(manager, trees, "unwritable")
            other = sqlite_module().connect(str(database), isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            runs.cancel()
            async with asyncio.timeout(60):
                with pytest.raises(asyncio.CancelledError):
                    await runs
            other.execute("ROLLBACK")
            other.close()
            async with asyncio.timeout(60):
                assert await manager.wait(trees) == "cancelled"

    asyncio.run(run())
