"""Executors that `@executor` made in this process: when they count, and whom a bad one stops."""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import (
    ConfigurationError,
    InputProblem,
    InvalidTaskArray,
    TaskManager,
    TaskTreeNode,
    create_session,
    executor,
)
from inboxd.plugins import registered
from inboxd.plugins.registered import register
from inboxd.store.reader import StoreReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from inboxd import Session, Task


@pytest.fixture(autouse=True)
def only_those_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "_executors", {})


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    with create_session() as session:
        yield session


def run(session: Session, name: str, **fields: Any) -> Task:
    async def main() -> Task:
        manager = TaskManager(session)
        task = await manager.task_repository.create_task(name="a", executor=name, **fields)
        await manager.distribute_task_tree(TaskTreeNode(task))
        return task

    return asyncio.run(main())


def refusal(session: Session, name: str) -> str:
    before = trees(session)
    with pytest.raises(InvalidTaskArray) as raised:
        run(session, name)
    (error,) = raised.value.errors

    assert error.code.value == "unknown_executor"
    assert trees(session) == before, "nothing of a refused tree is stored"
    return f"{error.message}: {error.hint}"


def trees(session: Session) -> list[str]:
    with StoreReader(session._engine.settings.store.url) as reader:
        return [tree.id for tree in reader.list_trees(limit=1_000)]


def test_what_is_defined_again_counts_from_the_next_tree_on_whatever_its_isolation(
    shared: Session,
) -> None:
    found: list[object] = []

    @executor("again", inputs_schema={"type": "object", "required": ["x"]})
    def first(inputs: dict[str, Any], context: object) -> str:
        return "thread"

    found.append(run(shared, "again", inputs={"x": 1}).result)

    @executor("again")
    async def second(inputs: dict[str, Any], context: object) -> str:
        return "loop"

    found.append(run(shared, "again").result)

    @executor("again")
    class Third:
        def execute(self, inputs: dict[str, Any], context: object) -> str:
            return f"thread of {inputs['of']}"

    found.append(run(shared, "again", inputs={"of": "a class"}).result)

    assert found == ["thread", "loop", "thread of a class"]


def test_a_plugins_executor_stands_back_behind_one_of_the_process(shared: Session) -> None:
    @executor("http")
    def own(inputs: dict[str, Any], context: object) -> str:
        return "own"

    assert shared._engine.plugins.origins["http"].distribution == "inboxd-http"
    assert run(shared, "http", inputs={"no": "url"}).result == "own"


def test_inputs_from_results_are_held_against_the_newest_definition(shared: Session) -> None:
    def define(wanted: str) -> None:
        @executor("reads", inputs_schema={"properties": {"x": {"type": wanted}}})
        def reads(inputs: dict[str, Any], context: object) -> object:
            return inputs["x"]

    @executor("gives")
    def gives(inputs: dict[str, Any], context: object) -> str:
        return "text"

    async def main() -> tuple[str, object]:
        manager = TaskManager(shared)
        create = manager.task_repository.create_task
        one = await create(id="one", name="gives")
        inputs = {"x": "{{ tasks.one.result }}"}
        two = await create(id="two", name="reads", dependencies=["one"], inputs=inputs)
        tree = TaskTreeNode(one)
        tree.add_child(TaskTreeNode(two))
        await manager.distribute_task_tree(tree)
        return two.status.value, two.result

    define("number")
    before = asyncio.run(main())
    define("string")

    assert before == ("failed", None)
    assert asyncio.run(main()) == ("completed", "text")


def test_an_executor_that_nobody_has_is_refused_with_the_nearest_names(shared: Session) -> None:
    @executor("fetch_data")
    def fetch(inputs: dict[str, Any], context: object) -> None: ...

    assert 'there is no executor "fetch_dat": did you mean "fetch_data"?' in refusal(
        shared, "fetch_dat"
    )


def test_one_that_cannot_be_used_refuses_those_that_name_it_and_no_other(shared: Session) -> None:
    @executor("renamed")
    def renamed(inputs: dict[str, Any], context: object) -> None: ...

    # Refused by the decorator itself; this is what it does not see.
    renamed.name = "command"
    register(renamed)

    @executor("local", isolation="process")
    def local(inputs: dict[str, Any], context: object) -> None: ...

    @executor("hangs_to_configure")
    class Refuses:
        def configure(self, options: object) -> None:
            raise RuntimeError("no licence")

        def execute(self, inputs: Any, context: Any) -> None: ...

    assert run(shared, "noop").status.value == "completed"
    assert "is inboxd's own; give yours another name" in refusal(shared, "command")
    assert "it is defined inside a function" in refusal(shared, "local")
    assert "cannot be configured" in refusal(shared, "hangs_to_configure")
    assert "no licence" in refusal(shared, "hangs_to_configure")


def test_settings_are_for_those_that_there_are_already() -> None:
    settings = {"executors.tuned.size": 8, "executors.off.enabled": False}
    with pytest.raises(ConfigurationError, match="no plugin offers this executor"):
        create_session(settings=settings)

    @executor("tuned")
    class Tuned:
        def configure(self, options: Mapping[str, Any]) -> None:
            self.size = options["size"]

        def execute(self, inputs: Any, context: Any) -> object:
            return self.size

    @executor("off")
    def off(inputs: dict[str, Any], context: object) -> None: ...

    with create_session(settings=settings) as session:
        assert run(session, "tuned").result == 8
        assert "is switched off by [executors.off] enabled" in refusal(session, "off")


def test_the_next_definition_of_one_that_could_not_be_used_can_be(shared: Session) -> None:
    @executor("mended", isolation="process")
    def local(inputs: dict[str, Any], context: object) -> None: ...

    assert "cannot run in a worker process" in refusal(shared, "mended")

    @executor("mended")
    def here(inputs: dict[str, Any], context: object) -> str:
        return "here"

    assert run(shared, "mended").result == "here"


def test_a_bad_definition_is_not_hidden_by_the_good_one_before(shared: Session) -> None:
    @executor("broken")
    def good(inputs: dict[str, Any], context: object) -> str:
        return "good"

    run(shared, "broken")

    @executor("broken", isolation="process")
    def bad(inputs: dict[str, Any], context: object) -> None: ...

    assert "cannot run in a worker process" in refusal(shared, "broken")


def test_its_own_check_of_inputs_is_asked(shared: Session) -> None:
    @executor("checks")
    class Checks:
        def input_problems(self, inputs: dict[str, Any]) -> list[InputProblem]:
            return [InputProblem(path=("x",), message="too small")] if inputs["x"] < 3 else []

        def execute(self, inputs: dict[str, Any], context: Any) -> int:
            return int(inputs["x"])

    with pytest.raises(InvalidTaskArray, match="too small"):
        run(shared, "checks", inputs={"x": 1})

    assert run(shared, "checks", inputs={"x": 4}).result == 4


def test_a_worker_process_imports_what_was_defined_again(
    shared: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own_module.py"
    text = """
from inboxd import executor

@executor("of_a_module", isolation="process")
def function(inputs, context):
    return VALUE
"""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two versions within one second
    file.write_text(text + "VALUE = 1")
    module = importlib.import_module("own_module")
    first = run(shared, "of_a_module").result
    file.write_text(text + "VALUE = 20")
    importlib.reload(module)
    again = run(shared, "of_a_module").result
    monkeypatch.delitem(sys.modules, "own_module")

    assert (first, again) == (1, 20)
