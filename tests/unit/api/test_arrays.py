"""`TaskCreator`: what is checked when a list becomes drafts, and what comes of it."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import InvalidTaskArray, TaskCreator, TaskManager, TaskTrees, executor

if TYPE_CHECKING:
    from inboxd import Session


def make(session: Session, tasks: Any, **beside: Any) -> TaskTrees:
    """Return the trees of an array."""
    return asyncio.run(TaskCreator(session).create_task_trees_from_array(tasks, **beside))


def refused(session: Session, tasks: Any, **beside: Any) -> list[tuple[str, str]]:
    """Return (code, pointer) of what is wrong; nothing may be left of it."""
    with pytest.raises(InvalidTaskArray) as raised:
        make(session, tasks, **beside)
    assert len(session.drafts) == 0
    assert all(error.line is error.column is None for error in raised.value.errors)
    return [(error.code.value, error.pointer) for error in raised.value.errors]


@pytest.mark.parametrize(
    ("tasks", "code", "pointer"),
    [
        ([], "empty_array", ""),
        ([7], "wrong_type", "/0"),
        ([{"priority": 0}], "missing_field", "/0"),
        ([{"id": "a", "prio": 1}], "unknown_field", "/0/prio"),
        ([{"id": "a", "priority": 1000}], "out_of_range", "/0/priority"),
        ([{"id": "a b"}], "invalid_id", "/0/id"),
        ([{"id": "a"}, {"id": "a"}], "duplicate_id", "/1/id"),
        ([{"id": "a", "dependencies": ["b"]}], "unknown_reference", "/0/dependencies/0"),
        ([{"id": "a", "dependencies": ["a"]}], "self_dependency", "/0/dependencies/0"),
        ([{"id": "a", "parent_id": "b"}], "unknown_reference", "/0/parent_id"),
        ([{"id": "a", "inputs": {"x": float("nan")}}], "not_finite", "/0/inputs/x"),
        ([{"id": "a", "inputs": {"x": (1, 2)}}], "wrong_type", "/0/inputs/x"),
        ([{"id": "a", "executor": "command", "inputs": {"argw": []}}], "invalid_inputs",
         "/0/inputs/argw"),
        ({"id": "a"}, "not_an_array", ""),
        ({"tasks": [{"id": "a"}]}, "not_an_array", ""),
        ('[{"id": "a"}]', "not_an_array", ""),
        (None, "not_an_array", ""),
    ],
)  # fmt: skip
def test_what_a_file_may_not_say_a_list_may_not(
    session: Session, tasks: Any, code: str, pointer: str
) -> None:
    assert (code, pointer) in refused(session, tasks)


def test_all_errors_come_at_once_and_nothing_is_left(session: Session) -> None:
    tasks = [
        {"id": "a", "dependencies": ["c"]},
        {"id": "b", "priority": -1, "dependencies": ["nobody"]},
        {"id": "c", "dependencies": ["a"]},
    ]
    with pytest.raises(InvalidTaskArray) as raised:
        make(session, tasks)

    assert [error.code for error in raised.value.errors] == [
        "dependency_cycle",
        "out_of_range",
        "unknown_reference",
    ]
    assert "a -> c -> a" in str(raised.value)
    assert len(session.drafts) == 0


def test_pointers_start_at_the_list_whatever_stands_beside_it(session: Session) -> None:
    tasks = [
        {"name": "x", "executor": "noop"},
        {"name": "x", "executor": "noop"},
        {"id": "c", "dependencies": ["x"]},
        {"id": "c"},
    ]
    with pytest.raises(InvalidTaskArray) as raised:
        make(session, tasks, name="", defaults={"retry": -1, "id": "no"}, metadata=[])
    errors = {error.pointer: error.message for error in raised.value.errors}

    assert set(errors) == {
        "/name", "/defaults/retry", "/defaults/id", "/metadata", "/2/dependencies/0", "/3/id",
    }  # fmt: skip
    assert errors["/2/dependencies/0"] == '2 tasks are named "x": /0, /1'
    assert errors["/3/id"] == 'the id "c" is used before, by /2'


def test_an_object_is_told_where_its_members_go(session: Session) -> None:
    with pytest.raises(InvalidTaskArray, match="name, user_id, metadata, defaults"):
        make(session, {"tasks": [], "name": "nightly"})


def test_several_roots_are_for_the_other_function(session: Session) -> None:
    creator = TaskCreator(session)
    with pytest.raises(InvalidTaskArray, match="create_task_trees_from_array") as raised:
        asyncio.run(creator.create_task_tree_from_array([{"id": "a"}, {"id": "b"}]))

    assert raised.value.errors[0].pointer == "/1"
    assert len(session.drafts) == 0


def test_ids_are_made_as_for_a_file(session: Session) -> None:
    trees = make(session, [{"name": "x"}, {"name": "y y"}, {"id": "c"}, {"name": "z"}])

    assert [task.id for task in trees.tasks()] == ["x", "task-2", "c", "z"]
    assert [task.name for task in trees.tasks()] == ["x", "y y", "c", "z"]


def test_defaults_are_merged_in_as_in_a_file(session: Session) -> None:
    trees = make(
        session,
        [{"id": "a", "inputs": {"x": 1}}, {"id": "b", "priority": 0, "executor": "other"}],
        defaults={"executor": "noop", "priority": 3, "inputs": {"x": 0, "y": 2}},
    )
    a, b = trees.tasks()

    assert (a.executor, a.priority, a.inputs) == ("noop", 3, {"x": 1, "y": 2})
    assert (b.executor, b.priority, b.inputs) == ("other", 0, {"x": 0, "y": 2})


def test_an_executor_may_come_after_the_drafts(session: Session) -> None:
    trees = make(session, [{"id": "a", "executor": "arrays_late"}])

    @executor("arrays_late")
    def arrays_late(inputs: object, context: object) -> str:
        return "came"

    asyncio.run(TaskManager(session).distribute_task_tree(trees))

    assert [task.result for task in trees.tasks()] == ["came"]


def test_an_executor_that_never_comes_is_refused_before_anything_runs(session: Session) -> None:
    trees = make(session, [{"id": "a", "executor": "noop"}, {"id": "b", "executor": "nop"}])
    with pytest.raises(InvalidTaskArray, match='did you mean "noop"') as raised:
        asyncio.run(TaskManager(session).distribute_task_tree(trees))

    assert [(error.code, error.pointer) for error in raised.value.errors] == [
        ("unknown_executor", "/1/executor")
    ]
    assert all(task.is_draft for task in trees.tasks())


def test_what_was_given_is_copied(session: Session) -> None:
    inputs = {"x": [1]}
    metadata = {"m": [1]}
    trees = make(session, [{"id": "a", "executor": "noop", "inputs": inputs}], metadata=metadata)
    inputs["x"].append(2)
    metadata["m"].append(2)

    assert next(trees.tasks()).inputs == {"x": [1]}
    assert trees.label.metadata == {"m": [1]}


def test_mappings_and_iterators_of_whatever_kind_will_do(session: Session) -> None:
    trees = make(session, (MappingProxyType({"id": task_id}) for task_id in "ab"))

    assert [task.id for task in trees.tasks()] == ["a", "b"]


def test_a_tree_is_called_what_its_array_was(session: Session) -> None:
    root = asyncio.run(
        TaskCreator(session).create_task_tree_from_array(
            [{"id": "a", "executor": "noop"}], name="nightly", user_id="u1", metadata={"m": 1}
        )
    )
    asyncio.run(TaskManager(session).distribute_task_tree(root))
    reader = session._reader
    tree = reader.find_tree("nightly")

    assert (tree.id, tree.user_id) == (root.task.tree_id, "u1")
    assert reader.tree_other(tree) == b'{"metadata":{"m":1}}'


def test_nesting_follows_parents_in_whatever_order_they_come(session: Session) -> None:
    trees = make(
        session,
        [{"id": "c", "parent_id": "b"}, {"id": "b", "parent_id": "B"}, {"id": "a", "name": "B"}],
    )

    assert repr(trees) == "a B: pending\n  b: pending\n    c: pending"
    assert trees[0].children[0].task.parent_id == "a"
