"""What `distribute_task_tree` takes: which trees it refuses, and what it makes of the nodes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import (
    Conflict,
    InvalidTaskArray,
    Session,
    Task,
    TaskCreator,
    TaskManager,
    TaskTreeNode,
    TaskTrees,
    create_session,
)
from inboxd.api.collecting import collect

if TYPE_CHECKING:
    from inboxd.array.problem import Problem


def draft(session: Session, task_id: str, **fields: Any) -> Task:
    """Return a new draft."""
    repository = TaskManager(session).task_repository
    fields = {"name": task_id, "executor": "noop", **fields}
    return asyncio.run(repository.create_task(id=task_id, **fields))


def run(session: Session, *roots: TaskTreeNode) -> None:
    """Distribute a tree."""
    asyncio.run(TaskManager(session).distribute_task_tree(TaskTrees(roots)))


def errors(session: Session, *roots: TaskTreeNode) -> list[Problem]:
    """Return why a tree is refused; nothing of it may have run."""
    with pytest.raises(InvalidTaskArray) as raised:
        run(session, *roots)
    assert all(task.is_draft for root in roots for task in root.tasks())
    return list(raised.value.errors)


def test_the_order_of_the_tree_is_that_in_which_drafts_were_made(session: Session) -> None:
    tasks = [draft(session, task_id) for task_id in "abc"]
    root = TaskTreeNode(tasks[2])
    root.add_child(TaskTreeNode(tasks[1]))
    root.add_child(TaskTreeNode(tasks[0]))
    collected = collect(session, root)

    assert [entry.id for entry in collected.entries] == ["a", "b", "c"]
    assert [document["id"] for document in collected.documents] == ["a", "b", "c"]
    assert [document.get("parent_id") for document in collected.documents] == ["c", "c", None]


def test_a_flat_list_may_say_its_parents_itself(session: Session) -> None:
    a, b = draft(session, "a"), draft(session, "b", parent_id="a")
    run(session, TaskTreeNode(a), TaskTreeNode(b))

    assert b.status == "completed"


def test_a_parent_may_be_named_by_name(session: Session) -> None:
    a = draft(session, "a", name="Load it")
    root = TaskTreeNode(a)
    root.add_child(TaskTreeNode(draft(session, "b", parent_id="Load it", dependencies=["Load it"])))
    run(session, root)

    assert root.calculate_status() == "completed"


def test_a_node_below_another_than_its_parent_is_refused(session: Session) -> None:
    a, b = TaskTreeNode(draft(session, "a")), TaskTreeNode(draft(session, "b"))
    c = TaskTreeNode(draft(session, "c", parent_id="a"))
    a.add_child(b)
    b.add_child(c)
    (problem,) = errors(session, a)

    assert (problem.code, problem.pointer) == ("conflicting_fields", "/2/parent_id")
    assert problem.message == ('task "c": the task\'s parent is "a", and its node is below "b"')


def test_a_parent_that_is_not_in_the_tree_is_unknown(session: Session) -> None:
    draft(session, "elsewhere")
    a = TaskTreeNode(draft(session, "a", parent_id="elsewhere"))
    b = TaskTreeNode(draft(session, "b", parent_id="nowhere"))
    one, other = errors(session, a, b)

    assert (one.code, one.pointer) == ("unknown_reference", "/0/parent_id")
    assert one.message == 'task "a": the draft "elsewhere" is not in this tree'
    assert one.hint == "add its node to the tree: all tasks of an array run together"
    assert (other.code, other.pointer) == ("unknown_reference", "/1/parent_id")
    assert other.message == 'task "b": no task "nowhere" among these tasks'


@pytest.mark.parametrize("edge", ["Load", {"id": "Load"}, {"name": "Load", "on": "end"}])
def test_part_of_an_array_lacks_its_dependencies(session: Session, edge: object) -> None:
    array: list[dict[str, Any]] = [
        {"id": "a", "executor": "noop"},
        {"id": "load", "name": "Load", "executor": "noop", "parent_id": "a"},
        {"id": "c", "executor": "noop", "parent_id": "a", "dependencies": [edge]},
    ]
    root = asyncio.run(TaskCreator(session).create_task_tree_from_array(array))
    found = {problem.message for problem in errors(session, TaskTreeNode(root.children[1].task))}

    assert found == {
        f'task "c": the draft "{other}" is not in this tree' for other in ("a", "load")
    }


def test_a_task_stands_in_a_tree_once(session: Session) -> None:
    a = draft(session, "a")
    node = TaskTreeNode(a)

    with pytest.raises(ValueError, match="task a stands in this tree twice, in two nodes"):
        run(session, node, TaskTreeNode(a))
    with pytest.raises(ValueError, match="node of task a stands in this tree twice"):
        run(session, node, node)
    assert a.is_draft


def test_two_arrays_with_the_same_ids_do_not_mix(session: Session) -> None:
    array = [{"id": "a", "executor": "noop"}]
    first, second = (
        asyncio.run(TaskCreator(session).create_task_tree_from_array(array)) for _ in range(2)
    )
    (problem,) = errors(session, first, second)

    assert (problem.code, problem.pointer) == ("duplicate_id", "/1/id")


def test_a_tree_of_another_session_is_refused(session: Session) -> None:
    with create_session() as other:
        node = TaskTreeNode(draft(other, "a"))
        with pytest.raises(ValueError, match="task a is of another session"):
            run(session, node)


def test_a_tree_is_distributed_once(session: Session) -> None:
    node = TaskTreeNode(draft(session, "a"))
    run(session, node)
    with pytest.raises(Conflict, match=r"was distributed already, in tree .*retry"):
        run(session, node)

    assert node.task.attempts == 1


def test_a_deleted_draft_is_refused(session: Session) -> None:
    task = draft(session, "a")
    session.drafts.forget([task._entry])
    draft(session, "a")

    with pytest.raises(ValueError, match="task a was deleted"):
        run(session, TaskTreeNode(task))


@pytest.mark.parametrize("tree", [None, [], [{"id": "a"}], "a"])
def test_what_is_no_tree_is_a_type_error(session: Session, tree: Any) -> None:
    with pytest.raises(TypeError, match="TaskTreeNode or TaskTrees is distributed"):
        asyncio.run(TaskManager(session).distribute_task_tree(tree))


def test_no_tasks_are_no_tree(session: Session) -> None:
    (problem,) = errors(session)

    assert problem.code == "empty_array"
