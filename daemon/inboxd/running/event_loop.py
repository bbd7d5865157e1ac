"""
Attempts on the event loop: one thread, one loop, as many attempts as there are async places.

The path of an executor that returns at once is short on purpose: no asyncio task, no future, one
wake-up and one report for as many attempts as are there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from inboxd.running.context import decoded_object
from inboxd.running.outcomes import CUT, DONE, outcome_of_value, raised, timed_out

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from inboxd.clock import Clock
    from inboxd.plugins.protocol import Executor
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


class LoopAttempts:
    """Runs attempts of executors with isolation `async`."""

    def __init__(
        self,
        *,
        executors: Mapping[str, Executor],
        contexts: ContextSource,
        max_result_bytes: int,
        grace_seconds: float,
        report: Callable[[Sequence[tuple[Attempt, Outcome, int]]], None],
        clock: Clock,
    ) -> None:
        self._executors = executors
        self._contexts = contexts
        self._max_result_bytes = max_result_bytes
        self._grace_seconds = grace_seconds
        self._report = report
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._batches: deque[Sequence[tuple[Attempt, float | None]]] = deque()
        self._drain_is_due = False
        #: What is awaited and not reported.
        self._tasks: dict[asyncio.Task[None], Attempt] = {}
        #: Reported though they ignored their cancellation.
        self._given_up: set[asyncio.Task[None]] = set()
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
            winding_up.result(2 * self._grace_seconds + WIND_UP_SECONDS)
        except TimeoutError:
            # An executor blocks the thread, which ends when that returns, or with the process.
            logger.exception("event loop does not stop", extra={"event": "loop_stuck"})
            loop.call_soon_threadsafe(loop.stop)
        else:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
        self._thread = self._loop = None
        while self._batches:
            self.begin(self._batches.popleft())

    def running(self) -> list[Attempt]:
        """Return the attempts that are on the loop now; from any thread."""
        return list(self._tasks.values())

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def _drain(self) -> None:
        """Begin what is there when called; what comes in the meantime is the next call's."""
        self._drain_is_due = False
        executors, now_micros = self._executors, self._clock.now_micros
        report_at = self._clock.monotonic() + _REPORT_SECONDS
        for _ in range(len(self._batches)):
            for attempt, limit in self._batches.popleft():
                if len(self._outcomes) >= _REPORT_ATTEMPTS and self._clock.monotonic() > report_at:
                    self._flush()
                    report_at = self._clock.monotonic() + _REPORT_SECONDS
                if self._is_cut:
                    self._outcomes.append((attempt, CUT, now_micros()))
                    continue
                context = self._contexts.context(attempt, limit)
                try:
                    value = executors[attempt.executor].execute(
                        {} if attempt.inputs is None else decoded_object(attempt.inputs), context
                    )
                except BaseException as error:  # the outer door of one attempt
                    self._outcomes.append((attempt, self._raised(attempt, error), now_micros()))
                    continue
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
        return raised(error)

    def _await(
        self, attempt: Attempt, limit: float | None, context: AttemptContext, value: Awaitable[Any]
    ) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._finish(attempt, limit, context, value))
        self._tasks[task] = attempt
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._given_up.discard(task)

    async def _finish(
        self, attempt: Attempt, limit: float | None, context: AttemptContext, value: Awaitable[Any]
    ) -> None:
        """Await one attempt and record how it ended."""
        outcome: Outcome
        timeout = asyncio.timeout(limit)
        try:
            async with timeout:
                result = await value
            outcome = outcome_of_value(result, max_result_bytes=self._max_result_bytes)
        except BaseException as error:  # the outer door of one attempt
            if timeout.expired() and limit is not None:
                outcome = timed_out(limit)
            else:
                outcome = self._raised(attempt, error)
        context.cancelled = True
        if self._is_cut:
            outcome = CUT
        if asyncio.current_task() not in self._tasks:
            return  # given up: its outcome was reported when the grace was over
        if not self._outcomes:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outcomes.append((attempt, outcome, self._clock.now_micros()))

    def _cancel_all(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            asyncio.get_running_loop().call_later(self._grace_seconds, self._give_up)

    def _give_up(self) -> None:
        """Report what ignores its cancellation as cut."""
        for task, attempt in list(self._tasks.items()):
            logger.warning(
                "attempt does not end",
                extra={
                    "event": "attempt_given_up",
                    "tree": attempt.tree_id,
                    "task": attempt.task_id,
                    "attempt": attempt.number,
                },
            )
            del self._tasks[task]
            self._given_up.add(task)
            self._outcomes.append((attempt, CUT, self._clock.now_micros()))
        self._flush()

    async def _wind_up(self) -> None:
        self._drain()
        left = {*self._tasks, *self._given_up}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=self._grace_seconds)
        self._give_up()
