"""Attempts in threads."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.running.outcomes import CUT
from inboxd.task import Completed, TaskErrorCode

from .runner_bed import LIMIT_SECONDS, RunnerBed, attempt, completed, exit_status, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from inboxd.plugins.protocol import TaskContext


class Blocks:
    """An executor with isolation `thread` that calls a function."""

    name = "blocks"
    description = "Calls a function in a thread."
    inputs_schema: Mapping[str, Any] | None = None
    isolation = "thread"

    def __init__(self, function: Callable[[dict[str, Any], TaskContext], Any]) -> None:
        self._function = function

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        return self._function(inputs, context)


def test_what_the_function_returns_is_the_result(tmp_path: Path) -> None:
    with RunnerBed(tmp_path, executors=[Blocks(lambda inputs, _: inputs["n"] * 2)]) as bed:
        outcomes = bed.run(attempt("blocks", {"n": 21}))

    assert completed(outcomes[0]) == 42


def test_what_the_function_raises_is_the_outcome(tmp_path: Path) -> None:
    def leave(inputs: dict[str, Any], context: TaskContext) -> None:
        raise SystemExit(4)

    with RunnerBed(tmp_path, executors=[Blocks(leave)]) as bed:
        outcome = failed(bed.run(attempt("blocks"))[0])
        after = bed.run(attempt("noop", position=1))

    assert outcome.error.message == "SystemExit: 4"
    assert ", in leave\n    raise SystemExit(4)" in (outcome.error.traceback or "")
    assert after == [Completed()]


def test_attempts_run_side_by_side_as_far_as_there_are_places(tmp_path: Path) -> None:
    barrier = threading.Barrier(3)

    def meet(inputs: dict[str, Any], context: TaskContext) -> int:
        return barrier.wait(LIMIT_SECONDS)

    with RunnerBed(tmp_path, executors=[Blocks(meet)], places=3) as bed:
        outcomes = bed.run(*[attempt("blocks", position=number) for number in range(3)])

    assert sorted(map(completed, outcomes)) == [0, 1, 2]


def test_an_attempt_does_not_wait_behind_a_long_one_while_places_are_free(
    tmp_path: Path,
) -> None:
    release = threading.Event()

    def wait_if_long(inputs: dict[str, Any], context: TaskContext) -> None:
        if inputs.get("long"):
            release.wait(LIMIT_SECONDS)

    with RunnerBed(tmp_path, executors=[Blocks(wait_if_long)], places=3) as bed:
        for position in range(50):
            bed.run(attempt("blocks", position=position))
        long = attempt("blocks", {"long": True}, position=100)
        short = attempt("blocks", position=101)
        bed.runner.run([long, short])
        bed.outcome(short)
        is_long_running = not bed.has_outcome(long)
        release.set()
        bed.outcome(long)

    assert is_long_running


def test_no_more_threads_are_made_than_there_are_places(tmp_path: Path) -> None:
    lock = threading.Lock()
    now, most = [0], [0]

    def count(inputs: dict[str, Any], context: TaskContext) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.001)
        with lock:
            now[0] -= 1

    with RunnerBed(tmp_path, executors=[Blocks(count)], places=2) as bed:
        bed.run(*[attempt("blocks", position=number) for number in range(30)])

    assert most[0] <= 2


class TestAnAttemptOverItsTimeLimit:
    """Its thread goes on, and keeps its place until it returns."""

    def test_is_reported_at_once_and_its_place_when_the_thread_returns(
        self, tmp_path: Path
    ) -> None:
        release = threading.Event()
        seen: list[bool] = []

        def hang(inputs: dict[str, Any], context: TaskContext) -> str:
            release.wait(LIMIT_SECONDS)
            seen.append(context.cancelled)
            return "too late"

        with RunnerBed(tmp_path, executors=[Blocks(hang)]) as bed:
            outcome = failed(bed.run(attempt("blocks", timeout_seconds=0.05))[0])
            kept = list(bed.places_kept)
            release.set()
            bed.wait_until(lambda: len(bed.places_kept) == 2)

        assert outcome.error.code == TaskErrorCode.TIMEOUT
        assert kept == [1]
        assert bed.places_kept == [1, -1]
        assert seen == [True]

    def test_holds_back_the_next_attempt_of_its_task(self, tmp_path: Path) -> None:
        release = threading.Event()
        alive: list[int] = []

        def hang(inputs: dict[str, Any], context: TaskContext) -> int:
            alive.append(context.attempt)
            if context.attempt == 1:
                release.wait(LIMIT_SECONDS)
            number = len(alive)
            alive.remove(context.attempt)
            return number

        first = attempt("blocks", timeout_seconds=0.05)
        second = attempt("blocks", number=2)
        with RunnerBed(tmp_path, executors=[Blocks(hang)]) as bed:
            failed(bed.run(first)[0])
            bed.runner.run([second])
            bed.run(attempt("noop", position=1))
            is_held_back = not bed.has_outcome(second)
            release.set()
            outcome = bed.outcome(second)

        assert is_held_back
        assert completed(outcome) == 1


def test_an_attempt_in_time_gives_its_place_back_by_its_outcome(tmp_path: Path) -> None:
    with RunnerBed(tmp_path, executors=[Blocks(lambda *_: None)]) as bed:
        bed.run(attempt("blocks", timeout_seconds=30))

    assert bed.places_kept == []


def test_a_cut_does_not_wait_for_threads(tmp_path: Path) -> None:
    begun = threading.Event()
    release = threading.Event()

    def hang(inputs: dict[str, Any], context: TaskContext) -> None:
        begun.set()
        release.wait(LIMIT_SECONDS)

    bed = RunnerBed(tmp_path, executors=[Blocks(hang)])
    bed.runner.start()
    bed.runner.run([one := attempt("blocks")])
    begun.wait(LIMIT_SECONDS)
    bed.runner.cut()
    outcome = bed.outcome(one)
    bed.runner.stop()
    release.set()

    assert outcome == CUT


def test_what_is_in_a_thread_is_shown_as_running(tmp_path: Path) -> None:
    begun = threading.Event()
    release = threading.Event()

    def hang(inputs: dict[str, Any], context: TaskContext) -> None:
        begun.set()
        release.wait(LIMIT_SECONDS)

    with RunnerBed(tmp_path, executors=[Blocks(hang)]) as bed:
        bed.runner.run([one := attempt("blocks")])
        begun.wait(LIMIT_SECONDS)
        shown = [running.attempt for running in bed.runner.running()]
        release.set()
        bed.outcome(one)

    assert shown == [one]


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("returns", 0),
        ("exits", 3),
        ("raises", 1),
    ],
)
@pytest.mark.parametrize("isolation", ["thread", "command"])
def test_a_child_that_the_executor_forks_does_not_go_on_as_the_daemon(
    tmp_path: Path, isolation: str, ending: str, status: int
) -> None:
    statuses: list[int] = []

    def fork(inputs: dict[str, Any], context: TaskContext) -> str:
        pid = os.fork()
        if pid == 0:
            match ending:
                case "exits":
                    sys.exit(3)
                case "raises":
                    raise ValueError("in the child")
                case _:
                    return "of the child"
        statuses.append(exit_status(pid))
        raise ValueError("in the parent")

    executor = Blocks(fork)
    executor.isolation = isolation
    with RunnerBed(tmp_path, executors=[executor]) as bed:
        outcome = failed(bed.run(attempt("blocks"))[0])

    assert statuses == [status]
    assert outcome.error.message == "ValueError: in the parent"
