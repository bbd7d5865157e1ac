"""Drafts that a program makes one by one: checked at once, found, changed, deleted."""

from __future__ import annotations

import asyncio
import enum
from collections import UserDict
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inboxd import (
    AmbiguousTask,
    Conflict,
    InvalidTaskArray,
    NotFound,
    SessionClosed,
    Task,
    TaskCreator,
    TaskManager,
    TaskStatus,
    TaskTreeNode,
    TaskTrees,
    create_session,
)
from inboxd.task import Delivery, Join, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd import Session
    from inboxd.api.repository import TaskRepository

#: In UTC it is in the year 10000.
LAST_MOMENT = datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))

ALL_FIELDS: dict[str, Any] = {
    "name": "count",
    "user_id": "user123",
    "parent_id": "top",
    "dependencies": ["a", {"id": "b", "on": "end"}, {"name": "c", "required": False}, "a"],
    "priority": 0,
    "join": "any",
    "allow_failure": True,
    "executor": "noop",
    "inputs": {"path": "x", "deep": [{"n": 1}]},
    "params": {"k": 2},
    "schemas": {"input_schema": {"type": "object"}},
    "retry": {"limit": 2, "delay": "500ms"},
    "timeout": "2m",
    "not_before": "2026-11-24T10:00:00+01:00",
    "hold": True,
    "delivery": "at_most_once",
    "description": "counts",
    "metadata": {"m": [1]},
    "extra": {"x-owner": "me"},
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    """A session for the tests that leave nothing in it."""
    with create_session() as session:
        yield session


@pytest.fixture
def tasks(session: Session) -> TaskRepository:
    """The repository of a new session."""
    return TaskManager(session).task_repository


def create(tasks: TaskRepository, **fields: Any) -> Task:
    """Make a draft."""
    return asyncio.run(tasks.create_task(**fields))


def problems(error: pytest.ExceptionInfo[InvalidTaskArray]) -> list[tuple[str, str]]:
    """Return (code, pointer) of each."""
    return [(problem.code.value, problem.pointer) for problem in error.value.errors]


def test_a_draft_shows_every_field(tasks: TaskRepository) -> None:
    task = create(tasks, **ALL_FIELDS)

    assert UUID(task.id).version == 7
    assert (task.name, task.user_id, task.parent_id) == ("count", "user123", "top")
    assert task.dependencies == [
        {"id": "a", "on": "success"}, {"id": "b", "on": "end"}, {"id": "c", "on": "end"}
    ]  # fmt: skip
    assert (task.priority, task.join, task.allow_failure) == (0, Join.ANY, True)
    assert (task.executor, task.inputs, task.params) == (
        "noop", ALL_FIELDS["inputs"], ALL_FIELDS["params"]
    )  # fmt: skip
    assert task.schemas == ALL_FIELDS["schemas"]
    assert task.retry == RetryPolicy(limit=2, delay_seconds=0.5)
    assert task.timeout == 120.0
    assert task.not_before == datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert task.hold is True
    assert task.delivery is Delivery.AT_MOST_ONCE
    assert (task.description, task.metadata) == ("counts", {"m": [1]})
    assert task.extra == {"x-owner": "me"}
    assert (task.is_draft, task.status, task.attempts) == (True, TaskStatus.PENDING, 0)
    assert (task.result, task.error, task.progress, task.start_seq) == (None, None, None, None)
    assert (task.started_at, task.ended_at, task.tree_id) == (None, None, None)


def test_a_draft_has_the_defaults_of_a_task_file(tasks: TaskRepository) -> None:
    task = create(tasks, name="plain")

    assert (task.executor, task.priority, task.join) == ("plain", 2, Join.ALL)
    assert (task.retry, task.timeout, task.not_before) == (RetryPolicy(), None, None)
    assert task.hold is False
    assert (task.delivery, task.dependencies) == (Delivery.AT_LEAST_ONCE, [])
    assert (task.inputs, task.params, task.schemas) == ({}, {}, {})
    assert (task.metadata, task.extra, task.user_id) == ({}, {}, None)


def test_a_program_may_use_its_own_types(tasks: TaskRepository) -> None:
    before = create(tasks, name="before")
    other = create(tasks, name="other")

    task = create(
        tasks,
        name="after",
        parent_id=before,
        dependencies=[before, {"id": other, "on": "end"}],
        timeout=timedelta(minutes=1),
        retry={"limit": 1, "delay": timedelta(milliseconds=250), "max_delay": timedelta(seconds=9)},
        not_before=datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        join=Join.ANY,
        delivery=Delivery.AT_MOST_ONCE,
        inputs=UserDict({"a": 1}),
    )

    assert task.parent_id == before.id
    assert task.dependencies == [
        {"id": before.id, "on": "success"}, {"id": other.id, "on": "end"}
    ]  # fmt: skip
    assert task.timeout == 60.0
    assert task.retry == RetryPolicy(limit=1, delay_seconds=0.25, max_delay_seconds=9.0)
    assert task.not_before == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert (task.join, task.delivery) == (Join.ANY, Delivery.AT_MOST_ONCE)
    assert task.inputs == {"a": 1}
    assert create(tasks, name="same", retry=task.retry).retry == task.retry


def test_what_is_given_is_copied(tasks: TaskRepository) -> None:
    inputs = {"list": [1]}
    task = create(tasks, name="a", inputs=inputs)

    inputs["list"].append(2)
    task.inputs["list"].append(3)

    assert task.inputs == {"list": [1]}


def test_a_name_stands_for_the_draft_that_has_it(tasks: TaskRepository) -> None:
    after = create(tasks, name="after", dependencies=["before"], parent_id="before")
    assert after.dependencies == [{"id": "before", "on": "success"}]

    before = create(tasks, name="before")
    assert after.dependencies == [{"id": before.id, "on": "success"}]
    assert after.parent_id == before.id

    create(tasks, name="before")
    assert after.parent_id == "before", "two have the name"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("missing_field", "")),
        ({"name": ""}, ("invalid_value", "/name")),
        ({"name": "n" * 256}, ("name_too_long", "/name")),
        ({"name": "a", "id": "not an id"}, ("invalid_id", "/id")),
        ({"name": "a", "id": 3}, ("wrong_type", "/id")),
        ({"name": "a", "priority": 1000}, ("out_of_range", "/priority")),
        ({"name": "a", "priority": "high"}, ("wrong_type", "/priority")),
        ({"name": "a", "join": "some"}, ("invalid_value", "/join")),
        ({"name": "a", "timeout": "soon"}, ("invalid_value", "/timeout")),
        ({"name": "a", "timeout": timedelta(seconds=-1)}, ("out_of_range", "/timeout")),
        ({"name": "a", "not_before": datetime(2026, 1, 1)}, ("invalid_value", "/not_before")),  # noqa: DTZ001 - it is what is refused
        ({"name": "a", "not_before": LAST_MOMENT}, ("invalid_value", "/not_before")),
        ({"name": datetime(2026, 1, 1, tzinfo=UTC)}, ("wrong_type", "/name")),
        ({"name": "a", "inputs": {"x": float("nan")}}, ("not_finite", "/inputs/x")),
        ({"name": "a", "inputs": {"x": {1, 2}}}, ("wrong_type", "/inputs/x")),
        ({"name": "a", "inputs": [1]}, ("wrong_type", "/inputs")),
        ({"name": "a", "dependencies": "b"}, ("wrong_type", "/dependencies")),
        ({"name": "a", "dependencies": [{"on": "end"}]}, ("missing_field", "/dependencies/0")),
        (
            {"name": "a", "dependencies": [{"id": "b", "on": "end", "required": True}]},
            ("conflicting_fields", "/dependencies/0"),
        ),
        ({"id": "a", "dependencies": ["a"]}, ("self_dependency", "/dependencies/0")),
        ({"id": "a", "parent_id": "a"}, ("parent_cycle", "/parent_id")),
        ({"name": "a", "extra": {"owner": "me"}}, ("unknown_field", "/extra/owner")),
        ({"name": "a", "extra": ["x-a"]}, ("wrong_type", "/extra")),
    ],
)
def test_what_is_wrong_with_one_task_is_said_at_once(
    shared: Session, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    drafts = len(shared.drafts)
    with pytest.raises(InvalidTaskArray) as error:
        create(TaskManager(shared).task_repository, **fields)

    assert problems(error) == [expected]
    assert len(shared.drafts) == drafts


def test_all_that_is_wrong_is_said(tasks: TaskRepository) -> None:
    with pytest.raises(InvalidTaskArray) as error:
        create(tasks, name="a", priority=-1, join="none", dependencies=["nobody"])

    assert sorted(problems(error)) == [("invalid_value", "/join"), ("out_of_range", "/priority")]


def test_what_only_the_tree_can_say_is_left_to_it(tasks: TaskRepository) -> None:
    """Nobody has these tasks and executors; and `a` may be the id of another task."""
    task = create(
        tasks,
        name="a",
        executor="nobody",
        parent_id="nowhere",
        dependencies=["a", "b"],
        inputs={"text": "{{ tasks.c.result }}"},
    )

    assert [edge["id"] for edge in task.dependencies] == [task.id, "b"]
    with pytest.raises(InvalidTaskArray) as error:
        asyncio.run(TaskManager(task._entry.session).distribute_task_tree(TaskTreeNode(task)))
    assert {code for code, _ in problems(error)} >= {"unknown_reference", "unknown_executor"}


def test_an_id_is_taken_once(tasks: TaskRepository) -> None:
    first = create(tasks, id="a")
    with pytest.raises(InvalidTaskArray) as error:
        create(tasks, id="a", name="other")
    assert problems(error) == [("duplicate_id", "/id")]

    asyncio.run(tasks.delete_task(first))
    assert create(tasks, id="a") != first


def test_a_draft_is_found_by_its_id(tasks: TaskRepository) -> None:
    task = create(tasks, id="fetch_data")

    found = asyncio.run(tasks.get_task_by_id("fetch_data"))
    assert found == task
    assert {found, task} == {task}
    with pytest.raises(NotFound, match='did you mean "fetch_data"'):
        asyncio.run(tasks.get_task_by_id("fetch_date"))
    with pytest.raises(TypeError, match="not by int"):
        asyncio.run(tasks.get_task_by_id(3))  # type: ignore[arg-type]


def test_drafts_of_several_arrays_may_have_one_id(session: Session, tasks: TaskRepository) -> None:
    creator = TaskCreator(session)
    array = [{"id": "a", "executor": "noop"}]
    node = asyncio.run(creator.create_task_tree_from_array(array))
    assert asyncio.run(tasks.get_task_by_id("a")) == node.task

    asyncio.run(creator.create_task_tree_from_array(array))
    with pytest.raises(AmbiguousTask) as error:
        asyncio.run(tasks.get_task_by_id("a"))
    assert error.value.candidates == ("a", "a")


def test_a_draft_is_changed(tasks: TaskRepository) -> None:
    task = create(tasks, **{**ALL_FIELDS, "id": "t"})

    changed = asyncio.run(
        tasks.update_task("t", name="sum", priority=5, timeout=None, dependencies=["z"])
    )

    assert changed == task
    assert (task.name, task.priority, task.timeout) == ("sum", 5, None)
    assert task.dependencies == [{"id": "z", "on": "success"}]
    assert (task.inputs, task.extra) == (ALL_FIELDS["inputs"], {"x-owner": "me"})
    asyncio.run(tasks.update_task(task, extra={"x-a": 1}, name=None))
    assert (task.name, task.extra) == ("t", {"x-a": 1})


def test_a_wrong_change_changes_nothing(tasks: TaskRepository) -> None:
    task = create(tasks, name="a", priority=1)
    with pytest.raises(InvalidTaskArray) as error:
        asyncio.run(tasks.update_task(task, description="new", priority=-1))

    assert problems(error) == [("out_of_range", "/priority")]
    assert (task.priority, task.description) == (1, None)


def test_a_draft_that_others_name_is_not_deleted(tasks: TaskRepository) -> None:
    first = create(tasks, name="first")
    by_id = create(tasks, id="by_id", dependencies=[first])
    by_name = create(tasks, id="by_name", parent_id="first")

    with pytest.raises(Conflict, match="by_id, by_name"):
        asyncio.run(tasks.delete_task(first))
    asyncio.run(tasks.update_task(by_id, dependencies=None))
    with pytest.raises(Conflict, match="by_name"):
        asyncio.run(tasks.delete_task(first.id))
    asyncio.run(tasks.delete_task(by_name))
    asyncio.run(tasks.delete_task(first))

    assert asyncio.run(tasks.list_tasks()) == [by_id]
    with pytest.raises(Conflict, match="deleted"):
        asyncio.run(tasks.delete_task(first))
    with pytest.raises(Conflict, match="deleted"):
        asyncio.run(tasks.update_task(first, priority=1))


def test_drafts_are_listed_in_their_order(tasks: TaskRepository) -> None:
    made = [create(tasks, id=f"t{number}", user_id=f"u{number % 2}") for number in range(5)]
    create(tasks, id="child", name="c", parent_id="t0", executor="noop")

    assert asyncio.run(tasks.list_tasks(user_id="u1")) == [made[1], made[3]]
    assert [task.id for task in asyncio.run(tasks.list_tasks(parent_id="t0"))] == ["child"]
    assert [task.id for task in asyncio.run(tasks.list_tasks(executor="noop"))] == ["child"]
    assert [task.id for task in asyncio.run(tasks.list_tasks(name="c"))] == ["child"]
    assert asyncio.run(tasks.list_tasks(name="t4", status="pending")) == [made[4]]
    assert asyncio.run(tasks.list_tasks(status=["failed", "completed"])) == []


def test_a_tree_of_drafts_is_what_is_below_the_topmost(tasks: TaskRepository) -> None:
    create(tasks, id="alone")
    create(tasks, id="leaf", parent_id="middle")
    create(tasks, id="middle", parent_id="Top")
    create(tasks, id="top", name="Top")
    create(tasks, id="second", parent_id="top", dependencies=["alone"])

    tree = asyncio.run(tasks.get_task_tree("leaf"))

    assert isinstance(tree, TaskTreeNode)
    assert [node.task.id for node in tree] == ["top", "middle", "leaf", "second"]
    assert [child.task.id for child in tree.children] == ["middle", "second"]
    asyncio.run(tasks.update_task("top", parent_id="leaf"))
    with pytest.raises(InvalidTaskArray, match="middle -> top -> leaf -> middle"):
        asyncio.run(tasks.get_task_tree("middle"))


def test_a_tree_of_drafts_of_an_array_is_the_array(session: Session, tasks: TaskRepository) -> None:
    array = [{"id": "a"}, {"id": "b"}, {"id": "c", "parent_id": "b"}]
    made = asyncio.run(TaskCreator(session).create_task_trees_from_array(array))

    tree = asyncio.run(tasks.get_task_tree(made[0].task))

    assert isinstance(tree, TaskTrees)
    assert [node.task for node in tree.nodes()] == [node.task for node in made.nodes()]


def test_a_task_of_another_session_is_refused(shared: Session, tasks: TaskRepository) -> None:
    other = asyncio.run(TaskManager(shared).task_repository.create_task(name="other"))
    with pytest.raises(ValueError, match="another session"):
        asyncio.run(tasks.update_task(other, priority=1))


def test_nothing_is_made_in_a_closed_session() -> None:
    session = create_session()
    tasks = TaskManager(session).task_repository
    draft = create(tasks, name="a", dependencies=["b"])
    session.close()

    with pytest.raises(SessionClosed):
        create(tasks, name="b")
    with pytest.raises(SessionClosed):
        asyncio.run(tasks.list_tasks())
    assert (draft.name, draft.dependencies) == ("a", [{"id": "b", "on": "success"}])


def test_an_enum_stands_for_its_value(session: Session) -> None:
    class Kind(str, enum.Enum):  # noqa: UP042 - whose text is not its value
        FETCH = "fetch"

    class Urgency(enum.IntEnum):
        HIGH = 1

    repository = TaskManager(session).task_repository
    task = asyncio.run(
        repository.create_task(name=Kind.FETCH, user_id=Kind.FETCH, priority=Urgency.HIGH)
    )

    assert (task.name, task.executor, task.user_id, task.priority) == ("fetch", "fetch", "fetch", 1)
