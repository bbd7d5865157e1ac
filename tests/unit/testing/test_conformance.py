"""The conformance suite: good executors pass it, and each rule fails for one that breaks it."""

from __future__ import annotations

import asyncio
import math
import os
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from inboxd import executor
from inboxd.testing import ExecutorConformance
from inboxd.testing import conformance as conformance_module

from . import sample_executors as samples

if TYPE_CHECKING:
    from pathlib import Path

    from inboxd import TaskContext


class TestOnLoop(ExecutorConformance):
    executor = samples.on_loop
    bad_inputs = ({"seconds": "long"},)
    failing_inputs = ({"fails": True},)
    slow_inputs: ClassVar[Any] = {"seconds": 60}


class TestInThread(ExecutorConformance):
    executor = samples.in_thread
    good_inputs = ({}, {"seconds": 0.02})
    failing_inputs = ({"fails": True},)
    slow_inputs: ClassVar[Any] = {"seconds": 60}


def _suite(executor: Any, **more: Any) -> ExecutorConformance:
    """Return the suite of an executor, whose tests can be called."""
    made: ExecutorConformance = type(
        "Suite", (ExecutorConformance,), {"executor": executor, **more}
    )()
    return made


def _fails(match: str) -> Any:
    return pytest.raises(pytest.fail.Exception, match=match)


def test_a_result_that_is_no_json_is_told(tmp_path: Path) -> None:
    with _fails("t0 failed: invalid_result: the result is no JSON value"):
        _suite(samples.no_json).test_good_inputs_complete_with_a_result(tmp_path)


def test_good_inputs_must_be_given_where_none_at_all_do_not_do(tmp_path: Path) -> None:
    class Needs(samples.Once):
        inputs_schema: ClassVar[Any] = {"type": "object", "required": ["file"]}

    with _fails(r"say good_inputs = .*\"file\\*\" is missing"):
        _suite(Needs()).test_good_inputs_complete_with_a_result(tmp_path)


def test_the_example_of_an_executor_will_do(tmp_path: Path) -> None:
    class Shows(samples.Once):
        inputs_schema: ClassVar[Any] = {"type": "object", "required": ["file"]}
        example: ClassVar = {"file": "a"}

    _suite(Shows()).test_good_inputs_complete_with_a_result(tmp_path)


def test_a_schema_that_takes_any_key_is_told(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="takes any key"):
        _suite(samples.Once()).test_an_unknown_input_is_rejected(tmp_path)


def test_bad_inputs_that_are_accepted_are_told(tmp_path: Path) -> None:
    suite = _suite(samples.on_loop, bad_inputs=({"seconds": 1},))

    with _fails("these inputs are accepted"):
        suite.test_bad_inputs_are_rejected(tmp_path)


def test_an_executor_that_works_once_is_told(tmp_path: Path) -> None:
    with _fails("a second time does not work"):
        _suite(samples.Once()).test_it_runs_beside_itself_and_again(tmp_path)
    with _fails("after a restart: t0 failed"):
        (again := tmp_path / "again").mkdir()
        _suite(samples.Once()).test_it_does_not_change_with_the_daemon_s_life(again)


def test_inputs_that_do_not_fail_are_told(tmp_path: Path) -> None:
    suite = _suite(samples.silent, failing_inputs=({"fails": True},))

    with _fails("task completed"):
        suite.test_it_fails_in_words(tmp_path)


def test_a_thread_that_does_not_look_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conformance_module, "_GRACE_SECONDS", 1.0)
    suite = _suite(samples.deaf, slow_inputs={"seconds": 3})

    with _fails("does not look at context.cancelled"):
        suite.test_its_time_limit_ends_it(tmp_path)


def test_a_coroutine_that_ignores_its_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conformance_module, "_GRACE_SECONDS", 0.2)
    suite = _suite(samples.stubborn, slow_inputs={"seconds": 1})

    with _fails("does not end when it is cancelled"):
        suite.test_a_stop_ends_it(tmp_path)


def test_a_failure_without_words_is_told(tmp_path: Path) -> None:
    @executor("wordless")
    async def wordless(inputs: samples.Wait, context: TaskContext) -> None:
        """Fails without a word."""
        raise RuntimeError

    with _fails("its error says nothing: task failed: exception: RuntimeError"):
        _suite(wordless, failing_inputs=({},)).test_it_fails_in_words(tmp_path)


@pytest.mark.parametrize("value", [math.nan, {"a"}])
def test_a_result_that_json_would_change_is_told(tmp_path: Path, value: object) -> None:
    @executor("changes")
    async def changes(inputs: samples.Wait, context: TaskContext) -> object:
        """Returns what JSON has no word for."""
        return value

    with _fails("invalid_result: the result is no JSON value"):
        _suite(changes).test_good_inputs_complete_with_a_result(tmp_path)


def test_an_asyncio_task_that_is_left_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conformance_module, "_END_SECONDS", 0.3)
    left: list[asyncio.Task[None]] = []

    @executor("leaves-tasks")
    async def leaves_tasks(inputs: samples.Wait, context: TaskContext) -> None:
        """Leaves a task on the loop."""
        left.append(asyncio.create_task(asyncio.sleep(600)))

    with _fails(r"left behind:\n  asyncio task [0-9]+: sleep"):
        _suite(leaves_tasks).test_it_leaves_nothing_behind(tmp_path)


@pytest.mark.parametrize("what", ["working directory", "os.environ", "umask"])
def test_a_change_of_what_the_daemon_shares_is_told(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conformance_module, "_END_SECONDS", 0.3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHANGED", "not yet")
    umask = os.umask(0o022)

    @executor("changes-all")
    def changes_all(inputs: samples.Wait, context: TaskContext) -> None:
        """Changes what is not its own."""
        match what:
            case "working directory":
                os.chdir(context.directory)
            case "os.environ":
                os.environ["CHANGED"] = "yes"
            case _:
                os.umask(0o077)

    try:
        with _fails(f"left behind:\n  changed {what}"):
            _suite(changes_all).test_it_leaves_nothing_behind(tmp_path)
    finally:
        os.umask(umask)


@pytest.mark.parametrize("what", ["thread", "child process", "open descriptor"])
def test_what_is_left_behind_is_told(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conformance_module, "_END_SECONDS", 0.3)
    leaves = samples.Leaves(what)
    try:
        with _fails(f"left behind:\n  {what} [0-9]+: "):
            _suite(leaves).test_it_leaves_nothing_behind(tmp_path)
    finally:
        leaves.clear()


def test_a_suite_without_an_executor_is_told(tmp_path: Path) -> None:
    class Bare(ExecutorConformance):
        __test__ = False

    with _fails("say in Bare: executor = what is tested"):
        Bare().test_it_is_an_executor(tmp_path)


def test_a_name_that_nobody_offers_is_told(tmp_path: Path) -> None:
    with _fails("there is no executor 'nope': nothing offers it; give config or plugin"):
        _suite("nope").test_it_is_an_executor(tmp_path)


def test_an_executor_that_is_none_is_told(tmp_path: Path) -> None:
    class Wordless(samples.Once):
        description = ""

    with _fails("its description is one sentence"):
        _suite(Wordless()).test_it_is_an_executor(tmp_path)
