"""Attempts on the event loop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.errors import NoRetry, RetryLater
from inboxd.plugins import protocol
from inboxd.running import event_loop
from inboxd.running.outcomes import CUT
from inboxd.task import Completed, TaskErrorCode

from .runner_bed import (
    LIMIT_SECONDS,
    RunnerBed,
    attempt,
    completed,
    exit_status,
    failed,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from inboxd.plugins.protocol import TaskContext


class Calls:
    """An executor with isolation `async` that calls a function."""

    name = "calls"
    description = "Calls a function."
    inputs_schema: Mapping[str, Any] | None = None
    isolation = "async"

    def __init__(self, function: Callable[[dict[str, Any], TaskContext], Any]) -> None:
        self._function = function

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        return self._function(inputs, context)


def test_a_noop_has_the_result_null(tmp_path: Path) -> None:
    with RunnerBed(tmp_path) as bed:
        outcomes = bed.run(attempt("noop", {"anything": [1]}))

    assert outcomes == [Completed(result=None)]


def test_noops_handed_over_together_are_reported_together(tmp_path: Path) -> None:
    attempts = [attempt("noop", position=position) for position in range(1000)]

    with RunnerBed(tmp_path) as bed:
        outcomes = bed.run(*attempts)

    assert outcomes == [Completed()] * 1000
    # One report for all, unless the machine is so busy that the time for one is over.
    assert len(bed.reports) < 100


def test_an_executor_that_returns_at_once_makes_no_asyncio_task(tmp_path: Path) -> None:
    tasks: list[int] = []

    def count(inputs: dict[str, Any], context: TaskContext) -> None:
        tasks.append(len(asyncio.all_tasks()))

    with RunnerBed(tmp_path, executors=[Calls(count)]) as bed:
        bed.run(*[attempt("calls", position=position) for position in range(10)])

    assert tasks == [0] * 10


def test_a_value_returned_at_once_is_the_result(tmp_path: Path) -> None:
    with RunnerBed(tmp_path, executors=[Calls(lambda inputs, _: inputs["n"] + 1)]) as bed:
        outcomes = bed.run(attempt("calls", {"n": 1}))

    assert outcomes == [Completed(result=b"2")]


def test_what_a_coroutine_returns_is_the_result(tmp_path: Path) -> None:
    async def later(inputs: dict[str, Any], context: TaskContext) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"task": context.task_id, "params": dict(context.params)}

    with RunnerBed(tmp_path, executors=[Calls(later)]) as bed:
        outcomes = bed.run(attempt("calls", params={"depth": 3}))

    assert completed(outcomes[0]) == {"task": "task-0", "params": {"depth": 3}}


def test_a_thousand_attempts_wait_at_one_time(tmp_path: Path) -> None:
    barrier: list[asyncio.Event] = []
    arrived: list[None] = []

    async def wait_for_all(inputs: dict[str, Any], context: TaskContext) -> None:
        if not barrier:
            barrier.append(asyncio.Event())
        arrived.append(None)
        if len(arrived) == 1000:
            barrier[0].set()
        await barrier[0].wait()

    with RunnerBed(tmp_path, executors=[Calls(wait_for_all)]) as bed:
        outcomes = bed.run(*[attempt("calls", position=number) for number in range(1000)])

    assert outcomes == [Completed()] * 1000


@pytest.mark.parametrize(
    ("error", "message", "retryable", "retry_after"),
    [
        (ValueError("no such bucket"), "ValueError: no such bucket", True, None),
        (KeyError(), "KeyError", True, None),
        (SystemExit(3), "SystemExit: 3", True, None),
        (KeyboardInterrupt(), "KeyboardInterrupt", True, None),
        (NoRetry("the account is closed"), "the account is closed", False, None),
        (RetryLater(7.5, "rate limit"), "rate limit", True, 7.5),
        (ValueError("\x1b[31mred\u202e"), r"ValueError: \x1b[31mred\u202e", True, None),
    ],
)
@pytest.mark.parametrize("kind", ["at once", "in a coroutine"])
def test_what_an_executor_raises_is_the_outcome(
    tmp_path: Path,
    kind: str,
    error: BaseException,
    message: str,
    retryable: bool,
    retry_after: float | None,
) -> None:
    def at_once(inputs: dict[str, Any], context: TaskContext) -> None:
        raise error

    async def later(inputs: dict[str, Any], context: TaskContext) -> None:
        await asyncio.sleep(0)
        raise error

    with RunnerBed(tmp_path, executors=[Calls(at_once if kind == "at once" else later)]) as bed:
        outcome = failed(bed.run(attempt("calls"))[0])

    assert outcome.error.code == TaskErrorCode.EXCEPTION
    assert outcome.error.message == message
    assert outcome.retryable == retryable
    assert outcome.retry_after_seconds == retry_after
    where = "at_once" if kind == "at once" else "later"
    assert f", in {where}\n    raise error" in (outcome.error.traceback or "")


def test_an_attempt_over_its_time_limit_is_cancelled(tmp_path: Path) -> None:
    cancelled = threading.Event()

    async def hang(inputs: dict[str, Any], context: TaskContext) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with RunnerBed(tmp_path, executors=[Calls(hang)]) as bed:
        outcome = failed(bed.run(attempt("calls", timeout_seconds=0.05))[0])

    assert outcome.error.code == TaskErrorCode.TIMEOUT
    assert outcome.error.message == "it was ended after its time limit of 0.05 s"
    assert cancelled.is_set()


class TestAnAttemptThatIgnoresItsTimeLimit:
    """It is reported after the grace, and keeps its place until it returns."""

    def test_is_reported_and_its_place_when_it_returns(self, tmp_path: Path) -> None:
        release = threading.Event()
        seen: list[bool] = []

        with RunnerBed(tmp_path, executors=[Calls(ignoring(release, seen))]) as bed:
            outcome = failed(bed.run(attempt("calls", timeout_seconds=0.05))[0])
            kept, shown = list(bed.places_kept), bed.runner.running()
            release.set()
            bed.wait_until(lambda: len(bed.places_kept) == 2)

        assert outcome.error.code == TaskErrorCode.TIMEOUT
        assert kept == [1]
        assert bed.places_kept == [1, -1]
        assert shown == []
        assert all(seen)

    def test_is_cancelled_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_loop, "_AGAIN_SECONDS", 0.01)
        release = threading.Event()
        seen: list[bool] = []

        with RunnerBed(
            tmp_path, executors=[Calls(ignoring(release, seen))], grace_seconds=0.01
        ) as bed:
            bed.run(attempt("calls", timeout_seconds=0.01))
            until(lambda: len(seen) >= 4)
            release.set()

    def test_holds_back_the_next_attempt_of_its_task(self, tmp_path: Path) -> None:
        release = threading.Event()
        ignore = ignoring(release, [])
        running: list[int] = []

        async def first_ignores(inputs: dict[str, Any], context: TaskContext) -> list[int]:
            running.append(context.attempt)
            if context.attempt == 1:
                await ignore(inputs, context)
            now = list(running)
            running.remove(context.attempt)
            return now

        second = attempt("calls", number=2)
        with RunnerBed(tmp_path, executors=[Calls(first_ignores)], grace_seconds=0.01) as bed:
            failed(bed.run(attempt("calls", timeout_seconds=0.05))[0])
            bed.runner.run([second])
            bed.run(attempt("noop", position=1))
            is_held_back = not bed.has_outcome(second)
            release.set()
            outcome = bed.outcome(second)

        assert is_held_back
        assert completed(outcome) == [2]

    def test_is_cut_while_it_holds_back_another(self, tmp_path: Path) -> None:
        release = threading.Event()
        second = attempt("calls", number=2)

        bed = RunnerBed(tmp_path, executors=[Calls(ignoring(release, []))], grace_seconds=0.01)
        bed.runner.start()
        failed(bed.run(attempt("calls", timeout_seconds=0.05))[0])
        bed.runner.run([second])
        bed.run(attempt("noop", position=1))
        bed.runner.stop()
        outcome = bed.outcome(second)
        release.set()

        assert outcome == CUT


def ignoring(
    release: threading.Event, seen: list[bool]
) -> Callable[[dict[str, Any], TaskContext], Coroutine[Any, Any, str]]:
    """Return a function that goes on when it is cancelled, and notes what the context says then."""

    async def ignore(inputs: dict[str, Any], context: TaskContext) -> str:
        while not release.is_set():
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                seen.append(context.cancelled)
        return "too late"

    return ignore


def test_a_value_that_is_returned_past_the_time_limit_does_not_count(tmp_path: Path) -> None:
    async def return_late(inputs: dict[str, Any], context: TaskContext) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "too late"
        return "never"

    with RunnerBed(tmp_path, executors=[Calls(return_late)]) as bed:
        outcome = failed(bed.run(attempt("calls", timeout_seconds=0.05))[0])

    assert outcome.error.code == TaskErrorCode.TIMEOUT
    assert bed.places_kept == []


@pytest.mark.parametrize("by", ["time limit", "cut"])
def test_the_context_says_cancelled_when_the_attempt_is(tmp_path: Path, by: str) -> None:
    begun = threading.Event()
    seen: list[bool] = []

    async def look(inputs: dict[str, Any], context: TaskContext) -> None:
        seen.append(context.cancelled)
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(context.cancelled)

    one = attempt("calls", timeout_seconds=0.05 if by == "time limit" else None)
    with RunnerBed(tmp_path, executors=[Calls(look)]) as bed:
        bed.runner.run([one])
        begun.wait(LIMIT_SECONDS)
        if by == "cut":
            bed.runner.cut()
        bed.outcome(one)

    assert seen == [False, True]


def test_the_context_has_no_more_than_is_documented(tmp_path: Path) -> None:
    names: list[str] = []

    def look(inputs: dict[str, Any], context: TaskContext) -> None:
        names.extend(name for name in dir(context) if not name.startswith("_"))

    with RunnerBed(tmp_path, executors=[Calls(look)]) as bed:
        bed.run(attempt("calls"))

    documented = {name for name in dir(protocol.TaskContext) if not name.startswith("_")}
    assert set(names) == documented | {*protocol.TaskContext.__annotations__}


def test_a_stop_cancels_tasks_that_executors_left_on_the_loop(tmp_path: Path) -> None:
    left: list[asyncio.Task[None]] = []

    async def leave(inputs: dict[str, Any], context: TaskContext) -> None:
        left.append(asyncio.create_task(asyncio.sleep(60)))

    with RunnerBed(tmp_path, executors=[Calls(leave)]) as bed:
        bed.run(attempt("calls"))

    assert left[0].cancelled()


@pytest.mark.parametrize("ending", ["at once", "in a coroutine", "on the loop"])
def test_a_child_that_the_executor_forks_does_not_go_on_as_the_daemon(
    tmp_path: Path, ending: str
) -> None:
    statuses: list[int] = []

    def fork(inputs: dict[str, Any], context: TaskContext) -> str:
        pid = os.fork()
        if pid == 0:
            return "of the child"
        statuses.append(exit_status(pid))
        return "of the parent"

    async def fork_later(inputs: dict[str, Any], context: TaskContext) -> str:
        await asyncio.sleep(0)
        future = asyncio.get_running_loop().create_future()
        said = fork(inputs, context)
        if said == "of the child" and ending == "on the loop":
            await future
        return said

    with RunnerBed(tmp_path, executors=[Calls(fork if ending == "at once" else fork_later)]) as bed:
        outcomes = bed.run(attempt("calls"))

    assert completed(outcomes[0]) == "of the parent"
    assert statuses == [1 if ending == "on the loop" else 0]


def test_nothing_is_printed_when_the_process_ends_beside_what_ignores_its_end(
    tmp_path: Path,
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _IGNORING_PROGRAM, str(tmp_path), str(Path(__file__).parents[3])],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS + 30,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


_IGNORING_PROGRAM = """
import asyncio, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import logging; logging.getLogger("inboxd").addHandler(logging.NullHandler())
from tests.unit.running.runner_bed import RunnerBed, attempt
from tests.unit.running.test_runner_async import Calls

