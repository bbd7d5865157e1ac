"""Long, deep, wide and many, through the Python API."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import TaskCreator, TaskManager, TaskTreeNode, create_session

from .api_trees import LIMIT_SECONDS, Gate, ended_as, ran, start_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd import Session, Task


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with create_session() as session:
        yield session


def chain(count: int, *, first: str = "noop") -> list[dict[str, Any]]:
    """Return the tasks of a chain; only the first one may be no no-op."""
    return [
        {"id": f"t{n}", "dependencies": [f"t{n - 1}"]} if n else {"id": "t0", "executor": first}
        for n in range(count)
    ]


def test_a_chain_of_2_000_drafts_runs_in_order_made_from_its_end(session: Session) -> None:
    """Expected: the last draft starts first; nodes nested 2,000 deep; nothing recurses."""
    count = 2_000

    async def main() -> tuple[TaskTreeNode, list[Task]]:
        manager = TaskManager(session)
        create = manager.task_repository.create_task
        tasks = [
            await create(
                id=f"d{n}",
                executor="noop",
                dependencies=[f"d{n + 1}"] if n + 1 < count else [],
            )
            for n in range(count)
        ]
        root = node = TaskTreeNode(tasks[0])
        for task in tasks[1:]:
            below = TaskTreeNode(task)
            node.add_child(below)
            node = below
        await manager.distribute_task_tree(root)
        return root, tasks

    root, tasks = asyncio.run(main())

    assert start_order({task.id: task for task in tasks}) == [
        f"d{n}" for n in reversed(range(count))
    ]
    assert (root.calculate_status(), root.calculate_progress()) == ("completed", 1.0)
    assert len(root) == count
    assert [task.parent_id for task in tasks[:3]] == [None, "d0", "d1"]
    again = asyncio.run(TaskCreator(session).create_task_tree_from_array(root.to_array()))
    assert again.to_array() == root.to_array()
    session.drafts.forget(session.drafts.all())


def test_a_chain_of_10_000_runs_to_its_end(session: Session) -> None:
    """Expected: each starts after the one before it has ended, 10,000 times."""
    count = 10_000
    tasks = ran(session, *chain(count))

    assert start_order(tasks) == [f"t{n}" for n in range(count)]
    assert {task.status for task in tasks.values()} == {"completed"}


def test_a_failure_reaches_the_end_of_a_chain_of_10_000(session: Session) -> None:
    """Expected: 9,999 are skipped for the first one, and the fallback at the far end runs."""
    count = 10_000
    tasks = ran(
        session,
        *chain(count, first="behave-refuse"),
        {"id": "fallback", "dependencies": [{"id": f"t{count - 1}", "on": "failure"}]},
    )

    assert ended_as(tasks.pop("t0")) == ("failed", "exception", None)
    assert ended_as(tasks.pop("fallback")) == ("completed", None, None)
    assert {ended_as(task) for task in tasks.values()} == {("skipped", "dependency_failed", "t0")}


def test_2_000_meet_in_one_and_go_apart_again(session: Session) -> None:
    """Expected: the one in the middle starts after all before it and before all after it."""
    before = [{"id": f"b{n}", "dependencies": ["root"]} for n in range(2_000)]
    after = [{"id": f"a{n}", "dependencies": ["middle"]} for n in range(2_000)]
    tasks = ran(
        session,
        *after,
        {"id": "middle", "dependencies": [str(task["id"]) for task in before]},
        *before,
        {"id": "root"},
    )
    order = start_order(tasks)

    assert (order[0], order[2_001]) == ("root", "middle")
    assert len(order) == 4_002


def test_1_000_trees_at_once_all_end(session: Session) -> None:
    """Expected: each caller gets its own tree back with its own result."""

    async def one(number: int) -> tuple[int, object]:
        tree = await TaskCreator(session).create_task_tree_from_array(
            [
                {"id": "a", "executor": "behave-answer", "inputs": {"value": number}},
            ]
        )
        assert await TaskManager(session).distribute_task_tree(tree) is tree
        return number, tree.task.result

    async def main() -> list[tuple[int, object]]:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await asyncio.gather(*(one(number) for number in range(1_000)))

    results = asyncio.run(main())

    assert results == [(number, number) for number in range(1_000)]
    gc.collect()
    assert len(session.drafts) == 0


GATE = Gate("behave-hold")


def test_two_sessions_run_beside_each_other_with_places_of_their_own() -> None:
    """Expected: the first one's one place is taken, and the second one runs all the same."""

    async def main() -> None:
        with create_session(async_places=1) as first, create_session(async_places=1) as second:
            held = await TaskCreator(first).create_task_tree_from_array(
                [{"id": "same", "executor": "behave-hold"}]
            )
            quick = await TaskCreator(second).create_task_tree_from_array(
                [{"id": "same", "executor": "behave-answer", "inputs": {"value": 2}}]
            )
            running = asyncio.create_task(TaskManager(first).distribute_task_tree(held))
            await GATE.wait_until_begun()
            await TaskManager(second).distribute_task_tree(quick)
            seen = held.task.status, quick.task.status, quick.task.result
            GATE.open()
            await running

            assert seen == ("in_progress", "completed", 2)
            assert held.task.result == "through"
            assert held.task != quick.task

    asyncio.run(main())
