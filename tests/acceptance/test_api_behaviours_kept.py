"""Two programs, one after the other, on one kept store: the first is killed in the middle."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import Conflict, TaskManager, create_session, executor

from .api_trees import ended_as, ran

if TYPE_CHECKING:
    from pathlib import Path

    from inboxd import Task, TaskContext

#: The first program. It is killed as soon as `cut` and `once` run, by the last of them.
FIRST = """
import asyncio, os, signal, sys, threading
from inboxd import TaskCreator, TaskManager, create_session, executor

together = threading.Barrier(2)

@executor("kept-work")
def work(inputs, context):
    if context.task_id in ("cut", "once"):
        together.wait(30)
        os.kill(os.getpid(), signal.SIGKILL)
    return context.task_id

async def main():
    with create_session(sys.argv[1], places=2) as session:
        trees = await TaskCreator(session).create_task_trees_from_array([
            {"id": "done", "executor": "kept-work"},
            {"id": "cut", "executor": "kept-work", "dependencies": ["done"], "retry": 3},
            {"id": "once", "executor": "kept-work", "dependencies": ["done"],
             "delivery": "at_most_once"},
            {"id": "needs", "executor": "kept-work", "dependencies": ["cut"]},
            {"id": "apart", "executor": "kept-work", "priority": 9, "dependencies": ["done"]},
            {"id": "later", "executor": "kept-work", "dependencies": ["apart"]},
        ], name="nightly")
        print(*(task.id for task in trees.tasks()), flush=True)
        await TaskManager(session).distribute_task_tree(trees)

asyncio.run(main())
"""


@executor("kept-work")
def work(inputs: dict[str, Any], context: TaskContext) -> str:
    """What the second program has under the same name."""
    return f"{context.task_id} again"


@pytest.fixture
def killed(tmp_path: Path) -> str:
    """The URL of a store whose program was killed while two of its six tasks ran."""
    (tmp_path / "first.py").write_text(FIRST)
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    ended = subprocess.run(
        [sys.executable, str(tmp_path / "first.py"), url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (-9, "")
    return url


async def found(manager: TaskManager) -> dict[str, Task]:
    return {task.id: task for task in await manager.task_repository.list_tasks()}


def test_what_a_killed_program_left_waits_for_a_retry_that_runs_it(killed: str) -> None:
    """Expected: cut work failed as `interrupted`, the rest pending; one retry runs both."""
    with create_session(killed, places=2) as session:
        manager = TaskManager(session)
        tasks = asyncio.run(found(manager))
        # If anything went on by itself it would before this has ended.
        ran(session, {"id": "other", "executor": "kept-work"})
        tree_id = tasks["done"].tree_id
        assert tree_id is not None
        left = {name: ended_as(task) for name, task in tasks.items()}
        status = asyncio.run(manager.retry(tree_id))
        ended = {name: (ended_as(task), task.result, task.attempts) for name, task in tasks.items()}

    completed, pending = ("completed", None, None), ("pending", None, None)
    interrupted = ("failed", "interrupted", None)
    assert left == {
        "done": completed,
        "cut": interrupted,
        "once": interrupted,
        "needs": pending,
        "apart": pending,
        "later": pending,
    }
    assert status == "completed"
    assert ended == {
        "done": (completed, "done", 1),
        "cut": (completed, "cut again", 2),
        "once": (completed, "once again", 2),
        "needs": (completed, "needs again", 1),
        "apart": (completed, "apart again", 1),
        "later": (completed, "later again", 1),
    }


def test_what_a_killed_program_left_can_be_cancelled_instead(killed: str) -> None:
    """Expected: what is pending is `cancelled`, what was cut stays `failed`; the tree failed."""
    with create_session(killed) as session:
        manager = TaskManager(session)
        tasks = asyncio.run(found(manager))
        tree_id = tasks["done"].tree_id
        assert tree_id is not None

        async def cancel() -> str:
            await manager.cancel(tree_id)
            return await manager.wait(tree_id)

        status = asyncio.run(cancel())
        ended = {name: task.status.value for name, task in tasks.items()}
        with pytest.raises(Conflict):
            asyncio.run(manager.cancel(tree_id))

    assert status == "failed"
    assert ended == {
        "done": "completed",
        "cut": "failed",
        "once": "failed",
        "needs": "cancelled",
        "apart": "cancelled",
        "later": "cancelled",
    }


def test_a_second_program_sees_what_the_first_one_finished(tmp_path: Path) -> None:
    """Expected: statuses, results, errors, attempts and times, from the store alone."""
    url = f"sqlite:///{tmp_path / 'kept.db'}"

    def states(tasks: dict[str, Task]) -> dict[str, Any]:
        return {
            name: (ended_as(task), task.result, task.attempts, task.started_at, task.ended_at,
                   task.dependencies, task.inputs, task.start_seq)
            for name, task in sorted(tasks.items())
        }  # fmt: skip

    with create_session(url) as session:
        first = states(
            ran(
                session,
                {"id": "a", "executor": "behave-answer", "inputs": {"value": {"é": [1, None]}}},
                {"id": "b", "executor": "behave-refuse", "dependencies": ["a"]},
                {"id": "c", "dependencies": ["b"]},
            )
        )
    with create_session(url) as session:
        second = states(asyncio.run(found(TaskManager(session))))

    assert first == second
    assert first["a"][:2] == (("completed", None, None), {"é": [1, None]})
    assert first["c"][0] == ("skipped", "dependency_failed", "b")
