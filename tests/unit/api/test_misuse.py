"""What cannot be meant is refused at once, in words that say what is wanted."""

from __future__ import annotations

import asyncio
import re
import textwrap
from datetime import date
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import pytest

import inboxd
from inboxd import (
    InvalidTaskArray,
    TaskCreator,
    TaskEnded,
    TaskManager,
    TaskRepository,
    TaskTreeNode,
    TaskTrees,
    create_session,
    executor,
    run_array,
)
from inboxd.api.label import TreeLabel
from inboxd.cli.verbs import VERBS
from inboxd.config.load import load_settings
from inboxd.plugins import registered
from inboxd.plugins.executor_check import OWN_EXECUTORS
from inboxd.plugins.manager import load_plugins

from .steered import noops, trees_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from inboxd import Session, TreeEvent


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    """One session for all that is refused before it does anything."""
    with create_session() as session:
        yield session


def _refused(kind: type[Exception], text: str, call: Callable[[], object]) -> None:
    with pytest.raises(kind, match=re.escape(text)):
        call()


async def _nothing(*_: object, **__: object) -> None:
    """Be what somebody forgets to await."""


@pytest.mark.parametrize("kind", [TaskManager, TaskCreator, TaskRepository])
@pytest.mark.parametrize(
    ("given", "text"),
    [("sqlite:///x.db", "not a str ('sqlite:///x.db')"), (create_session, "not a function")],
)
def test_only_a_session_has_tasks(kind: type[Any], given: object, text: str) -> None:
    _refused(TypeError, f"{kind.__name__} takes a Session, {text}", lambda: kind(given))


@pytest.mark.parametrize("given", ["no", 1, None])
def test_strict_priority_is_true_or_false(shared: Session, given: Any) -> None:
    async def run() -> None:
        trees = await trees_of(shared, *noops(1))
        with pytest.raises(TypeError, match="strict_priority is True or False, not a"):
            await TaskManager(shared).distribute_task_tree(trees, given)
        assert all(task.is_draft for task in trees.tasks())

    asyncio.run(run())
    _refused(TypeError, "strict_priority", lambda: run_array([], strict_priority=given))


@pytest.mark.parametrize("field", ["name", "user_id", "metadata"])
def test_the_label_of_a_tree_is_text(field: str) -> None:
    _refused(TypeError, f"{field} is ", lambda: TreeLabel(**cast("Any", {field: 5})))


def test_on_event_is_a_function(shared: Session) -> None:
    async def run() -> None:
        manager = TaskManager(shared)
        trees = await trees_of(shared, *noops(1))
        given = _nothing()
        text = "on_event is a function of one event, not a coroutine: did you forget `await`"
        with pytest.raises(TypeError, match=text):
            await manager.distribute_task_tree(trees, on_event=cast("Any", given))
        with pytest.raises(TypeError, match=text):
            await manager.retry(trees, on_event=cast("Any", given))
        given.close()
        assert all(task.is_draft for task in trees.tasks())

    asyncio.run(run())


def test_what_a_callback_raises_is_given_to_the_loop_once_an_event(shared: Session) -> None:
    told: list[dict[str, Any]] = []

    def on_event(event: TreeEvent) -> None:
        if isinstance(event, TaskEnded):
            raise ZeroDivisionError(event.task.id)

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        trees = await trees_of(shared, *noops(2))
        await TaskManager(shared).distribute_task_tree(trees, on_event=on_event)

    asyncio.run(run())
    assert [repr(context["exception"]) for context in told] == [
        "ZeroDivisionError('t0')",
        "ZeroDivisionError('t1')",
    ]
    assert told[0]["message"] == "on_event raised for TaskEnded; the tree runs on"


def test_events_are_read_by_async_for(shared: Session) -> None:
    async def run() -> None:
        events = TaskManager(shared).events(await trees_of(shared, *noops(1)))
        _refused(TypeError, "write `async for event in", lambda: list(cast("Any", events)))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        (
            {"status": "done"},
            ValueError,
            'no status "done"; there are: pending, in_progress, completed, failed, cancelled,',
        ),
        ({"status": ["pending", "complete"]}, ValueError, 'did you mean "completed"?'),
        ({"status": 3}, TypeError, "status is a TaskStatus or its text, or several, not an int"),
        ({"status": [3]}, TypeError, "a status is a TaskStatus or its text, not an int (3)"),
        ({"limit": "5"}, TypeError, "limit is a whole number, 1 to 10,000, not a str ('5')"),
        ({"limit": True}, TypeError, "limit is a whole number"),
        ({"limit": 0}, ValueError, "limit is 0; it is 1 to 10,000"),
        ({"name": 5}, TypeError, "name is text, not an int (5)"),
        ({"after": 5}, TypeError, "after is text, not an int (5)"),
    ],
)
def test_what_is_listed_is_said_in_words(
    shared: Session, given: dict[str, Any], kind: type[Exception], text: str
) -> None:
    repository = TaskManager(shared).task_repository
    _refused(kind, text, lambda: asyncio.run(repository.list_tasks(**given)))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ("a", "settings is a dict by name, as {\"run.places\": 8}, not a str ('a')"),
        ({1: 2}, "a name is text, not an int (1)"),
    ],
)
def test_settings_are_a_dict_by_name(settings: Any, text: str) -> None:
    _refused(TypeError, text, lambda: create_session(settings=settings))


