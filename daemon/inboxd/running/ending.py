"""Ending what a command started: SIGTERM, a grace, SIGKILL, until nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from inboxd.running.process_table import ProcessFacts, descendants, process_facts, send_signal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd.running.leader import Leader
    from inboxd.running.orphans import Orphans

__all__ = ["Ending", "living"]

#: Seconds between two looks at processes that are to end: soon at first, then less often.
_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05
#: Between two rounds of SIGKILL: a process that forks faster than this is followed by its group.
_KILL_PAUSE = 0.01
#: After this many seconds of SIGKILL a process hangs in the kernel, or is not ours to signal.
_KILL_SECONDS = 5.0


class Ending:
    """
    One command, or one orphan that nobody claims, that is being ended.

    A process is asked once by SIGTERM: many take a second one as an order to drop everything.
    Those that are there when the ending begins are asked then, those that outlive the leader when
    it ends; what a handler of SIGTERM starts in between, to tidy up, is left to do so.
    """

    def __init__(
        self,
        *,
        command: Leader | None,
        stray: ProcessFacts | None = None,
        now: float,
        grace_seconds: float,
    ) -> None:
        self.command = command
        self.stray = stray
        #: Monotonic seconds: when to look again.
        self.look_at = now
        self._pause = _FIRST_PAUSE
        self._kill_at = now + grace_seconds
        self._give_up_at = self._kill_at + _KILL_SECONDS
        self._asked: set[tuple[int, int]] = set()
        self._asks_of_leader_alive = False
        self._asks_of_leader_gone = False

    def step(self, orphans: Orphans, now: float) -> list[ProcessFacts] | None:
        """
        Do what is to be done now.

        Returns:
            None while something lives and there is hope; else what is left, which is nothing
            unless signals do not reach it.
        """
        command = self.command
        left = living(self._roots(orphans))
        orphans.keep_in_mind(left, command)
        if not left and (command is None or command.has_ended):
            return []
        if now >= self._give_up_at:
            return left
        if now >= self._kill_at:
            _kill(command, left)
            self._pause = min(self._pause, _KILL_PAUSE)
        elif command is not None and not command.has_ended:
            if not self._asks_of_leader_alive:
                self._asks_of_leader_alive = True
                self._ask(command, left)
        elif not self._asks_of_leader_gone:
            self._asks_of_leader_gone = True
            self._ask(None, left)
        self.look_at = now + self._pause
        if now < self._kill_at:
            self.look_at = min(self.look_at, self._kill_at)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return None

    def hurry(self, now: float) -> None:
        """Look at once: something is known to have changed."""
        self.look_at = now
        self._pause = _FIRST_PAUSE

    def _roots(self, orphans: Orphans) -> list[int]:
        if self.command is None:
            stray = self.stray
            facts = None if stray is None else process_facts(stray.pid)
            is_it = facts is not None and stray is not None and facts.started == stray.started
            return [facts.pid] if facts is not None and is_it else []
        roots = orphans.of(self.command)
        if not self.command.has_ended:
            roots.append(self.command.pid)
        return roots

    def _ask(self, leader: Leader | None, left: Iterable[ProcessFacts]) -> None:
        """Send SIGTERM to all that were not asked before."""
        in_group: set[int] = set()
        members = list(left)
        if leader is not None:
            # One call reaches the whole group, also those forked since the look; the number is
            # the leader's own until it is waited for.
            in_group = {one.pid for one in members if one.group == leader.pid}
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(leader.pid, signal.SIGTERM)
            if any(one.state == "T" for one in members if one.pid in in_group):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(leader.pid, signal.SIGCONT)
        for one in members:
            if one.pid not in in_group and (one.pid, one.started) not in self._asked:
                send_signal(one, signal.SIGTERM)
            self._asked.add((one.pid, one.started))


def _kill(leader: Leader | None, left: Iterable[ProcessFacts]) -> None:
    if leader is not None and not leader.has_ended:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader.pid, signal.SIGKILL)
    for one in left:
        send_signal(one, signal.SIGKILL)


def living(roots: list[int]) -> list[ProcessFacts]:
    """Return the processes at and below some that are not over."""
    found: list[ProcessFacts] = []
    for pid in [*roots, *descendants(roots)]:
        facts = process_facts(pid)
        if facts is not None and (facts.state not in {"Z", "X"} or _has_threads(pid)):
            found.append(facts)
    return found


def _has_threads(pid: int) -> bool:
    """Return whether threads run on in a process whose main thread is over."""
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1  # noqa: PTH208 - names
    except OSError:
        return False
