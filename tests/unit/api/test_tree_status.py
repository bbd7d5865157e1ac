"""`calculate_status` and `calculate_progress` against what the store says of the same tree."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inboxd import NoRetry, TaskCreator, TaskManager, TaskStatus, create_session, executor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd import Session, TaskTrees


@executor("status_break")
async def status_break(inputs: dict[str, Any], context: object) -> None:
    """Fail at once."""
    raise NoRetry("broken")


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    """A session for all examples."""
    with create_session() as session:
        yield session


@st.composite
def arrays(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw tasks that complete or fail, with edges of all kinds."""
    tasks: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 6))):
        edges = st.fixed_dictionaries(
            {
                "id": st.sampled_from([f"t{before}" for before in range(number)] or ["-"]),
                "on": st.sampled_from(["success", "failure", "end"]),
            }
        )
        tasks.append(
            {
                "id": f"t{number}",
                "executor": draw(st.sampled_from(["noop", "status_break"])),
                "allow_failure": draw(st.booleans()),
                "join": draw(st.sampled_from(["all", "any"])),
                "dependencies": draw(st.lists(edges, max_size=2 if number else 0)),
            }
        )
    return tasks


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(arrays())
def test_a_tree_that_ended_has_the_status_that_the_store_has(
    shared: Session, array: list[dict[str, Any]]
) -> None:
    trees = asyncio.run(TaskCreator(shared).create_task_trees_from_array(array))
    asyncio.run(TaskManager(shared).distribute_task_tree(trees))
    tasks = list(trees.tasks())
    assert tasks[0].tree_id is not None
    stored = shared._reader.tree(tasks[0].tree_id)

    assert stored is not None
    assert trees.calculate_status() is stored.status
    assert trees.calculate_progress() == 1.0
    for status in TaskStatus:
        counted = sum(task.status is status for task in tasks)
        assert counted == getattr(stored.counts, status.value)


def test_work_that_is_left_shows(shared: Session) -> None:
    goes_on = threading.Event()
    started = threading.Event()

    @executor("status_wait")
    def status_wait(inputs: object, context: object) -> None:
        started.set()
        goes_on.wait(60)

    array: list[dict[str, Any]] = [
        {"id": "first", "executor": "noop"},
        {"id": "bad", "executor": "status_break", "dependencies": ["first"]},
        {
            "id": "wait",
            "executor": "status_wait",
            "dependencies": [{"id": "bad", "on": "failure"}],
        },
        {"id": "last", "executor": "noop", "dependencies": ["wait"]},
    ]
    trees = asyncio.run(TaskCreator(shared).create_task_trees_from_array(array))

    async def run() -> tuple[TaskStatus, TaskStatus, float]:
        before = trees.calculate_status()
        async with asyncio.TaskGroup() as group:
            group.create_task(_distribute(shared, trees))
            await asyncio.to_thread(started.wait, 60)
            meanwhile = trees.calculate_status()
            progress = trees.calculate_progress()
            goes_on.set()
        return before, meanwhile, progress

    assert asyncio.run(run()) == (TaskStatus.PENDING, TaskStatus.IN_PROGRESS, 0.5)
    assert trees.calculate_status() is TaskStatus.FAILED


async def _distribute(session: Session, trees: TaskTrees) -> None:
    await TaskManager(session).distribute_task_tree(trees)
