"""
The thread that watches commands and worker processes: their ends, time limits, output and what they
leave behind.

It sleeps in one epoll over the pidfds of all of them; nothing wakes it while none is there.
An attempt ends with its command's leader, not with the end of a pipe that a stranger may hold.
What outlives the leader is ended as well: the outcome of a success does not wait for that, that
of a failure does, so that no two attempts of one task are alive at once.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from inboxd.running.command_end import bound_outputs, remove_what_is_over
from inboxd.running.ending import Ending
from inboxd.running.live_runners import live_runners
from inboxd.running.orphans import Orphans
from inboxd.running.process_table import exit_status
from inboxd.task import Completed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from inboxd.clock import Clock
    from inboxd.config.settings import RunSettings
    from inboxd.running.asked_ends import AskedEnds
    from inboxd.running.attempt import Attempt
    from inboxd.running.leader import Leader
    from inboxd.running.locks import AttemptLocks
    from inboxd.running.process_table import ProcessFacts
    from inboxd.task import Outcome

__all__ = ["CommandSupervisor"]

logger = logging.getLogger(__name__)

#: How often the sizes of outputs are looked at (ADR 0009), and orphans are.
_TICK_SECONDS = 1.0
_MOST_EVENTS = 256
#: The heap of time limits may hold this many of commands that are over, besides as many as run.
_SPARE_LIMITS = 256
_AFTER_ERROR_SECONDS = 0.1


class CommandSupervisor:
    """Watches what the spawners and the workers' pool started, and reports how it ended."""

    def __init__(
        self,
        *,
        settings: RunSettings,
        state: Path,
        locks: AttemptLocks,
        ends: AskedEnds,
        report: Callable[[Sequence[tuple[Attempt, Outcome, int]]], None],
        clock: Clock,
        owns_process: bool = True,
    ) -> None:
        """Make it; *owns_process* as for the runner, the rest as for `CommandAttempts`."""
        self._owns_process = owns_process
        self._settings = settings
        self._state = state
        self._locks = locks
        self._ends = ends
        self._report = report
        self._clock = clock
        self._thread: threading.Thread | None = None
        #: Of what is watched, by pidfd, and the heap of time limits, which other threads fill.
        self._lock = threading.Lock()
        self._watched: dict[int, Leader] = {}
        self._limits: list[tuple[float, int, Leader]] = []
        self._order = itertools.count()
        self._sleeps_until: float | None = 0.0
        #: Filled by other threads: what is to be ended.
        self._to_end: deque[Leader] = deque()
        #: Set by other threads: the end of an attempt was asked for.
        self._looks_for_asked = False
        #: Guarded by the lock, since it is closed by `stop`; None: there is no thread to wake up.
        self._wake_up: int | None = None
        self._is_cut = False
        self._is_stopping = False
        # The rest is the thread's own.
        self._endings: dict[Leader | int, Ending] = {}
        #: Commands whose leader is over while something is left; a set that keeps its order.
        self._ended: dict[Leader, None] = {}
        self._outcomes: list[tuple[Attempt, Outcome, int]] = []
        self._tick_at = 0.0
        #: Once more after all is over: /proc may leave out a child while others end (proc(5)).
        self._looks_again = False

    def start(self) -> None:
        """Start the thread."""
        if self._thread is not None:
            return
        self._epoll = select.epoll()
        self._orphans = Orphans(self._state, owns_process=self._owns_process, runners=live_runners)
        wake_up = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(wake_up, select.EPOLLIN)
        with self._lock:
            self._wake_up = wake_up
        self._thread = threading.Thread(target=self._serve, name="supervisor", daemon=True)
        self._thread.start()

    def watch(self, command: Leader) -> None:
        """
        Take a command over from the spawner that started it; from any thread.

        Raises:
            OSError: it cannot be watched; the command is still the spawner's.
        """
        with self._lock:
            self._watched[command.pidfd] = command
            wake_at = self._clock.monotonic() + _TICK_SECONDS
            if command.limit is not None:
                limit_at = self._clock.monotonic() + command.limit
                heapq.heappush(self._limits, (limit_at, next(self._order), command))
                wake_at = min(wake_at, limit_at)
            wakes = self._sleeps_until is None or wake_at < self._sleeps_until
        try:
            self._epoll.register(command.pidfd, select.EPOLLIN)
        except OSError:
            with self._lock:
                del self._watched[command.pidfd]
            command.has_ended = True
            raise
        # Only now that it can be found: who asks for its end from here on finds it.
        if command.attempt is not None and self._ends.has(command.attempt):
            self._looks_for_asked = True
        if wakes or self._is_cut or self._looks_for_asked:
            self._wake()

    def end(self, command: Leader) -> None:
        """End one that is watched, and all that comes of it; from any thread, at once."""
        self._to_end.append(command)
        self._wake()

    def end_asked(self) -> None:
        """End those whose attempts were asked to end; from any thread, at once."""
        self._looks_for_asked = True
        self._wake()

    def cut(self) -> None:
        """End everything that runs, now and later; the outcomes follow, each `Interrupted`."""
        self._is_cut = True
        self._wake()

    def stop(self) -> None:
        """Cut, wait until nothing is left (the grace and a little more at the most), and stop."""
        if self._thread is None:
            return
        self._is_stopping = True
        self.cut()
        self._thread.join()
        self._thread = None
        self._orphans.close()
        self._epoll.close()
        with self._lock:
            wake_up, self._wake_up = self._wake_up, None
        if wake_up is not None:
            os.close(wake_up)

    def running(self) -> list[Leader]:
        """Return those whose leader is there; from any thread."""
        with self._lock:
            return list(self._watched.values())

    def _wake(self) -> None:
        with self._lock:
            if self._wake_up is not None:
                os.eventfd_write(self._wake_up, 1)

    def _serve(self) -> None:
        while True:
            try:
                self._turn()
            except Exception:
                # Without this thread every command would be unwatched: say so, and go on.
                logger.exception("supervisor stumbled", extra={"event": "supervisor_error"})
                time.sleep(_AFTER_ERROR_SECONDS)
            if self._is_stopping and not self._watched and not self._endings:
                return

    def _turn(self) -> None:
        """Sleep until something happens, do all that is due, and report it at once."""
        ended: list[Leader] = []
        for descriptor, _ in self._epoll.poll(self._sleep(), _MOST_EVENTS):
            if descriptor == self._wake_up:
                os.eventfd_read(descriptor)
            else:
                ended.append(self._wait_for_leader(descriptor))
        try:
            if ended:
                self._orphans.look(self._commands_left)
                for command in ended:
                    self._leader_ended(command)
            now = self._clock.monotonic()
            self._end_what_must_end(now)
            self._step_endings(now)
            self._tick(now)
        finally:
            if self._outcomes:
                outcomes, self._outcomes = self._outcomes, []
                self._report(outcomes)

    def _sleep(self) -> float | None:
        """Return how many seconds the thread may sleep; None is until something happens."""
        with self._lock:
            times = [ending.look_at for ending in self._endings.values()]
            if self._limits:
                times.append(self._limits[0][0])
            if self._watched or self._orphans:
                times.append(self._tick_at)
            if self._is_stopping and not times:
                return 0.0
            if self._looks_again:
                times.append(self._tick_at)
            self._sleeps_until = min(times) if times else None
            if self._sleeps_until is None:
                return None
            return max(0.0, self._sleeps_until - self._clock.monotonic())

    def _wait_for_leader(self, descriptor: int) -> Leader:
        """Wait for a leader whose pidfd says that it is over."""
        # Unregistered by hand: a child between vfork and exec shares the descriptor, and so keeps
        # the registration alive beyond our close.
        self._epoll.unregister(descriptor)
        with self._lock:
            command = self._watched.pop(descriptor)
        self._ended[command] = None
        command.status = exit_status(descriptor)
        command.has_ended = True
        command.begin_end()
        # Popen must not wait for it a second time: its number may be another's by then.
        command.process.returncode = command.status or 0
        os.close(descriptor)
        return command

    def _leader_ended(self, command: Leader) -> None:
        """Finish a command whose leader is over, unless something is left of it."""
        now = self._clock.monotonic()
        ending = self._endings.get(command)
        if ending is not None:
            ending.hurry(now)
        elif self._orphans and self._orphans.of(command):
            self._begin_ending(command, now)
            if command.status == 0:
                outcome = command.outcome(self._settings)
                if isinstance(outcome, Completed):
                    self._say(command, outcome)
        else:
            self._finish(command)

    def _commands_left(self) -> list[Leader]:
        """Return all of which a process may be an orphan."""
        return [*[one for one in self.running() if not one.adopts], *self._ended]

    def _end_what_must_end(self, now: float) -> None:
        """Begin to end what is over its time limit, or everything after a cut."""
        due: list[Leader] = []
        with self._lock:
            while self._limits and (self._limits[0][0] <= now or self._limits[0][2].is_reported):
                due.append(heapq.heappop(self._limits)[2])
            commands = list(self._watched.values()) if self._is_cut else []
        for command in due:
            if not command.has_ended and command not in self._endings:
                command.is_timed_out = True
                self._begin_ending(command, now)
        while self._to_end:
            command = self._to_end.popleft()
            if not command.has_ended and command not in self._endings:
                self._begin_ending(command, now)
        if self._looks_for_asked:
            self._looks_for_asked = False
            for command in self.running():
                if command not in self._endings and command.is_asked_to_end(self._ends):
                    command.is_cut = True
                    self._begin_ending(command, now)
        for command in commands:
            if command not in self._endings:
                command.is_cut = True
                self._begin_ending(command, now)

    def _begin_ending(self, command: Leader, now: float) -> None:
        command.begin_end()
        self._endings[command] = Ending(
            command=command, now=now, grace_seconds=self._settings.grace_seconds
        )

    def _step_endings(self, now: float) -> None:
        if not self._endings:
            return
        due = [one for one in self._endings.items() if one[1].look_at <= now]
        if due:
            self._orphans.look(self._commands_left)
        for key, ending in due:
            left = ending.step(self._orphans, now)
            if left is None:
                continue
            del self._endings[key]
            if left:
                _warn_of_survivors(ending.command, left)
            if ending.command is not None:
                if not ending.command.has_ended:
                    self._give_up_leader(ending.command)
                self._finish(ending.command)

    def _give_up_leader(self, command: Leader) -> None:
        """Stop watching a leader that SIGKILL does not end."""
        self._epoll.unregister(command.pidfd)
        with self._lock:
            del self._watched[command.pidfd]
        os.close(command.pidfd)
        # Popen waits for it later, when another command is started.
        command.has_ended = True

    def _tick(self, now: float) -> None:
        """Once a second: bound the outputs, and end the orphans that nobody claims."""
        is_busy = bool(self._watched or self._orphans or self._endings)
        if now < self._tick_at or not (is_busy or self._looks_again):
            return
        self._looks_again = is_busy
        self._tick_at = now + _TICK_SECONDS
        most = self._settings.max_output_bytes
        for command in [*self.running(), *self._ended]:
            command.look()
            if command.files is not None and command.attempt is not None:
                bound_outputs(command.files, max_bytes=most)
        self._orphans.look(self._commands_left)
        for facts in self._orphans.without_owner():
            if facts.pid not in self._endings:
                self._endings[facts.pid] = Ending(
                    command=None,
                    stray=facts,
                    now=now,
                    grace_seconds=self._settings.grace_seconds,
                )
        with self._lock:
            # Limits of commands that are over leave the heap by themselves only when they are due.
            if len(self._limits) > 2 * len(self._watched) + _SPARE_LIMITS:
                self._limits = [one for one in self._limits if not one[2].has_ended]
                heapq.heapify(self._limits)

    def _finish(self, command: Leader) -> None:
        """Nothing of a command is left: say how it ended, and remove its files that are over."""
        self._ended.pop(command, None)
        self._looks_again = True
        self._orphans.forget(command)
        if command.is_reported:
            command.look()  # what outlived the leader may have left files since
        else:
            self._say(command, command.outcome(self._settings))
        if command.files is not None:
            remove_what_is_over(command.files)
        self._locks.give_back(command.lock.slot)
        command.forget()

    def _say(self, command: Leader, outcome: Outcome | None) -> None:
        command.is_reported = True
        if command.attempt is not None and outcome is not None:
            self._outcomes.append((command.attempt, outcome, self._clock.now_micros()))


def _warn_of_survivors(command: Leader | None, left: list[ProcessFacts]) -> None:
    attempt = None if command is None else command.attempt
    logger.error(
        "processes do not end",
        extra={
            "event": "processes_do_not_end",
            "tree": None if attempt is None else attempt.tree_id,
            "task": None if attempt is None else attempt.task_id,
            "pids": [one.pid for one in left],
        },
    )
