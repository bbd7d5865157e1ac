"""
Attempts in threads, for executors that wait without an event loop.

A thread cannot be ended from outside.
So at its time limit the attempt is reported at once, while the thread keeps its place until it
returns, and no further attempt of the same task begins before that.
"""

from __future__ import annotations

import logging
import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from inboxd.forked_children import leave_if_child
from inboxd.running.context import decoded_object
from inboxd.running.outcomes import CUT, outcome_of_value, timed_out
from inboxd.running.raised import raised_by_executor
from inboxd.task import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from inboxd.clock import Clock
    from inboxd.plugins.protocol import Executor
    from inboxd.running.asked_ends import AskedEnds, AttemptKey
    from inboxd.running.attempt import Attempt
    from inboxd.running.context import AttemptContext, ContextSource
    from inboxd.task import Outcome

__all__ = ["ThreadAttempts"]

logger = logging.getLogger(__name__)


class _Job:
    """An attempt on its way through the pool."""

    __slots__ = ("attempt", "context", "has_begun", "is_reported", "keeps_place", "limit")

    def __init__(self, attempt: Attempt, limit: float | None, context: AttemptContext) -> None:
        self.attempt = attempt
        self.limit = limit
        self.context = context
        # Guarded by the pool's lock.
        #: The first to set it reports the outcome.
        self.is_reported = False
        #: Its executor was called, or is about to be.
        self.has_begun = False
        #: It goes on though it was reported.
        self.keeps_place = False


class ThreadAttempts:
    """Runs attempts of executors with isolation `thread`."""

    def __init__(
        self,
        *,
        executors: Mapping[str, Executor],
        contexts: ContextSource,
        places: int,
        max_result_bytes: int,
        ends: AskedEnds,
        report: Callable[[Sequence[tuple[Attempt, Outcome, int]]], None],
        on_places_kept: Callable[[PlaceKind, int], None],
        call_later: Callable[[float, Callable[[], None]], None],
        clock: Clock,
    ) -> None:
        self._executors = executors
        self._contexts = contexts
        self._places = places
        self._max_result_bytes = max_result_bytes
        self._ends = ends
        self._report = report
        self._on_places_kept = on_places_kept
        self._call_later = call_later
        self._clock = clock
        #: Where executors run; a child that one forks is not to go on here.
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = 0
        #: By the task's number: what is in a thread, reported or not.
        self._running: dict[int, _Job] = {}
        #: By the task's number: attempts that wait for the thread of an earlier one to return.
        self._waiting: dict[int, _Job] = {}
        self._is_cut = False
        self._is_stopped = False

    def begin(self, attempt: Attempt, limit: float | None) -> None:
        """Hand an attempt over with its time limit in seconds; from any thread, at once."""
        job = _Job(attempt, limit, self._contexts.context(attempt))
        with self._lock:
            if not self._is_stopped and attempt.task in self._running:
                self._waiting[attempt.task] = job
                return
            if not self._is_stopped:
                self._put(job)
                return
        self._report([(attempt, CUT, self._clock.now_micros())])

    def end(self, asked: Collection[AttemptKey]) -> None:
        """
        Tell some attempts to end, and report them as cut without waiting for their threads.

        From any thread, at once. One whose thread goes on keeps its place, as at a time limit.
        """
        with self._lock:
            jobs = [
                job
                for job in (*self._running.values(), *self._waiting.values())
                if (job.attempt.task, job.attempt.number) in asked
            ]
            for job in jobs:
                if self._waiting.get(job.attempt.task) is job:
                    del self._waiting[job.attempt.task]
        for job in jobs:
            self._overtake(job, CUT)

    def cut(self) -> None:
        """Tell every attempt to end, and report it as cut without waiting for its thread."""
        with self._lock:
            self._is_cut = True
            jobs = [*self._running.values(), *self._waiting.values()]
            self._waiting.clear()
        for job in jobs:
            self._overtake(job, CUT)

    def stop(self) -> None:
        """Let the idle threads go; one that does not return ends with the process."""
        self.cut()
        with self._lock:
            threads, self._threads = self._threads, 0
            self._is_stopped = True
        for _ in range(threads):
            self._queue.put(None)

    def running(self) -> list[Attempt]:
        """Return the attempts whose outcome is not reported yet; from any thread."""
        with self._lock:
            return [job.attempt for job in self._running.values() if not job.is_reported]

    def _put(self, job: _Job) -> None:
        """Queue a job; the lock is held."""
        self._running[job.attempt.task] = job
        self._queue.put(job)
        if self._threads < min(len(self._running), self._places):
            self._threads += 1
            threading.Thread(target=self._serve, name="executor", daemon=True).start()

    def _serve(self) -> None:
        while True:
            job = self._queue.get()
            if job is None:
                return
            self._work(job)

    def _work(self, job: _Job) -> None:
        attempt = job.attempt
        outcome: Outcome = CUT
        if self._begins(job):
            if (limit := job.limit) is not None:
                self._contexts.begin_limit(job.context, limit)
                self._call_later(limit, lambda: self._overtake(job, timed_out(limit)))
            try:
                value = self._executors[attempt.executor].execute(
                    decoded_object(attempt.inputs), job.context
                )
                leave_if_child(self._process)
                outcome = outcome_of_value(value, max_result_bytes=self._max_result_bytes)
            except BaseException as error:  # the outer door of one attempt
                leave_if_child(self._process, error)
                logger.debug(
                    "executor raised",
                    exc_info=error,
                    extra={"event": "executor_raised", "task": attempt.task_id},
                )
                outcome = raised_by_executor(error)
        with self._lock:
            del self._running[attempt.task]
            is_first = not job.is_reported
            job.is_reported = True
            if (successor := self._waiting.pop(attempt.task, None)) is not None:
                self._put(successor)
        if is_first:
            self._report([(attempt, outcome, self._clock.now_micros())])
        elif job.keeps_place:
            self._on_places_kept(PlaceKind.PROCESS, -1)

    def _begins(self, job: _Job) -> bool:
        """Whether an attempt's executor is to be called, and not cut before that."""
        with self._lock:
            job.has_begun = not (self._is_cut or job.is_reported or self._ends.has(job.attempt))
            return job.has_begun

    def _overtake(self, job: _Job, outcome: Outcome) -> None:
        """Report an attempt whose thread goes on, unless it has been reported."""
        with self._lock:
            if job.is_reported:
                return
            job.is_reported = True
            job.keeps_place = job.has_begun
        job.context.cancelled = True
        if job.keeps_place:
            self._on_places_kept(PlaceKind.PROCESS, 1)
        self._report([(job.attempt, outcome, self._clock.now_micros())])
