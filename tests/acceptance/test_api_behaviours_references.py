"""How tasks of an array name each other, and what is refused, through the Python API."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from inboxd import (
    InvalidTaskArray,
    TaskCreator,
    TaskManager,
    TaskTreeNode,
    create_session,
    executor,
)

from .api_trees import ended_as, made, ran, refusals, start_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd import Session


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with create_session() as session:
        yield session


# References --------------------------------------------------------------------------------------


def test_dependencies_by_name_order_as_those_by_id(session: Session) -> None:
    """Expected: the third runs first, whatever the order of the list, and nobody needs an id."""
    tasks = ran(
        session,
        {"name": "report", "dependencies": [{"name": "count words"}]},
        {"name": "count words", "dependencies": ["fetch"]},
        {"name": "fetch"},
    )

    # A name that has not the form of an id leaves the task `task-<position>`.
    assert start_order(tasks) == ["fetch", "task-2", "report"]


def test_one_list_may_mix_ids_and_names(session: Session) -> None:
    """Expected: all four edges hold, and their ids are what the task shows."""
    tasks = ran(
        session,
        {
            "id": "last",
            "dependencies": ["a", "the second", {"id": "c"}, {"name": "the fourth", "on": "end"}],
        },
        {"id": "a"},
        {"id": "b", "name": "the second"},
        {"id": "c", "name": "the third"},
        {"id": "d", "name": "the fourth"},
    )

    assert start_order(tasks) == ["a", "b", "c", "d", "last"]
    assert tasks["last"].dependencies == [
        {"id": "a", "on": "success"},
        {"id": "b", "on": "success"},
        {"id": "c", "on": "success"},
        {"id": "d", "on": "end"},
    ]


def test_an_id_comes_before_a_name_of_the_same_text(session: Session) -> None:
    """Expected: `b` names the task whose id it is, not the one that is called so."""
    tasks = ran(
        session,
        {"id": "a", "name": "b"},
        {"id": "b", "name": "c"},
        {"id": "last", "dependencies": ["b"]},
    )

    assert tasks["last"].dependencies == [{"id": "b", "on": "success"}]


def test_a_name_that_two_tasks_have_is_ambiguous(session: Session) -> None:
    """Expected: refused where it is used, and fine where nobody uses it."""
    twice = [{"id": "a", "name": "same"}, {"id": "b", "name": "same"}]

    (problem,) = refusals(session, *twice, {"id": "c", "dependencies": ["same"]})

    assert (problem.code, problem.pointer) == ("ambiguous_reference", "/2/dependencies/0")
    assert {ended_as(task) for task in ran(session, *twice).values()} == {("completed", None, None)}


def test_an_edge_that_is_given_twice_counts_once(session: Session) -> None:
    """Expected: by id, by name and in long form it is one edge, and another `on` is another."""
    tasks = ran(
        session,
        {"id": "a", "name": "first"},
        {"id": "b", "dependencies": ["a", "first", {"id": "a"}, {"id": "a", "required": False}]},
    )

    assert tasks["b"].dependencies == [{"id": "a", "on": "success"}, {"id": "a", "on": "end"}]
    assert ended_as(tasks["b"]) == ("completed", None, None)


def test_drafts_name_each_other_before_they_are_there(session: Session) -> None:
    """Expected: the first draft waits for the second, which is made after it."""

    async def main() -> list[int | None]:
        manager = TaskManager(session)
        create = manager.task_repository.create_task
        late = await create(name="late", executor="noop", dependencies=["early one"])
        early = await create(name="early one", executor="noop")
        tree = TaskTreeNode(late)
        tree.add_child(TaskTreeNode(early))
        await manager.distribute_task_tree(tree)
        return [early.start_seq, late.start_seq]

    order = asyncio.run(main())

    assert None not in order
    assert order == sorted(order, key=lambda seq: seq or 0)


# Circles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_circle_is_refused_with_its_path(session: Session, by: str) -> None:
    """Expected: the message walks the circle once, from its first task back to it."""
    tasks = [
        {"id": task_id, "name": f"task {task_id}", "dependencies": [{by: before}]}
        for task_id, before in zip(
            "abc", "bca" if by == "id" else ["task b", "task c", "task a"], strict=True
        )
    ]

    (problem,) = refusals(session, {"id": "apart"}, *tasks)

    assert problem.code == "dependency_cycle"
    assert "a -> b -> c -> a" in problem.message


def test_a_circle_of_drafts_is_refused_when_they_are_distributed(session: Session) -> None:
    """Expected: `dependency_cycle`, nothing runs, and the drafts are as they were."""

    async def main() -> None:
        manager = TaskManager(session)
        create = manager.task_repository.create_task
        one = await create(id="one", executor="noop", dependencies=["two"])
        two = await create(id="two", executor="noop", dependencies=["one"])
        tree = TaskTreeNode(one)
        tree.add_child(TaskTreeNode(two))
        with pytest.raises(InvalidTaskArray) as raised:
            await manager.distribute_task_tree(tree)
        (problem,) = raised.value.errors

        assert problem.code == "dependency_cycle"
        assert "one -> two -> one" in problem.message
        assert [one.is_draft, two.is_draft] == [True, True]
        session.drafts.forget(session.drafts.all())

    asyncio.run(main())


def test_a_circle_through_a_fallback_is_a_circle(session: Session) -> None:
    """Expected: which end an edge waits for makes no difference: nobody could start."""
    (problem,) = refusals(
        session,
        {"id": "a", "dependencies": [{"id": "b", "on": "failure"}]},
        {"id": "b", "dependencies": [{"id": "a", "on": "end"}]},
    )

    assert problem.code == "dependency_cycle"
    assert "a -> b -> a" in problem.message


def test_parents_in_a_circle_are_refused(session: Session) -> None:
    """Expected: `parent_cycle`, though they would not have ordered anything."""
    problems = refusals(session, {"id": "a", "parent_id": "b"}, {"id": "b", "parent_id": "a"})

    assert [problem.code for problem in problems] == ["parent_cycle"]
    assert "a -> b -> a" in problems[0].message


def test_a_parent_may_depend_on_its_child_and_a_child_on_its_parent(session: Session) -> None:
    """Expected: parents order nothing, so both ways run, by their dependencies."""
    tasks = ran(
        session,
        {"id": "top", "dependencies": ["below"]},
        {"id": "below", "parent_id": "top"},
        {"id": "head"},
        {"id": "foot", "parent_id": "head", "dependencies": ["head"]},
    )

    order = start_order(tasks)

    assert order.index("below") < order.index("top")
    assert order.index("head") < order.index("foot")


# What is refused ---------------------------------------------------------------------------------

#: The tasks that `behave-count` was called for: none, in all of this module.
CALLED: list[str] = []


@executor("behave-count")
async def count(inputs: dict[str, Any], context: Any) -> None:
    CALLED.append(context.task_id)


@executor("behave-strict")
class Strict:
    """Takes a list of small numbers and nothing else."""

    inputs_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {"numbers": {"type": "array", "items": {"type": "integer", "maximum": 9}}},
        "required": ["numbers"],
        "additionalProperties": False,
    }

    async def execute(self, inputs: dict[str, Any], context: Any) -> int:
        return sum(inputs["numbers"])


@pytest.mark.parametrize(
    ("fields", "code", "pointer", "said"),
    [
        ({"dependencies": ["b"]}, "self_dependency", "/1/dependencies/0", "itself"),
        ({"dependencies": ["aa"]}, "unknown_reference", "/1/dependencies/0", 'did you mean "a"'),
        ({"dependencies": [{"on": "end"}]}, "missing_field", "/1/dependencies/0", "id"),
        ({"dependencies": [{"id": "a", "on": "end", "required": False}]},
         "conflicting_fields", "/1/dependencies/0", "required"),
        ({"dependencies": [{"id": "a", "on": "sucess"}]},
         "invalid_value", "/1/dependencies/0/on", "success"),
        ({"priorty": 0}, "unknown_field", "/1/priorty", '"priority"'),
        ({"priority": 1000}, "out_of_range", "/1/priority", "999"),
        ({"timeout": "soon"}, "invalid_value", "/1/timeout", "soon"),
        ({"executor": "behave-strict", "inputs": {"numbers": [1, 10]}},
         "invalid_inputs", "/1/inputs/numbers/1", "9"),
        ({"executor": "behave-strict", "inputs": {"numbers": [], "more": 1}},
         "invalid_inputs", "/1/inputs/more", "more"),
        ({"executor": "behave-strict"}, "invalid_inputs", "/1", "numbers"),
        ({"inputs": {"ratio": float("nan")}}, "not_finite", "/1/inputs/ratio", "nan"),
        ({"inputs": {"deep": [{"much": float("-inf")}]}},
         "not_finite", "/1/inputs/deep/0/much", "inf"),
        ({"inputs": {"when": datetime(2026, 11, 24, tzinfo=UTC)}},
         "wrong_type", "/1/inputs/when", "datetime"),
        ({"inputs": {"pair": (1, 2)}}, "wrong_type", "/1/inputs/pair", "tuple"),
        ({"inputs": {"tags": {"x"}}}, "wrong_type", "/1/inputs/tags", "set"),
        ({"inputs": {"half": "\ud800"}}, "invalid_json", "/1/inputs/half", "surrogate"),
        ({"inputs": {"url": "{{ tasks.a.result.x }}"}},
         "unknown_reference", "/1/inputs/url", "depend"),
        ({"dependencies": ["a"], "inputs": {"url": "{{ tasks.a.result..x }}"}},
         "invalid_expression", "/1/inputs/url", "result"),
    ],
)  # fmt: skip
def test_what_is_refused_says_where_and_why(
    session: Session, fields: dict[str, Any], code: str, pointer: str, said: str
) -> None:
    """Expected: code, pointer and words as beside each; nothing runs and no draft is left."""
    (problem,) = refusals(session, {"id": "a"}, {"id": "b", **fields})

    assert (problem.code, problem.pointer) == (code, pointer)
    assert said in str(problem)


def test_two_drafts_cannot_have_one_id(session: Session) -> None:
    """Expected: in an array `duplicate_id` at the second one; of drafts the second is refused."""
    (problem,) = refusals(session, {"id": "a"}, {"id": "b"}, {"id": "a"})

    assert (problem.code, problem.pointer) == ("duplicate_id", "/2/id")

    async def twice() -> None:
        create = TaskManager(session).task_repository.create_task
        await create(id="twice", executor="noop")
        with pytest.raises(InvalidTaskArray) as raised:
            await create(id="twice", executor="noop")
        session.drafts.forget(session.drafts.all())
        (problem,) = raised.value.errors

        assert (problem.code, problem.pointer) == ("duplicate_id", "/id")
        assert '"twice"' in problem.message

    asyncio.run(twice())


def test_two_arrays_may_have_the_same_ids(session: Session) -> None:
    """Expected: an id is local to its array, so both run, each with its own dependency."""
    first, second = (
        ran(
            session,
            {"id": "a", "executor": "behave-answer", "inputs": {"value": value}},
            {"id": "b", "executor": "behave-read", "dependencies": ["a"]},
        )
        for value in (1, 2)
    )

    assert first["b"].result["dependencies"] == {"a": 1}
    assert second["b"].result["dependencies"] == {"a": 2}


def test_all_that_is_wrong_is_said_at_once(session: Session) -> None:
    """Expected: four errors, in the order of the list."""
    problems = refusals(
        session,
        {"id": "a", "priority": -1},
        {"id": "b", "dependencies": ["nobody"]},
        {"id": "c", "retry": "often"},
        {"id": "c"},
    )

    assert [(problem.code.value, problem.pointer) for problem in problems] == [
        ("out_of_range", "/0/priority"),
        ("unknown_reference", "/1/dependencies/0"),
        ("wrong_type", "/2/retry"),
        ("duplicate_id", "/3/id"),
    ]


def test_executors_that_nobody_offers_are_refused_with_the_nearest_names(session: Session) -> None:
    """Expected: an error for each, before anything runs; the tasks are drafts as before."""
    trees = made(
        session,
        {"id": "a", "executor": "behave-count"},
        {"id": "b", "executor": "behave-strikt"},
        {"id": "c", "executor": "comand"},
    )

    with pytest.raises(InvalidTaskArray) as raised:
        asyncio.run(TaskManager(session).distribute_task_tree(trees))

    strict, command = raised.value.errors
    assert (strict.code, strict.pointer) == ("unknown_executor", "/1/executor")
    assert (command.code, command.pointer) == ("unknown_executor", "/2/executor")
    assert '"behave-strict"' in str(strict)
    assert '"command"' in str(command)
    assert CALLED == []
    assert [task.is_draft for task in trees.tasks()] == [True, True, True]
    session.drafts.forget(session.drafts.all())


def test_one_wrong_task_of_many_keeps_all_from_running(session: Session) -> None:
    """Expected: the executor of the others is never called."""
    tasks = [{"id": f"t{number}", "executor": "behave-count"} for number in range(50)]

    refusals(session, *tasks, {"id": "odd", "dependencies": ["t49", "t50"]})

    assert CALLED == []


def test_what_is_made_later_than_its_drafts_is_found(session: Session) -> None:
    """Expected: executors are looked up when the tree is distributed, the newest of a name."""

    async def main() -> Any:
        tree = await TaskCreator(session).create_task_tree_from_array(
            [{"id": "a", "executor": "behave-late"}]
        )
        for value in (1, 2):

            @executor("behave-late")
            async def late(inputs: dict[str, Any], context: Any, value: int = value) -> int:
                return value

        await TaskManager(session).distribute_task_tree(tree)
        return tree.task.result

    assert asyncio.run(main()) == 2
