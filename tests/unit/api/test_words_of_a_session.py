"""Messages that the daemon has too are right for a program without daemon and settings file."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import (
    Conflict,
    StoreError,
    TaskContext,
    TaskCreator,
    TaskManager,
    TaskTreeNode,
    create_session,
    executor,
)

if TYPE_CHECKING:
    from pathlib import Path

    from inboxd import Session, Task


@executor("words-return")
def give_back(inputs: dict[str, Any], context: object) -> Any:
    return inputs["value"]


def run(session: Session, **fields: Any) -> Task:
    async def distribute() -> Task:
        manager = TaskManager(session)
        task = await manager.task_repository.create_task(name="a", **fields)
        await manager.distribute_task_tree(TaskTreeNode(task))
        return task

    return asyncio.run(distribute())


def test_what_has_ended_is_retried_by_no_command(session: Session) -> None:
    task = run(session, executor="noop")
    with pytest.raises(Conflict) as caught:
        asyncio.run(TaskManager(session).cancel(task))

    assert str(caught.value).endswith("nothing to cancel; retry it to make it run again")


def test_a_result_over_the_bound_names_the_setting() -> None:
    with create_session(max_result_bytes=1024) as session:
        task = run(session, executor="words-return", inputs={"value": "x" * 2_000})

    assert task.error is not None
    assert "the setting run.max_result_bytes allows 1,024" in task.error.message


def test_a_store_that_is_of_another_program_names_no_table_of_settings(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE theirs (id)")
    with pytest.raises(StoreError) as caught:
        create_session(f"sqlite:///{file}")

    assert "give inboxd a file of its own" in str(caught.value)
    assert "[store]" not in str(caught.value)


@executor("words-dependencies")
def give_dependencies(inputs: dict[str, Any], context: TaskContext) -> Any:
    return context.dependencies


def test_the_results_of_dependencies_are_a_result(session: Session) -> None:
    array: list[dict[str, Any]] = [
        {"id": "a", "executor": "words-return", "inputs": {"value": [1]}},
        {"id": "b", "executor": "words-dependencies", "dependencies": ["a"], "parent_id": "a"},
    ]

    async def distribute() -> Any:
        tree = await TaskCreator(session).create_task_tree_from_array(array)
        await TaskManager(session).distribute_task_tree(tree)
        return tree.children[0].task.result

    assert asyncio.run(distribute()) == {"a": [1]}