begun = threading.Event()

async def ignore(inputs, context):
    begun.set()
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

async def leave(inputs, context):
    leave.task = asyncio.create_task(ignore(inputs, context))

with RunnerBed(Path(sys.argv[1]), executors=[Calls(ignore)], grace_seconds=0.05) as bed:
    bed.runner.run([attempt("calls")])
    begun.wait(30)
"""


def test_the_default_time_limit_holds_where_a_task_has_none(tmp_path: Path) -> None:
    async def hang(inputs: dict[str, Any], context: TaskContext) -> None:
        await asyncio.Event().wait()

    with RunnerBed(tmp_path, executors=[Calls(hang)], default_timeout_seconds=0.05) as bed:
        outcome = failed(bed.run(attempt("calls"))[0])

    assert outcome.error.code == TaskErrorCode.TIMEOUT


def test_an_executors_own_timeout_error_is_not_the_tasks_time_limit(tmp_path: Path) -> None:
    async def lose_patience(inputs: dict[str, Any], context: TaskContext) -> None:
        raise TimeoutError("the server did not answer")

    with RunnerBed(tmp_path, executors=[Calls(lose_patience)]) as bed:
        outcome = failed(bed.run(attempt("calls", timeout_seconds=30))[0])

    assert outcome.error.code == TaskErrorCode.EXCEPTION


@pytest.mark.parametrize("value", [object(), {1, 2, object()}, float("inf") * 1j])
def test_a_result_that_is_no_json_is_an_error(tmp_path: Path, value: Any) -> None:
    with RunnerBed(tmp_path, executors=[Calls(lambda *_: value)]) as bed:
        outcome = failed(bed.run(attempt("calls"))[0])

    assert outcome.error.code == TaskErrorCode.INVALID_RESULT


def test_a_result_over_the_bound_is_an_error(tmp_path: Path) -> None:
    with RunnerBed(tmp_path, executors=[Calls(lambda *_: "x" * 100)], max_result_bytes=101) as bed:
        outcome = failed(bed.run(attempt("calls"))[0])

    assert outcome.error.code == TaskErrorCode.RESULT_TOO_LARGE


def test_a_cut_cancels_what_runs_and_counts_no_interruption(tmp_path: Path) -> None:
    begun = threading.Event()

    async def hang(inputs: dict[str, Any], context: TaskContext) -> None:
        begun.set()
        await asyncio.Event().wait()

    with RunnerBed(tmp_path, executors=[Calls(hang)]) as bed:
        bed.runner.run([one := attempt("calls")])
        begun.wait(LIMIT_SECONDS)
        bed.runner.cut()
        outcome = bed.outcome(one)

    assert outcome == CUT


def test_what_is_handed_over_after_a_cut_is_cut(tmp_path: Path) -> None:
    with RunnerBed(tmp_path) as bed:
        bed.runner.cut()
        outcomes = bed.run(
            attempt("noop", position=1), attempt("command", {"argv": ["true"]}, position=2)
        )

    assert outcomes == [CUT, CUT]


def test_an_executor_that_ignores_its_cancellation_does_not_hold_up_the_stop(
    tmp_path: Path,
) -> None:
    begun = threading.Event()
    release = threading.Event()

    async def ignore(inputs: dict[str, Any], context: TaskContext) -> None:
        begun.set()
        while not release.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    with RunnerBed(tmp_path, executors=[Calls(ignore)], grace_seconds=0.1) as bed:
        bed.runner.run([one := attempt("calls")])
        begun.wait(LIMIT_SECONDS)
        bed.runner.cut()
        outcome = bed.outcome(one)
        release.set()

    assert outcome == CUT


def test_what_waits_on_the_loop_is_shown_as_running(tmp_path: Path) -> None:
    release: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    begun = threading.Event()

    async def wait(inputs: dict[str, Any], context: TaskContext) -> None:
        release.append((asyncio.get_running_loop(), asyncio.Event()))
        begun.set()
        await release[0][1].wait()

    with RunnerBed(tmp_path, executors=[Calls(wait)]) as bed:
        bed.runner.run([one := attempt("calls")])
        begun.wait(LIMIT_SECONDS)
        shown = [running.attempt for running in bed.runner.running()]
        loop, event = release[0]
        loop.call_soon_threadsafe(event.set)
        bed.outcome(one)

    assert shown == [one]


def test_an_executor_that_nobody_offers_is_an_outcome(tmp_path: Path) -> None:
    with RunnerBed(tmp_path) as bed:
        outcome = failed(bed.run(attempt("gone"))[0])

    assert outcome.error.message == 'LookupError: nobody offers executor "gone"'


@pytest.mark.parametrize("executor", ["noop", "command", "calls"])
def test_what_is_handed_over_after_the_stop_is_cut(tmp_path: Path, executor: str) -> None:
    blocking = Calls(lambda *_: None)
    blocking.isolation = "thread"
    with RunnerBed(tmp_path, executors=[blocking]) as bed:
        bed.run(attempt("noop", position=1))

    outcomes = bed.run(attempt(executor, {"argv": ["true"]}))

    assert outcomes == [CUT]


def test_an_executor_that_blocks_the_loop_does_not_hold_up_the_stop_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_loop, "WIND_UP_SECONDS", 0.1)
    begun, release = threading.Event(), threading.Event()

    def block(inputs: dict[str, Any], context: TaskContext) -> None:
        begun.set()
        release.wait(30)

    bed = RunnerBed(tmp_path, executors=[Calls(block)], grace_seconds=0.1)
    bed.runner.start()
    bed.runner.run([attempt("calls")])
    begun.wait(LIMIT_SECONDS)
    bed.runner.stop()
    was_stuck = not release.is_set()
    release.set()

    assert was_stuck


def test_start_and_stop_may_be_called_twice(tmp_path: Path) -> None:
    bed = RunnerBed(tmp_path)

    bed.runner.stop()
    bed.runner.start()
    bed.runner.start()
    outcomes = bed.run(attempt("noop"))
    bed.runner.stop()
    bed.runner.stop()

    assert outcomes == [Completed()]
