"""
Attempts in worker processes: which thread, and so which worker, runs which attempt.

A worker stays for the next attempts of its executor, and goes when there were none for a while.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING

from inboxd.running.environment import base_environment
from inboxd.running.outcomes import CUT, failed_to_start
from inboxd.running.worker_surroundings import WorkerSurroundings
from inboxd.running.worker_thread import WorkerThread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from inboxd.clock import Clock
    from inboxd.config.settings import RunSettings
    from inboxd.plugins.protocol import Executor
    from inboxd.running.asked_ends import AskedEnds, AttemptKey
    from inboxd.running.attempt import Attempt
    from inboxd.running.context import ContextSource
    from inboxd.running.locks import AttemptLocks
    from inboxd.running.supervisor import CommandSupervisor
    from inboxd.running.worker_messages import WorkerSource
    from inboxd.task import Outcome

__all__ = ["WorkerAttempts"]

#: A worker that nobody needed for so long goes.
IDLE_SECONDS = 60.0


class WorkerAttempts:
    """Runs attempts of executors with isolation `process`."""

    def __init__(
        self,
        *,
        executors: Mapping[str, Executor],
        source_of: Callable[[str], WorkerSource | None],
        settings: RunSettings,
        contexts: ContextSource,
        locks: AttemptLocks,
        supervisor: CommandSupervisor,
        ends: AskedEnds,
        report: Callable[[Sequence[tuple[Attempt, Outcome, int]]], None],
        clock: Clock,
        owns_process: bool = True,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """
        Make the pool.

        Args:
            executors: by name; of these the limits on memory.
            source_of: says how a worker gets an executor; None: it cannot.
            settings: of these the number of places and the limits.
            contexts: has what attempts share: the state directory, the store, their progress.
            locks: each worker holds one of them for its life.
            supervisor: watches the workers; started before the first attempt, stopped after us.
            ends: whose end was asked for.
            report: is told (attempt, outcome, microseconds since 1970).
            clock: for time limits, and the times of outcomes.
            owns_process: False: the process is a user's, and workers import what it can import.
            idle_seconds: how long a worker waits for another attempt.
        """
        self._places = settings.places
        self._supervisor = supervisor
        self._report = report
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._surroundings = WorkerSurroundings(
            executors=executors,
            source_of=source_of,
            settings=settings,
            contexts=contexts,
            locks=locks,
            supervisor=supervisor,
            ends=ends,
            clock=clock,
            environment=base_environment(os.environ, settings.environment),
            owns_process=owns_process,
        )
        self._lock = threading.Lock()
        self._threads: list[WorkerThread] = []
        #: Those that wait; the one that did so last is at the end.
        self._idle: list[WorkerThread] = []
        self._backlog: deque[tuple[Attempt, float | None]] = deque()
        self._is_cut = False

    def begin(self, attempt: Attempt, limit: float | None) -> None:
        """Hand an attempt over with its time limit in seconds; from any thread, at once."""
        outcome: Outcome = CUT
        with self._lock:
            if not self._is_cut:
                try:
                    thread = self._thread_for(attempt.executor)
                except RuntimeError as error:  # the system gives no more threads
                    outcome = failed_to_start(f"no thread for its worker process: {error}")
                else:
                    if thread is None:
                        self._backlog.append((attempt, limit))
                    else:
                        thread.queue.put((attempt, limit))
                    return
        self.say(attempt, outcome)

    def end(self, asked: Collection[AttemptKey]) -> None:
        """
        Report those of some attempts that have no worker yet as cut; from any thread, at once.

        Those that have one are the supervisor's to end (`end_asked`), the worker with them.
        """
        with self._lock:
            ended = [one for one, _ in self._backlog if (one.task, one.number) in asked]
            if ended:
                self._backlog = deque(
                    one for one in self._backlog if (one[0].task, one[0].number) not in asked
                )
        for attempt in ended:
            self.say(attempt, CUT)

    def forget(self, executor: str) -> None:
        """Let no worker that has an executor now run another attempt of it; from any thread."""
        with self._lock:
            for thread in self._threads:
                thread.forgotten.add(executor)

    def cut(self) -> None:
        """End all workers; the attempts in them are reported when nothing of them is left."""
        with self._lock:
            self._is_cut = True
            backlog, self._backlog = self._backlog, deque()
        for attempt, _ in backlog:
            self.say(attempt, CUT)
        self._supervisor.cut()

    def stop(self) -> None:
        """Cut, and return when all workers are gone; the supervisor still runs."""
        self.cut()
        with self._lock:
            threads, self._threads = self._threads, []
            self._idle.clear()
        for thread in threads:
            thread.queue.put(None)
        for thread in threads:
            thread.join()

    @property
    def is_cut(self) -> bool:
        """Whether nothing more is begun."""
        return self._is_cut

    @property
    def idle_seconds(self) -> float:
        """How long a worker waits for another attempt."""
        return self._idle_seconds

    def next_for(self, thread: WorkerThread) -> tuple[Attempt, float | None] | None:
        """Give a thread that is done the next attempt; None: it is idle now."""
        with self._lock:
            if self._backlog:
                thread.executor = self._backlog[0][0].executor
                return self._backlog.popleft()
            if not self._is_cut:
                self._idle.append(thread)
        return None

    def lets_go(self, thread: WorkerThread) -> bool:
        """Whether a thread that is idle may let its worker go; False: it was just chosen."""
        with self._lock:
            if thread not in self._idle:
                return False
            thread.executor = None
            return True

    def say(self, attempt: Attempt, outcome: Outcome) -> None:
        """Report how an attempt ended."""
        self._report([(attempt, outcome, self._clock.now_micros())])

    def _thread_for(self, executor: str) -> WorkerThread | None:
        """Choose: one with such a worker, one without any, a new one, another; the lock is held."""
        idle = self._idle
        chosen = next((one for one in reversed(idle) if one.executor == executor), None)
        if chosen is None:
            chosen = next((one for one in idle if one.executor is None), None)
        if chosen is None and len(self._threads) < self._places:
            chosen = WorkerThread(self, self._surroundings)
            chosen.start()
            self._threads.append(chosen)
        elif chosen is not None:
            idle.remove(chosen)
        elif idle:
            chosen = idle.pop(0)
        if chosen is not None:
            chosen.executor = executor
        return chosen
