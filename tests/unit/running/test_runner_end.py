"""Ending single attempts: on the event loop, in threads, and before they begin."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.running.asked_ends import AskedEnds
from inboxd.running.outcomes import CUT
from inboxd.task import Completed

from .runner_bed import LIMIT_SECONDS, RunnerBed, attempt, completed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from inboxd.plugins.protocol import TaskContext
    from inboxd.running.attempt import Attempt


class Calls:
    """An executor that calls a function."""

    description = "Calls a function."
    inputs_schema: Mapping[str, Any] | None = None

    def __init__(
        self, isolation: str, function: Callable[[dict[str, Any], TaskContext], Any]
    ) -> None:
        self.name = self.isolation = isolation
        self._function = function

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        return self._function(inputs, context)


def _key(one: Attempt) -> tuple[int, int]:
    return one.task, one.number


class TestOnTheLoop:
    """Executors with isolation `async`."""

    def test_its_coroutine_is_cancelled_and_others_go_on(self, tmp_path: Path) -> None:
        begun = threading.Semaphore(0)
        others = asyncio.Event()
        seen: list[bool] = []

        async def wait(inputs: dict[str, Any], context: TaskContext) -> None:
            begun.release()
            if inputs["n"] == 1:
                try:
                    await asyncio.Event().wait()
                finally:
                    seen.append(context.cancelled)
                    others.set()
            await others.wait()

        attempts = [attempt("async", {"n": n}, position=n) for n in range(3)]
        with RunnerBed(tmp_path, executors=[Calls("async", wait)]) as bed:
            bed.runner.run(attempts)
            for _ in attempts:
                assert begun.acquire(timeout=LIMIT_SECONDS)
            bed.runner.end([_key(attempts[1])])
            outcomes = [bed.outcome(one) for one in attempts]

        assert outcomes == [Completed(), CUT, Completed()]
        assert seen == [True]
        assert bed.places_kept == []

    def test_one_that_swallows_it_is_reported_after_the_grace_and_keeps_its_place(
        self, tmp_path: Path
    ) -> None:
        begun, may_return = threading.Event(), threading.Event()

        async def stay(inputs: dict[str, Any], context: TaskContext) -> int:
            begun.set()
            while not may_return.is_set():
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    continue
            return 1

        with RunnerBed(tmp_path, executors=[Calls("async", stay)], grace_seconds=0.1) as bed:
            bed.runner.run([one := attempt("async")])
            assert begun.wait(LIMIT_SECONDS)
            bed.runner.end([_key(one)])
            bed.runner.end([_key(one)])
            outcome = bed.outcome(one)
            kept = list(bed.places_kept)
            # The next attempt waits for it, and can be ended as well.
            bed.runner.run([second := attempt("async", number=2)])
            bed.runner.end([_key(second)])
            waiting = bed.outcome(second)
            may_return.set()
            bed.wait_until(lambda: len(bed.places_kept) == 2)

        assert (outcome, waiting) == (CUT, CUT)
        assert kept == [1]
        assert bed.places_kept == [1, -1]

    def test_one_that_was_just_handed_over_is_reported_though_it_never_began(
        self, tmp_path: Path
    ) -> None:
        """A coroutine that is cancelled before its first step never comes to its own end."""
        attempts = [attempt("async", position=n) for n in range(200)]

        async def wait(inputs: dict[str, Any], context: TaskContext) -> None:
            await asyncio.Event().wait()

        with RunnerBed(tmp_path, executors=[Calls("async", wait)], grace_seconds=60) as bed:
            for one in attempts:
                bed.runner.run([one])
                bed.runner.end([_key(one)])
            outcomes = [bed.outcome(one) for one in attempts]

        assert outcomes == [CUT] * 200

    def test_a_cut_reports_what_never_began(self, tmp_path: Path) -> None:
        busy, cut = threading.Event(), threading.Event()

        def block(inputs: dict[str, Any], context: TaskContext) -> Any:
            if "n" in inputs:
                return asyncio.sleep(600)
            busy.set()
            assert cut.wait(LIMIT_SECONDS)
            return None

        # The loop makes tasks of the first ten, and then finds the cut before their first steps.
        attempts = [attempt("async", {"n": n}, position=n) for n in range(10)]
        blocking = attempt("async", position=10)
        with RunnerBed(tmp_path, executors=[Calls("async", block)], grace_seconds=60) as bed:
            bed.runner.run([*attempts, blocking])
            assert busy.wait(LIMIT_SECONDS)
            bed.runner.cut()
            cut.set()
            outcomes = [bed.outcome(one) for one in attempts]

        assert outcomes == [CUT] * 10

    def test_one_that_raises_or_returns_then_is_cut_all_the_same(self, tmp_path: Path) -> None:
        begun = threading.Semaphore(0)

        async def wait(inputs: dict[str, Any], context: TaskContext) -> int:
            begun.release()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if inputs["raises"]:
                    raise ValueError from None
            return 1

        attempts = [attempt("async", {"raises": n}, position=n) for n in range(2)]
        with RunnerBed(tmp_path, executors=[Calls("async", wait)]) as bed:
            bed.runner.run(attempts)
            for _ in attempts:
                assert begun.acquire(timeout=LIMIT_SECONDS)
            bed.runner.end(map(_key, attempts))
            outcomes = [bed.outcome(one) for one in attempts]

        assert outcomes == [CUT, CUT]


class TestInAThread:
    """Executors with isolation `thread`."""

    def test_it_is_reported_at_once_and_keeps_its_place_until_it_returns(
        self, tmp_path: Path
    ) -> None:
        begun, may_return = threading.Event(), threading.Event()
        seen: list[bool] = []

        def stay(inputs: dict[str, Any], context: TaskContext) -> None:
            begun.set()
            assert may_return.wait(LIMIT_SECONDS)
            seen.append(context.cancelled)

        with RunnerBed(tmp_path, executors=[Calls("thread", stay)], grace_seconds=60) as bed:
            bed.runner.run([one := attempt("thread")])
            assert begun.wait(LIMIT_SECONDS)
            bed.runner.end([_key(one)])
            outcome = bed.outcome(one)
            kept = list(bed.places_kept)
            bed.runner.run([second := attempt("thread", number=2)])
            bed.runner.end([_key(second)])
            waiting = bed.outcome(second)
            may_return.set()
            bed.wait_until(lambda: len(bed.places_kept) == 2)

        assert (outcome, waiting) == (CUT, CUT)
        assert kept == [1]
        assert bed.places_kept == [1, -1]
        assert seen == [True]

    def test_one_that_waits_for_a_thread_is_never_begun(self, tmp_path: Path) -> None:
        begun, may_return = threading.Event(), threading.Event()
        called: list[int] = []

        def work(inputs: dict[str, Any], context: TaskContext) -> None:
            called.append(inputs["n"])
            begun.set()
            assert may_return.wait(LIMIT_SECONDS)

        attempts = [attempt("thread", {"n": n}, position=n) for n in range(3)]
        with RunnerBed(tmp_path, executors=[Calls("thread", work)], places=1) as bed:
            bed.runner.run(attempts)
            assert begun.wait(LIMIT_SECONDS)
            bed.runner.end([_key(attempts[1])])
            second = bed.outcome(attempts[1])
            may_return.set()
            others = [bed.outcome(one) for one in (attempts[0], attempts[2])]

        assert second == CUT
        assert others == [Completed(), Completed()]
        assert called == [0, 2]
        assert bed.places_kept == []


@pytest.fixture
def ended() -> AskedEnds:
    ends = AskedEnds()
    ends.begin([attempt(position=1), attempt(position=2, number=3)])
    return ends


class TestAsking:
    """What is known of the attempts that are here."""

    def test_what_is_here_is_asked(self, ended: AskedEnds) -> None:
        assert ended.ask([(1001, 1), (1002, 3)]) == {(1001, 1), (1002, 3)}
        assert ended.has(attempt(position=1))

    def test_what_is_not_here_leaves_nothing_behind(self, ended: AskedEnds) -> None:
        assert ended.ask([(1001, 2), (1002, 2), (1003, 1)]) == set()
        assert not ended.has(attempt(position=1, number=2))

    def test_what_ended_is_forgotten(self, ended: AskedEnds) -> None:
        ended.ask([(1001, 1)])
        ended.forget([(attempt(position=1), CUT, 0)])

        assert not ended.has(attempt(position=1))
        assert ended.ask([(1001, 1)]) == set()

    def test_the_next_attempt_is_another(self, ended: AskedEnds) -> None:
        ended.ask([(1001, 1)])
        ended.forget([(attempt(position=1), CUT, 0)])
        ended.begin([attempt(position=1, number=2)])

        assert not ended.has(attempt(position=1, number=2))
        assert ended.ask([(1001, 2)]) == {(1001, 2)}


@pytest.mark.parametrize("executor", ["noop", "command"])
def test_ending_what_has_ended_does_nothing(tmp_path: Path, executor: str) -> None:
    one = attempt(executor, {"argv": ["true"]})
    with RunnerBed(tmp_path) as bed:
        completed(bed.run(one)[0])
        bed.runner.end([_key(one), (4711, 1)])
        after = completed(bed.run(attempt(executor, {"argv": ["true"]}, position=1))[0])
        bed.runner.stop()
        bed.runner.end([_key(one)])

    assert (after or {"exit_code": 0})["exit_code"] == 0
    assert len(bed.reports) == 2


def test_ending_many_at_once_takes_no_longer_than_ending_one(tmp_path: Path) -> None:
    """Each is looked for once, however many are asked for."""

    async def wait(inputs: dict[str, Any], context: TaskContext) -> None:
        await asyncio.Event().wait()

    attempts = [attempt("async", position=n) for n in range(3000)]
    with RunnerBed(tmp_path, executors=[Calls("async", wait)], grace_seconds=60) as bed:
        bed.runner.run(attempts)
        started = time.monotonic()
        bed.runner.end(map(_key, attempts))
        seconds = time.monotonic() - started
        outcomes = [bed.outcome(one) for one in attempts]

    assert outcomes == [CUT] * 3000
    assert seconds < 1
