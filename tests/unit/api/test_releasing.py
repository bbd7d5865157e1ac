"""`hold` and `TaskManager.release`: what waits for a person, in private stores and kept ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from inboxd import Conflict, NotFound, SessionClosed, TaskManager, create_session

from .steered import eventually, trees_of

if TYPE_CHECKING:
    from pathlib import Path

    from inboxd import Session, TaskTreeNode


def test_a_tree_waits_for_the_release_of_a_task(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session,
            {"id": "build", "executor": "noop"},
            {"id": "deploy", "executor": "noop", "dependencies": ["build"], "hold": True},
            {"id": "late", "executor": "noop", "dependencies": ["deploy"], "hold": True},
        )
        build, deploy, late = trees.tasks()
        with pytest.raises(Conflict, match="draft"):
            await manager.release(deploy)
        runs = asyncio.ensure_future(manager.distribute_task_tree(trees))
        await eventually(session, lambda: build.status == "completed")
        await manager.release(late)
        assert ([task.hold for task in trees.tasks()], deploy.status) == (
            [False, True, True], "pending"
        )  # fmt: skip
        with pytest.raises(Conflict, match="no `hold`"):
            await manager.release(build)
        with pytest.raises(Conflict, match="released already"):
            await manager.release(late)
        with pytest.raises(NotFound):
            await manager.release("nobody")
        with pytest.raises(ValueError, match="a task of it"):
            await manager.release(str(deploy.tree_id))
        assert not runs.done()
        await manager.release(f"{deploy.tree_id}/deploy")
        await runs
        assert [task.status for task in trees.tasks()] == ["completed"] * 3
        assert trees.to_array()[1] == {
            "id": "deploy", "executor": "noop", "dependencies": ["build"], "hold": True
        }  # fmt: skip

    asyncio.run(run())


def test_a_cancel_refuses_what_is_held(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        task = await manager.task_repository.create_task(name="noop", hold=True)
        tree: TaskTreeNode = await manager.task_repository.get_task_tree(task)  # type: ignore[assignment]
        runs = asyncio.ensure_future(manager.distribute_task_tree(tree))
        await eventually(session, lambda: not task.is_draft)
        await manager.cancel(task)
        await runs
        assert task.status == "cancelled"

    asyncio.run(run())


def test_a_release_is_kept_in_a_store_that_is_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"

    async def begin() -> str:
        with create_session(url) as session:
            manager = TaskManager(session)
            trees = await trees_of(
                session,
                {"id": "first", "executor": "noop", "hold": True},
                {"id": "then", "executor": "noop", "dependencies": ["first"], "hold": True},
            )
            runs = asyncio.ensure_future(manager.distribute_task_tree(trees))
            await eventually(session, lambda: not trees[0].task.is_draft)
            await manager.release(f"{trees[0].task.tree_id}/then")
        with pytest.raises(SessionClosed):
            await runs
        return str(trees[0].task.tree_id)

    async def go_on(tree: str) -> None:
        with create_session(url) as session:
            manager = TaskManager(session)
            # Nothing of a tree that is left over runs before a retry.
            await manager.release(f"{tree}/first")
            assert await manager.retry(tree) == "completed"

    asyncio.run(go_on(asyncio.run(begin())))
