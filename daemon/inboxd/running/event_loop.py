"""
Attempts on the event loop: one thread, one loop, as many attempts as there are async places.

The path of an executor that returns at once is short on purpose: no asyncio task, no future, one
wake-up and one report for as many attempts as are there.

At its time limit an attempt is cancelled, and has the grace to tidy up. One that ignores that is
reported then, and cancelled again and again. It keeps its place until it returns, and no further
attempt of the same task begins before that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from inboxd.forked_children import leave_if_child
from inboxd.running.awaited import Awaited
from inboxd.running.context import decoded_object
from inboxd.running.outcomes import CUT, DONE, outcome_of_value
from inboxd.running.raised import raised_by_executor
from inboxd.task import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from inboxd.clock import Clock
    from inboxd.plugins.protocol import Executor
    from inboxd.running.asked_ends import AskedEnds, AttemptKey
    from inboxd.running.attempt import Attempt
    from inboxd.running.context import AttemptContext, ContextSource
    from inboxd.task import Outcome

__all__ = ["LoopAttempts"]

logger = logging.getLogger(__name__)

#: As many outcomes are reported after this long at the latest, though more attempts are there to
#: begin.
_REPORT_SECONDS = 0.002
_REPORT_ATTEMPTS = 64
#: A loop that is not blocked winds up in this time, besides the graces.
WIND_UP_SECONDS = 5.0
#: What ignores its cancellation is cancelled again after this.
_AGAIN_SECONDS = 1.0


class LoopAttempts:
    """Runs attempts of executors with isolation `async`."""

    def __init__(
        self,
        *,
        executors: Mapping[str, Executor],
        contexts: ContextSource,
        max_result_bytes: int,
        grace_seconds: float,
        ends: AskedEnds,
        report: Callable[[Sequence[tuple[Attempt, Outcome, int]]], None],
        on_places_kept: Callable[[PlaceKind, int], None],
        clock: Clock,
    ) -> None:
        self._executors = executors
        self._contexts = contexts
        self._max_result_bytes = max_result_bytes
        self._grace_seconds = grace_seconds
        self._ends = ends
        self._report = report
        self._on_places_kept = on_places_kept
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._batches: deque[Sequence[tuple[Attempt, float | None]]] = deque()
        self._drain_is_due = False
        #: What is awaited, reported or not.
        self._tasks: dict[asyncio.Task[None], Awaited] = {}
        #: By the task's number: attempts that are reported and have not returned.
        self._overstaying: set[int] = set()
        #: By the task's number: attempts that wait for an earlier one to return.
        self._waiting: dict[int, tuple[Attempt, float | None]] = {}
        #: What was left on the loop when it was to stop: it stops with the last of them.
        self._left: set[asyncio.Task[Any]] = set()
        #: Where executors run; a child that one forks is not to go on here.
        self._process = os.getpid()
        self._outcomes: list[tuple[Attempt, Outcome, int]] = []
        self._is_cut = False

    def start(self) -> None:
        """Start the loop; return when it runs."""
        if self._thread is not None:
            return
        ready = threading.Event()
        loop = self._loop = asyncio.new_event_loop()
        loop.call_soon(ready.set)
        self._thread = threading.Thread(
            target=self._serve, args=(loop,), name="event-loop", daemon=True
        )
        self._thread.start()
        ready.wait()

    def begin(self, attempts: Sequence[tuple[Attempt, float | None]]) -> None:
        """Hand over attempts with their time limits in seconds; from any thread, at once."""
        loop = self._loop
        if loop is None:
            now = self._clock.now_micros()
            self._report([(attempt, CUT, now) for attempt, _ in attempts])
            return
        self._batches.append(attempts)
        if not self._drain_is_due:
            self._drain_is_due = True
            # Closed in this moment: what came too late is cut by `stop`.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._drain)

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Call a quick function on the loop's thread after a while; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, function)

    def end(self, asked: Collection[AttemptKey]) -> None:
        """Cancel some attempts; one that ignores that keeps its place; from any thread, at once."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # closed in this moment
                loop.call_soon_threadsafe(self._end, asked)

    def cut(self) -> None:
        """Cancel everything that runs; what does not end within the grace is given up."""
        self._is_cut = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel_all)

    def stop(self) -> None:
        """Stop the loop; what still runs is cancelled and has the grace to end."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None:
            return
        self._is_cut = True
        winding_up = asyncio.run_coroutine_threadsafe(self._wind_up(), loop)
        try:
            is_empty = winding_up.result(2 * self._grace_seconds + WIND_UP_SECONDS)
        except TimeoutError:
            # The thread ends when that returns, or with the process; our traceback says nothing.
            logger.error("an executor blocks the event loop", extra={"event": "loop_stuck"})  # noqa: TRY400
            self._loop = None
            loop.call_soon_threadsafe(loop.stop)
        else:
            # With something left the thread ends with that, or with the process.
            if is_empty:
                loop.call_soon_threadsafe(loop.stop)
                thread.join()
        self._thread = self._loop = None
        while self._batches:
            self.begin(self._batches.popleft())

    def running(self) -> list[Attempt]:
        """Return the attempts that are on the loop now; from any thread."""
        return [one.attempt for one in list(self._tasks.values()) if not one.is_reported]

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        _of_this_thread.loop = loop
        try:
            loop.run_forever()
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def _drain(self) -> None:
        """Begin what is there when called; what comes in the meantime is the next call's."""
        self._drain_is_due = False
        executors, ends, now_micros = self._executors, self._ends, self._clock.now_micros
        report_at = self._clock.monotonic() + _REPORT_SECONDS
        for _ in range(len(self._batches)):
            for attempt, limit in self._batches.popleft():
                if len(self._outcomes) >= _REPORT_ATTEMPTS and self._clock.monotonic() > report_at:
                    self._flush()
                    report_at = self._clock.monotonic() + _REPORT_SECONDS
                if self._is_cut or (ends and ends.has(attempt)):
                    self._outcomes.append((attempt, CUT, now_micros()))
                    continue
                if self._overstaying and attempt.task in self._overstaying:
                    self._waiting[attempt.task] = attempt, limit
                    continue
                context = self._contexts.context(attempt, limit)
                try:
                    value = executors[attempt.executor].execute(
                        {} if attempt.inputs is None else decoded_object(attempt.inputs), context
                    )
                except BaseException as error:  # the outer door of one attempt
                    leave_if_child(self._process, error)
                    self._outcomes.append((attempt, self._raised(attempt, error), now_micros()))
                    continue
                leave_if_child(self._process)
                if value is None:
                    self._outcomes.append((attempt, DONE, now_micros()))
                elif hasattr(value, "__await__"):
                    self._await(attempt, limit, context, value)
                else:
                    outcome = outcome_of_value(value, max_result_bytes=self._max_result_bytes)
                    self._outcomes.append((attempt, outcome, now_micros()))
        self._flush()

    def _flush(self) -> None:
        if self._outcomes:
            outcomes, self._outcomes = self._outcomes, []
            self._report(outcomes)

    def _raised(self, attempt: Attempt, error: BaseException) -> Outcome:
        logger.debug(
            "executor raised",
            exc_info=error,
            extra={
                "event": "executor_raised",
                "tree": attempt.tree_id,
                "task": attempt.task_id,
                "attempt": attempt.number,
            },
        )
        return raised_by_executor(error)

    def _await(
        self, attempt: Attempt, limit: float | None, context: AttemptContext, value: Awaitable[Any]
    ) -> None:
        loop = asyncio.get_running_loop()
        one = Awaited(attempt, limit, context, value)
        task = loop.create_task(self._finish(one))
        self._tasks[task] = one
        if limit is not None:
            one.timer = loop.call_later(limit, self._time_out, task, one)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        """Have nothing more to do with a task that is done."""
        if (one := self._tasks.pop(task, None)) is not None:
            number = one.attempt.task
            if one.timer is not None:
                one.timer.cancel()
            if one.value is not None:
                self._forget_unbegun(one)
            self._overstaying.discard(number)
            if one.keeps_place:
                self._on_places_kept(PlaceKind.ASYNC, -1)
            if (successor := self._waiting.pop(number, None)) is not None:
                self._batches.append([successor])
                task.get_loop().call_soon(self._drain)
        if self._left:
            self._left.discard(task)
            if not self._left:
                task.get_loop().stop()

    def _forget_unbegun(self, one: Awaited) -> None:
        """Report an attempt that was cancelled before its awaiting began."""
        close = getattr(one.value, "close", None)
        if callable(close):
            close()  # a coroutine that is never awaited is warned of
        if not one.is_reported:
            one.is_reported = True
            self._outcomes.append((one.attempt, one.outcome_of_end(), self._clock.now_micros()))
            self._flush()

    async def _finish(self, one: Awaited) -> None:
        """Await one attempt and record how it ended."""
        outcome: Outcome
        value, one.value = one.value, None
        assert value is not None  # noqa: S101 - it is begun once
        try:
            result = await value
            leave_if_child(self._process)
            outcome = outcome_of_value(result, max_result_bytes=self._max_result_bytes)
        except BaseException as error:  # the outer door of one attempt
            leave_if_child(self._process, error)
            outcome = self._raised(one.attempt, error)
        one.context.cancelled = True
        if one.is_reported:
            return
        if one.is_over or one.is_asked_to_end or self._is_cut:
            outcome = one.outcome_of_end()  # also where it returned something after all
        one.is_reported = True
        if not self._outcomes:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outcomes.append((one.attempt, outcome, self._clock.now_micros()))

    def _time_out(self, task: asyncio.Task[None], one: Awaited) -> None:
        """Have an attempt end whose time limit has passed."""
        if one.is_reported:
            return
        one.is_over = True
        self._cancel(task, one)

    def _end(self, asked: Collection[AttemptKey]) -> None:
        """Have attempts end whose end was asked for, unless their time limits did so before."""
        for attempt, _ in list(self._waiting.values()):
            if (attempt.task, attempt.number) in asked:
                del self._waiting[attempt.task]
                self._outcomes.append((attempt, CUT, self._clock.now_micros()))
        self._flush()
        for task, one in self._tasks.items():
            if (one.attempt.task, one.attempt.number) in asked and not (
                one.is_over or one.is_asked_to_end or one.is_reported
            ):
                one.is_asked_to_end = True
                self._cancel(task, one)

    def _cancel(self, task: asyncio.Task[None], one: Awaited) -> None:
        """Tell an attempt to end, and wait for that for the grace."""
        one.cancel(task)
        if one.timer is not None:
            one.timer.cancel()
        one.timer = task.get_loop().call_later(self._grace_seconds, self._overtake, task, one)

    def _overtake(self, task: asyncio.Task[None], one: Awaited) -> None:
        """Report an attempt that goes on though it was cancelled and the grace has passed."""
        if one.is_reported:
            return
        self._log_that_it_goes_on(one)
        one.is_reported = one.keeps_place = True
        self._overstaying.add(one.attempt.task)
        self._on_places_kept(PlaceKind.ASYNC, 1)
        self._outcomes.append((one.attempt, one.outcome_of_end(), self._clock.now_micros()))
        self._flush()
        self._insist(task)

    def _insist(self, task: asyncio.Task[Any]) -> None:
        """Cancel what ignores that, until it is done."""
        if not task.done():
            task.cancel()
            task.get_loop().call_later(_AGAIN_SECONDS, self._insist, task)

    def _cancel_all(self) -> None:
        """Cancel what runs; the outcomes of what does not end come when the grace is over."""
        waiting, self._waiting = self._waiting, {}
        for attempt, _ in waiting.values():
            self._outcomes.append((attempt, CUT, self._clock.now_micros()))
        self._flush()
        for task, one in self._tasks.items():
            one.cancel(task)
        if self._tasks:
            asyncio.get_running_loop().call_later(self._grace_seconds, self._give_up)

    def _give_up(self) -> None:
        """Report what ignores its cancellation as cut."""
        for task, one in self._tasks.items():
            if one.is_reported:
                continue
            self._log_that_it_goes_on(one)
            one.is_reported = True
            self._outcomes.append((one.attempt, one.outcome_of_end(), self._clock.now_micros()))
            self._insist(task)
        self._flush()

    def _log_that_it_goes_on(self, one: Awaited) -> None:
        logger.warning(
            "attempt does not end: its executor ignores that it is cancelled",
            extra={
                "event": "attempt_given_up",
                "tree": one.attempt.tree_id,
                "task": one.attempt.task_id,
                "attempt": one.attempt.number,
            },
        )

    async def _wind_up(self) -> bool:
        """Cancel all that is on the loop, also what executors left; return whether it is done."""
        if self._loop is None:
            return False  # it comes too late: the loop was given up
        self._drain()
        self._cancel_all()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        strays = left - self._tasks.keys()
        for task in strays:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=self._grace_seconds)
        self._give_up()
        self._left = {task for task in left if not task.done()}
        for task in self._left & strays:
            task.add_done_callback(self._forget)
            self._insist(task)
        return not self._left


#: The loop that runs in a thread, if one of ours does.
_of_this_thread = threading.local()


def _leave_loop_in_child() -> None:
    """End a forked child where it would come back to the loop, which is the daemon's."""
    loop: asyncio.AbstractEventLoop | None = getattr(_of_this_thread, "loop", None)
    if loop is not None:
        loop.call_soon(os._exit, 1)


os.register_at_fork(after_in_child=_leave_loop_in_child)
