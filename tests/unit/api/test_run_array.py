"""`run_array`: the synchronous twin of `distribute_task_tree`."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import InvalidTaskArray, create_session, executor, run_array
from inboxd.api.run_array import SessionSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_script_reads_results_when_all_is_over() -> None:
    @executor("run_array_add")
    def run_array_add(inputs: dict[str, Any], context: Any) -> int:
        total: int = inputs["x"] + sum(context.dependencies.values())
        return total

    array: list[dict[str, Any]] = [
        {"id": "a", "inputs": {"x": 1}},
        {"id": "b", "inputs": {"x": 2}, "dependencies": ["a"]},
        {"id": "c", "inputs": {"x": 3}, "dependencies": ["a", "b"], "parent_id": "b"},
    ]
    trees = run_array(array, name="sums", defaults={"executor": "run_array_add"})

    assert [task.result for task in trees.tasks()] == [1, 3, 7]
    assert [task.attempts for task in trees.tasks()] == [1, 1, 1]
    assert trees.calculate_status() == "completed"
    assert repr(trees) == "a: completed\nb: completed\n  c: completed"
    assert trees.to_array()[2]["dependencies"] == ["a", "b"]


def test_settings_are_those_of_sessions() -> None:
    order: list[str] = []

    @executor("run_array_note")
    def run_array_note(inputs: dict[str, Any], context: Any) -> None:
        order.append(context.task_id)

    array = [
        {"id": task_id, "executor": "run_array_note", "priority": priority}
        for task_id, priority in (("low", 3), ("urgent", 0), ("normal", 2))
    ]
    run_array(array, places=1)

    assert order == ["urgent", "normal", "low"]


def test_all_settings_of_sessions_may_be_given() -> None:
    keywords = inspect.signature(create_session).parameters
    given = {name: keyword.annotation for name, keyword in keywords.items() if name != "url"}
    typed = {name: kind.__forward_arg__ for name, kind in SessionSettings.__annotations__.items()}

    assert typed == given


def test_a_store_that_is_named_is_kept(tmp_path: Path) -> None:
    run_array([{"id": "a", "executor": "noop"}], url=f"sqlite:///{tmp_path / 'x.db'}")

    assert (tmp_path / "x.db").exists()


def test_errors_come_as_they_are() -> None:
    with pytest.raises(InvalidTaskArray, match="there is no executor"):
        run_array([{"id": "a", "executor": "nobody_has_this"}])


def test_in_an_event_loop_it_says_what_to_await() -> None:
    async def inside() -> None:
        run_array([{"id": "a", "executor": "noop"}])

    with pytest.raises(RuntimeError, match="await TaskManager"):
        asyncio.run(inside())


def test_ctrl_c_ends_what_runs() -> None:
    ended = threading.Event()

    @executor("run_array_interrupt")
    async def run_array_interrupt(inputs: object, context: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            ended.set()

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_array([{"id": "a", "executor": "run_array_interrupt"}])

    assert ended.is_set()
    assert signal.getsignal(signal.SIGINT) is before
