"""`to_array` gives a tree as an array of which the same tree is made again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inboxd import Task, TaskCreator, TaskManager, TaskTreeNode, TaskTrees, create_session
from inboxd.api.entry import Place, TaskEntry
from inboxd.api.tree import linked
from inboxd.clock import from_micros
from inboxd.ids import new_id

from .random_arrays import arrays

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inboxd import Session


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    """A session for all examples: each makes drafts, or a tree, of its own."""
    with create_session() as session:
        yield session


def make(session: Session, array: list[dict[str, Any]]) -> TaskTrees:
    """Return the trees of an array."""
    return asyncio.run(TaskCreator(session).create_task_trees_from_array(array))


def shape(trees: TaskTrees) -> list[Any]:
    """Return how the nodes are nested."""
    return [(node.task.id, [child.task.id for child in node.children]) for node in trees.nodes()]


@settings(max_examples=50)
@given(arrays())
def test_an_array_of_a_tree_makes_the_same_tree(
    shared: Session, array: list[dict[str, Any]]
) -> None:
    first = make(shared, array)
    written = first.to_array()
    second = make(shared, written)

    assert second.to_array() == written
    assert shape(first) == shape(second)


@settings(max_examples=50)
@given(arrays())
def test_loose_drafts_are_written_as_those_of_an_array(
    shared: Session, array: list[dict[str, Any]]
) -> None:
    """`create_task` with these fields, and `create_task_trees_from_array`, make the same tree."""
    trees = make(shared, array)
    drafts = shared.drafts
    roots: list[TaskTreeNode] = []
    for task in array:
        fields = {key: value for key, value in task.items() if key != "id"}
        roots.append(TaskTreeNode(Task(drafts.add(task["id"], fields, group=new_id()))))

    assert TaskTrees(roots).to_array() == trees.to_array()


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(arrays(runs=True), st.booleans())
def test_a_tree_that_ran_is_written_as_its_drafts_were(
    shared: Session, array: list[dict[str, Any]], strict: bool
) -> None:
    trees = make(shared, array)
    before = trees.to_array()
    asyncio.run(TaskManager(shared).distribute_task_tree(trees, strict_priority=strict))

    assert trees.to_array() == before


def test_a_kept_store_that_is_opened_anew_has_the_same_arrays(tmp_path: Path) -> None:
    """In one store for all examples, so that it is opened twice only."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    written: dict[str, list[dict[str, Any]]] = {}

    with create_session(url) as session:

        @settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
        @given(arrays(runs=True))
        def fill(array: list[dict[str, Any]]) -> None:
            trees = make(session, array)
            before = trees.to_array()
            asyncio.run(TaskManager(session).distribute_task_tree(trees))
            written[str(trees[0].task.tree_id)] = before

        fill()
    with create_session(url) as session:
        read = {tree_id: of_the_store(session, tree_id).to_array() for tree_id in written}

    assert read == written


def of_the_store(session: Session, tree_id: str) -> TaskTrees:
    """Return handles of a tree that this session did not make."""
    reader = session._reader
    tree = reader.tree(tree_id)
    assert tree is not None
    nodes = [
        TaskTreeNode(
            Task(
                TaskEntry(
                    session,
                    view.id,
                    document={},
                    order=view.position,
                    created_at=from_micros(tree.received_at),
                    place=Place(tree.id, tree.number, view.number),
                )
            )
        )
        for view in reader.tree_tasks(tree)
    ]
    parents = dict(reader.tree_parents(tree))
    return TaskTrees(linked(nodes, [parents.get(position) for position in range(len(nodes))]))


def test_a_part_of_a_tree_keeps_its_edges(shared: Session) -> None:
    array: list[dict[str, Any]] = [
        {"id": "a", "executor": "noop"},
        {"id": "b", "executor": "noop", "parent_id": "a", "dependencies": ["a"]},
        {"id": "c", "executor": "noop", "parent_id": "b", "dependencies": ["b", "a"]},
    ]
    root = make(shared, array)[0]
    part = root.children[0]
    before = part.to_array()
    asyncio.run(TaskManager(shared).distribute_task_tree(root))

    assert before == [
        {"id": "b", "executor": "noop", "dependencies": ["a"]},
        {"id": "c", "parent_id": "b", "executor": "noop", "dependencies": ["b", "a"]},
    ]
    assert sorted(part.to_array()[1].pop("dependencies")) == ["a", "b"]


def test_an_array_of_a_tree_is_the_callers_own(shared: Session) -> None:
    trees = make(shared, [{"id": "a", "executor": "noop", "inputs": {"x": [1]}}])
    trees.to_array()[0]["inputs"]["x"].append(2)

    assert trees.to_array() == [{"id": "a", "executor": "noop", "inputs": {"x": [1]}}]


def test_fields_have_one_form(shared: Session) -> None:
    written = make(
        shared,
        [
            {
                "id": "a",
                "name": "a",
                "executor": "x",
                "params": {"executor_id": "x"},
                "priority": 2,
                "retry": {"limit": 2, "delay": "1s", "max_delay": "5m"},
                "timeout": "1m",
                "not_before": "2026-11-24T11:00:00+01:00",
                "hold": True,
                "user_id": None,
                "metadata": {},
            },
            {
                "id": "b",
                "executor": "b",
                "retry": {"limit": 1, "delay": 600},
                "join": "all",
                "hold": False,
            },
        ],
    ).to_array()

    assert written == [
        {
            "id": "a",
            "params": {"executor_id": "x"},
            "retry": 2,
            "timeout": 60,
            "not_before": "2026-11-24T10:00:00.000000Z",
            "hold": True,
        },
        {"id": "b", "retry": {"limit": 1, "delay": 600}},
    ]
