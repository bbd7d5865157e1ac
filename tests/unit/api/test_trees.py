"""`TaskTreeNode` and `TaskTrees` by themselves: nesting, passes over all nodes, text."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import Task, TaskCreator, TaskManager, TaskStatus, TaskTreeNode, TaskTrees, executor
from inboxd.api.tree import linked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd import Session


def node(session: Session, task_id: str) -> TaskTreeNode:
    """Return a node of a new draft."""
    task = asyncio.run(
        TaskManager(session).task_repository.create_task(id=task_id, name=task_id, executor="noop")
    )
    return TaskTreeNode(task)


def chain(session: Session, letter: str, count: int) -> list[TaskTreeNode]:
    """Return nodes of new drafts, not linked yet."""
    add = session.drafts.add
    return [TaskTreeNode(Task(add(f"{letter}{number}", {}))) for number in range(count)]


def ids(nodes: TaskTreeNode | Iterator[TaskTreeNode]) -> list[str]:
    """Return the ids of their tasks."""
    return [each.task.id for each in nodes]


def test_iterating_gives_the_node_first_and_parents_before_children(session: Session) -> None:
    a, b, c, d = (node(session, task_id) for task_id in "abcd")
    a.add_child(b)
    a.add_child(d)
    b.add_child(c)

    assert ids(a) == ["a", "b", "c", "d"]
    assert [task.id for task in a.tasks()] == ["a", "b", "c", "d"]
    assert len(a) == 4
    assert ids(iter(a.children)) == ["b", "d"]


def test_a_node_is_found_by_the_id_of_its_task(session: Session) -> None:
    a, b, c = (node(session, task_id) for task_id in "abc")
    a.add_child(b)
    trees = TaskTrees([a, c])

    assert (a.find("b"), a.find("c")) == (b, None)
    assert (trees.find("b"), trees.find("c"), trees.find("d")) == (b, c, None)


def test_a_node_stands_below_one_other(session: Session) -> None:
    a, b, c = (node(session, task_id) for task_id in "abc")
    a.add_child(b)

    with pytest.raises(ValueError, match="task b is below a already"):
        a.add_child(b)
    with pytest.raises(ValueError, match="task b is below a already"):
        c.add_child(b)
    assert ids(a) == ["a", "b"]


def test_no_node_is_its_own_ancestor(session: Session) -> None:
    a, b, c = (node(session, task_id) for task_id in "abc")
    a.add_child(b)
    b.add_child(c)

    with pytest.raises(ValueError, match="would be its own ancestor"):
        a.add_child(a)
    with pytest.raises(ValueError, match="task a cannot be below c"):
        c.add_child(a)
    assert ids(a) == ["a", "b", "c"]


def test_a_circle_made_behind_our_back_ends_every_pass(session: Session) -> None:
    a, b = node(session, "a"), node(session, "b")
    a.children.append(b)
    b.children.append(a)

    with pytest.raises(ValueError, match=r"task a stands in this tree twice.*below b"):
        list(a)
    with pytest.raises(ValueError, match="twice"):
        a.calculate_status()
    assert "twice" in repr(a)


def test_no_pass_recurses(session: Session) -> None:
    nodes = chain(session, "t", 100_000)
    root = nodes[0]
    linked(nodes, [None, *range(99_999)])

    assert len(root) == 100_000
    assert root.calculate_status() is TaskStatus.PENDING
    assert root.calculate_progress() == 0.0
    assert len(root.to_array()) == 100_000
    assert repr(root).endswith("… and 99,950 more")


def test_a_long_chain_is_made_from_either_end(session: Session) -> None:
    down, up = chain(session, "d", 20_000), chain(session, "u", 20_000)
    for above, below in pairwise(down):
        above.add_child(below)
    for above, below in reversed(list(pairwise(up))):
        above.add_child(below)

    assert (len(down[0]), len(up[0])) == (20_000, 20_000)


def test_a_node_says_how_its_tasks_are(session: Session) -> None:
    @executor("trees_break")
    def trees_break(inputs: object, context: object) -> None:
        raise OSError("no route\nto host " + "x" * 200)

    array: list[dict[str, Any]] = [
        {"id": "a", "executor": "noop"},
        {"id": "b", "name": "Load it", "executor": "trees_break", "parent_id": "a"},
        {"id": "c", "executor": "noop", "parent_id": "b", "dependencies": ["b"]},
    ]
    root = asyncio.run(TaskCreator(session).create_task_tree_from_array(array))
    before = repr(root)
    asyncio.run(TaskManager(session).distribute_task_tree(root))
    lines = repr(root).splitlines()

    assert before == "a: pending\n  b Load it: pending\n    c: pending"
    assert lines[0] == "a: completed"
    assert lines[1].startswith("  b Load it: failed (exception: OSError: no route\\nto host xxx")
    assert len(lines[1]) < 130
    assert lines[2].startswith("    c: skipped (dependency_failed: ")


def test_several_roots_are_one_tree(session: Session) -> None:
    array = [{"id": task_id, "executor": "noop"} for task_id in "abc"]
    trees = asyncio.run(TaskCreator(session).create_task_trees_from_array(array))
    before = trees.calculate_status(), trees.calculate_progress(), repr(trees)
    asyncio.run(TaskManager(session).distribute_task_tree(trees))

    assert before == (TaskStatus.PENDING, 0.0, "a: pending\nb: pending\nc: pending")
    assert (trees.calculate_status(), trees.calculate_progress()) == (TaskStatus.COMPLETED, 1.0)
    assert len({task.tree_id for task in trees.tasks()}) == 1


def test_no_roots_are_a_tree_too() -> None:
    trees = TaskTrees()

    assert (trees.calculate_status(), trees.calculate_progress()) == (TaskStatus.COMPLETED, 1.0)
    assert (trees.to_array(), repr(trees)) == ([], "<no tasks>")