@pytest.mark.parametrize(
    ("keyword", "hint"), [("place", 'did you mean "places"?'), ("q", "there are: strict_priority")]
)
def test_run_array_names_the_keyword_that_is_near(keyword: str, hint: str) -> None:
    _refused(
        TypeError,
        f'run_array() has no keyword "{keyword}"; {hint}',
        lambda: run_array([], **cast("Any", {keyword: 3})),
    )


def test_what_belongs_to_a_session_shows_which(tmp_path: Path, shared: Session) -> None:
    assert repr(shared) == "<Session private open>"
    with create_session(f"sqlite:///{tmp_path}/x.db") as kept:
        shown = f"<Session sqlite:///{tmp_path.resolve()}/x.db open>"
        assert repr(kept) == shown
        assert repr(TaskManager(kept)) == f"<TaskManager of {shown}>"
        assert repr(TaskManager(kept).task_repository) == f"<TaskRepository of {shown}>"
        assert repr(TaskCreator(kept)) == f"<TaskCreator of {shown}>"
    assert repr(kept) == shown.removesuffix("open>") + "closed>"


@pytest.mark.parametrize("name", sorted(OWN_EXECUTORS))
def test_the_names_of_inboxds_own_executors_are_taken(name: str) -> None:
    text = f'executor "{name}" is inboxd\'s own; give yours another name'
    _refused(ValueError, text, lambda: executor(name))


def test_the_names_of_inboxds_own_executors_are_known_without_them(tmp_path: Path) -> None:
    settings = load_settings(environ={"INBOXD_STATE__PATH": str(tmp_path)}, cwd=tmp_path)
    offered = load_plugins(settings).origins.values()
    assert {one.name for one in offered if one.distribution == "inboxd"} == OWN_EXECUTORS


def test_a_function_with_its_parameters_exchanged_is_no_executor() -> None:
    def exchanged(context: Any, inputs: Any) -> None: ...

    class Exchanged:
        def execute(self, context: Any, inputs: Any) -> None: ...

    text = '@executor("exchanged"): it is called as f(inputs, context): exchange the two'
    _refused(TypeError, text, lambda: executor("exchanged")(exchanged))
    _refused(TypeError, text, lambda: executor("exchanged")(Exchanged))


def test_an_executor_that_is_there_and_of_no_use_is_not_said_to_be_missing(
    shared: Session,
) -> None:
    @executor("of_no_use", isolation="process")
    def local(inputs: dict[str, Any], context: object) -> None: ...

    async def run(task: dict[str, Any]) -> None:
        await TaskManager(shared).distribute_task_tree(await trees_of(shared, task))

    for task in ({"id": "a", "executor": "of_no_use"}, {"name": "of_no_use"}):
        with pytest.raises(InvalidTaskArray) as caught:
            asyncio.run(run(task))
        (problem,) = caught.value.errors
        assert problem.code == "unknown_executor"
        assert 'executor "of_no_use" cannot run in a worker process' in problem.message
        assert "there is no" not in problem.message
        assert "is none" not in problem.message
        assert problem.hint is None


def test_only_tasks_and_nodes_make_a_tree(shared: Session) -> None:
    async def run() -> None:
        manager = TaskManager(shared)
        task = await manager.task_repository.create_task(name="t", executor="noop")
        node = TaskTreeNode(task)
        forgotten = manager.task_repository.create_task(name="u")
        takers: list[tuple[Callable[[Any], object], str]] = [
            (TaskTreeNode, "TaskTreeNode takes a Task, not "),
            (node.add_child, "add_child takes a TaskTreeNode, not "),
            (lambda one: TaskTrees([node, one]), "TaskTrees takes TaskTreeNodes, not "),
        ]
        for kind, text in takers:
            hint = "did you forget `await` before TaskRepository.create_task(…)?"
            _refused(TypeError, f"{text}a coroutine: {hint}", partial(kind, forgotten))
            _refused(TypeError, f"{text}a str ('t')", partial(kind, "t"))
        _refused(TypeError, "add_child takes a TaskTreeNode, not a Task", lambda: add(node, task))
        _refused(TypeError, "put the TaskTreeNode in [ ]", lambda: TaskTrees(node))
        forgotten.close()
        assert len(node) == 1

        node.children = cast("Any", [task])
        for walks in (node.to_array, node.calculate_status, lambda: node.find("x"), node.__len__):
            _refused(TypeError, "is a TaskTreeNode, not a Task", walks)
        with pytest.raises(TypeError, match="is a TaskTreeNode, not a Task"):
            await manager.distribute_task_tree(node)
        trees = TaskTrees()
        trees.append(cast("Any", task))
        with pytest.raises(TypeError, match="a root is a TaskTreeNode, not a Task"):
            await manager.distribute_task_tree(trees)
        assert task.is_draft

    def add(node: TaskTreeNode, task: Any) -> None:
        node.add_child(task)

    asyncio.run(run())


