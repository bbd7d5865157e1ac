"""Attempts that are commands: a few threads start them, one watches them."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from inboxd.running.environment import base_environment
from inboxd.running.outcomes import CUT, failed_to_start
from inboxd.running.spawn import RunningCommand, Spawner, kill_at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inboxd.clock import Clock
    from inboxd.config.settings import RunSettings
    from inboxd.plugins.protocol import Executor
    from inboxd.running.asked_ends import AskedEnds
    from inboxd.running.attempt import Attempt
    from inboxd.running.context import ContextSource
    from inboxd.running.locks import AttemptLocks
    from inboxd.running.supervisor import CommandSupervisor
    from inboxd.task import Failed, Outcome

__all__ = ["CommandAttempts"]

logger = logging.getLogger(__name__)

#: More gain nothing: Python holds its lock from vfork to exec (measured with 1 to 4 threads on two
#: cores: 1,950, 2,570, 2,560, 2,390 starts a second).
_SPAWNERS = 2
#: A spawner is done with what it does in this time, unless an executor waits where it must not.
_JOIN_SECONDS = 10.0


class CommandAttempts:
    """Runs attempts of executors with isolation `command`."""

    def __init__(
        self,
        *,
        executors: Mapping[str, Executor],
        settings: RunSettings,
        contexts: ContextSource,
        locks: AttemptLocks,
        supervisor: CommandSupervisor,
        ends: AskedEnds,
        report: Callable[[Sequence[tuple[Attempt, Outcome, int]]], None],
        clock: Clock,
    ) -> None:
        self._executors = executors
        self._settings = settings
        self._contexts = contexts
        self._report = report
        self._clock = clock
        self._queue: SimpleQueue[tuple[Attempt, float | None] | None] = SimpleQueue()
        self._locks = locks
        self._supervisor = supervisor
        self._ends = ends
        self._spawner: Spawner | None = None
        self._threads: list[threading.Thread] = []
        self._is_cut = False

    def start(self) -> None:
        """Start the threads."""
        if self._threads:
            return
        self._spawner = Spawner(
            executors=self._executors,
            contexts=self._contexts,
            max_result_bytes=self._settings.max_result_bytes,
            locks=self._locks,
            environment=base_environment(os.environ, self._settings.environment),
        )
        self._supervisor.start()
        for number in range(_SPAWNERS):
            thread = threading.Thread(
                target=self._serve, args=(self._spawner,), name=f"spawner-{number}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def begin(self, attempt: Attempt, limit: float | None) -> None:
        """Hand an attempt over with its time limit in seconds; from any thread, at once."""
        self._queue.put((attempt, limit))
        if self._is_cut and not self._threads:
            self._cut_queue()

    def cut(self) -> None:
        """End every command; each is reported as cut when nothing of it is left."""
        self._is_cut = True
        self._supervisor.cut()

    def stop(self) -> None:
        """Cut, and return when nothing is left."""
        if not self._threads or self._spawner is None:
            return
        self.cut()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        are_stuck = any(thread.is_alive() for thread in self._threads)
        if are_stuck:
            logger.error(
                "an executor does not give its command line", extra={"event": "spawner_stuck"}
            )
        self._threads.clear()
        self._supervisor.stop()
        if not are_stuck:
            self._spawner.close()
        self._cut_queue()

    def _serve(self, spawner: Spawner) -> None:
        while (item := self._queue.get()) is not None:
            attempt, limit = item
            if self._is_cut or self._ends.has(attempt):
                self._report([(attempt, CUT, self._clock.now_micros())])
                continue
            started = spawner.spawn(attempt, limit)
            outcome = self._watch(started) if isinstance(started, RunningCommand) else started
            if outcome is not None:
                self._report([(attempt, outcome, self._clock.now_micros())])

    def _cut_queue(self) -> None:
        """Report what was handed over when nobody served the queue any more."""
        with contextlib.suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if item is not None:
                    self._report([(item[0], CUT, self._clock.now_micros())])

    def _watch(self, command: RunningCommand) -> Failed | None:
        """Give a command to the supervisor; return what prevents it, after ending the command."""
        try:
            self._supervisor.watch(command)
        except OSError as error:
            kill_at_once(command.process)
            os.close(command.pidfd)
            self._locks.give_back(command.lock.slot)
            return failed_to_start(f"it cannot be watched: {error.strerror}")
        return None