@pytest.mark.parametrize("verb", ["distribute_task_tree", "wait", "cancel", "retry", "events"])
def test_a_node_below_another_is_no_tree(shared: Session, verb: str) -> None:
    async def run() -> None:
        manager = TaskManager(shared)
        root = await TaskCreator(shared).create_task_tree_from_array(
            [
                {"id": "above", "executor": "noop"},
                {"id": "below", "executor": "noop", "parent_id": "above"},
            ]
        )
        with pytest.raises(ValueError, match="is below another, and so no tree of its own"):
            await getattr(manager, verb)(root.children[0])
        with pytest.raises(ValueError, match="is below another, and so no tree of its own"):
            await getattr(manager, verb)(TaskTrees([root.children[0]]))
        assert all(task.is_draft for task in root.tasks())

    asyncio.run(run())


def _problems(call: Coroutine[Any, Any, object]) -> list[tuple[str, str, str | None]]:
    with pytest.raises(InvalidTaskArray) as caught:
        asyncio.run(call)
    return [(error.code.value, error.pointer, error.hint) for error in caught.value.errors]


def test_bad_extra_fields_hide_nothing_else(shared: Session) -> None:
    create = TaskManager(shared).task_repository.create_task
    extra = {"owner": "me", "x-a": 1, "a/b": 2}
    hint = "give the fields of a task by keyword, and only `x-…` fields in `extra`"
    found = _problems(create(priority=-1, extra=extra))

    assert [problem[:2] for problem in found] == [
        ("out_of_range", "/priority"),
        ("missing_field", ""),
        ("unknown_field", "/extra/owner"),
        ("unknown_field", "/extra/a~1b"),
    ]
    assert found[-1][2] == hint
    assert [problem[:2] for problem in _problems(create(extra=cast("Any", [1])))] == [
        ("missing_field", ""),
        ("wrong_type", "/extra"),
    ]


def test_what_a_program_gives_that_is_no_json_has_a_hint_that_helps(shared: Session) -> None:
    @executor("a_function")
    def function(inputs: Any, context: Any) -> None: ...

    class Strange:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

    create = TaskManager(shared).task_repository.create_task
    task = asyncio.run(create(name="t"))
    forgotten = create(name="u")
    kinds = "JSON has text, numbers, true, false, null, lists and objects"
    given: list[tuple[dict[str, Any], str, str]] = [
        ({"executor": function}, "/executor", 'an executor is given by its name: "a_function"'),
        ({"executor": len}, "/executor", "an executor is given by the name that `@executor` gave"),
        ({"dependencies": [forgotten]}, "/dependencies/0", "did you forget `await`?"),
        ({"dependencies": [TaskTreeNode(task)]}, "/dependencies/0", "by its id: `.task.id`"),
        ({"inputs": {"a": {1}}}, "/inputs/a", "give a list"),
        ({"inputs": {"a": (1, 2)}}, "/inputs/a", "give a list"),
        ({"inputs": {"a": task}}, "/inputs/a", "a task is given by its id: `.id`"),
        ({"inputs": {"a": date(2026, 11, 24)}}, "/inputs/a", "write it as text, in quotes"),
        ({"inputs": {"a": HTTPStatus.OK}}, "/inputs/a", "give int(…) of it"),
        ({"inputs": {"a": MappingProxyType({})}}, "/inputs/a", "give a dict"),
        ({"inputs": {"a": object()}}, "/inputs/a", kinds),
        ({"inputs": {"a": Strange()}}, "/inputs/a", kinds),
    ]
    for fields, pointer, wanted in given:
        ((code, where, hint),) = _problems(create(name="a", **fields))
        assert (code, where) == ("wrong_type", pointer)
        assert wanted in (hint or "")
    forgotten.close()


def test_the_help_of_the_package_shows_both_uses_and_what_it_shows_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registered, "_executors", {})
    text = inboxd.__doc__ or ""
    verbs = re.findall(r"^    \$ inboxd (\w+)", text, re.MULTILINE)
    assert verbs
    assert set(verbs) <= VERBS.keys()
    (program,) = re.findall(r"^    import inboxd\n.*(?=^In a )", text, re.MULTILINE | re.DOTALL)
    exec(textwrap.dedent(program), {"__name__": "shown"})  # noqa: S102 - it is the package's own
    assert "Hello, world!" in capsys.readouterr().out
