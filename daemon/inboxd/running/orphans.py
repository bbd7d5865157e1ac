"""
Processes that a command left behind: whose they are, and waiting for those that ended.

This process is a subreaper: one whose parent ended becomes its child, so everything that outlives
a command's leader is among its adopted children, or below one of them.

The daemon starts nothing else that leaves its session, so whatever does is some command's. In the
process of a user, or beside another runner, only what is known to be a command's is touched: the
rest was started by somebody who waits for it himself.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from inboxd.running.process_table import (
    Adopted,
    ProcessFacts,
    age_seconds,
    holds_file,
    mark_of,
    process_facts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from inboxd.running.leader import Leader
    from inboxd.running.live_runners import LiveRunners

__all__ = ["Orphans"]


#: A process has no environment for a moment while it becomes another program (execve(2)), so one
#: that nothing is known of is looked at again before it counts as hiding.
_LOOKS_AT_A_NEW_ONE = 3
_EXEC_SECONDS = 0.002
#: One that is older than this is not looked at again for that.
_NEW_SECONDS = 0.1
#: What tells nothing at this age tells nothing later: it only loses what would tell.
_SETTLED_SECONDS = 1.0
#: So many that were ended are kept in mind until they are waited for, at most.
_MOST_ENDED = 10_000


_NOBODY: Final = (-1, None)


class _Orphan:
    """One adopted process."""

    __slots__ = ("facts", "is_known", "owners")

    def __init__(self, facts: ProcessFacts, owners: set[Leader]) -> None:
        self.facts = facts
        #: Whose it can be: one when it is known; all that ran when it was first seen when it hides
        #: everything that would tell. A command that ends is taken out.
        self.owners = owners
        self.is_known = False


class Orphans:
    """The adopted children; for the supervisor's thread alone."""

    def __init__(self, state: Path | str, *, owns_process: bool, runners: LiveRunners) -> None:
        """
        Args:
            state: the state directory.
            owns_process: False: the process is a user's, and has children of its own.
            runners: those of this process.
        """
        #: What the marks of all attempts of this daemon begin with.
        self._marks = f"{state}/attempts/"
        self._owns_process = owns_process
        self._runners = runners
        self._orphans: dict[int, _Orphan] = {}
        #: By pid, the start times of children that are somebody else's.
        self._strangers: dict[int, int] = {}
        #: By pid, the start times of what is being ended or was, and whose it was if it was known.
        self._ended: dict[int, tuple[int, Leader | None]] = {}
        #: Of this process, now and before.
        self._sessions = {os.getsid(0)}
        self._adopted = Adopted()

    def close(self) -> None:
        """Give the descriptor back."""
        self._adopted.close()

    def look(self, commands: Callable[[], Collection[Leader]]) -> None:
        """
        Bring what is known up to date, and wait for orphans that ended.

        Args:
            commands: gives all of which something may be left; called only when it is needed.
        """
        pids = self._adopted.pids()
        self._sessions.add(os.getsid(0))
        while self._reap(pids):
            # What ended may have had children, which are ours only now.
            pids = self._adopted.pids()
        pids += self._left_out(pids)
        if not pids:
            self._orphans.clear()
            self._strangers.clear()
            return
        possible = commands()
        present = set(pids)
        for known in (self._orphans, self._strangers):
            for pid in [pid for pid in known if pid not in present]:
                del known[pid]
        leaders = {command.pid for command in possible}
        for pid in pids:
            if pid not in leaders:  # whose spawner's thread is over
                self._note(pid, possible)

    def _left_out(self, pids: list[int]) -> list[int]:
        """
        Return orphans that are there still though the list has them not.

        The kernel leaves children out of it while others end (proc(5)), and one that was forgotten
        would be a stranger when it has become a zombie.
        """
        listed = set(pids)
        missing = [one.facts for pid, one in self._orphans.items() if pid not in listed]
        left_out: list[int] = []
        for facts in missing:
            now = process_facts(facts.pid)
            if now is not None and now.started == facts.started and now.parent == os.getpid():
                left_out.append(facts.pid)
        if left_out:
            self._reap(left_out)
        return [pid for pid in left_out if process_facts(pid) is not None]

    def of(self, command: Leader) -> list[int]:
        """Return the orphans that can only be this command's."""
        return [pid for pid, orphan in self._orphans.items() if orphan.owners == {command}]

    def without_owner(self) -> list[ProcessFacts]:
        """Return the orphans whose command is over."""
        return [orphan.facts for orphan in self._orphans.values() if not orphan.owners]

    def forget(self, command: Leader) -> None:
        """Take out a command of which nothing is left that is known to be its own."""
        for orphan in self._orphans.values():
            orphan.owners.discard(command)

    def keep_in_mind(self, ended: Iterable[ProcessFacts], owner: Leader | None) -> None:
        """
        Know processes that are being ended, wherever they are below a command.

        One of them may come here when its parent ends, and hide whose it is; and nothing tells
        whose a zombie is.
        """
        self._ended.update((one.pid, (one.started, owner)) for one in ended)
        # The oldest go: nothing is looked up, since what forks fast must be killed soon.
        while len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]

    def __bool__(self) -> bool:
        return bool(self._orphans)

    @property
    def _all_are_ours(self) -> bool:
        """Whether all children that left our session are a command's."""
        return self._owns_process and not self._runners.are_several

    def _reap(self, pids: list[int]) -> bool:
        """Wait for the orphans that ended; return whether there were any."""
        has_reaped = False
        for pid in pids:
            facts = process_facts(pid)
            # A child of our own session is somebody else's in this process: it waits itself.
            if facts is None or facts.state != "Z" or facts.session in self._sessions:
                continue
            if not self._all_are_ours and not self._is_nobody_elses(facts):
                continue
            with contextlib.suppress(ChildProcessError):
                # 0: its main thread is over, others run.
                if os.waitpid(pid, os.WNOHANG)[0] != 0:
                    has_reaped = True
                    self._ended.pop(pid, None)
        return has_reaped

    def _is_nobody_elses(self, zombie: ProcessFacts) -> bool:
        """
        Return whether nobody else can wait for a child that ended and tells nothing any more.

        It was known when it lived; or it was adopted. A process that this one started itself is in
        our session, or leads one of its own (setsid(2)); one that does neither was started by
        another. Who made this process a subreaper before us may wait for such ones.
        """
        orphan = self._orphans.get(zombie.pid)
        if orphan is not None and orphan.is_known and orphan.facts.started == zombie.started:
            return True
        if self._ended.get(zombie.pid, _NOBODY)[0] == zombie.started:
            return True
        return self._runners.made_subreaper and zombie.session not in (zombie.pid, 0)

    def _note(self, pid: int, commands: Collection[Leader]) -> None:
        facts = process_facts(pid)
        if facts is None or facts.session in self._sessions:
            return
        if self._all_are_ours:
            self._strangers.clear()
        elif facts.state == "Z" or self._strangers.get(pid) == facts.started:
            return
        orphan = self._orphans.get(pid)
        is_new = orphan is None or orphan.facts.started != facts.started
        if orphan is None or is_new:
            orphan = _Orphan(facts, set(commands))
        if orphan.is_known:
            return
        age = age_seconds(facts)
        for look in range(_LOOKS_AT_A_NEW_ONE if is_new and age < _NEW_SECONDS else 1):
            if look:
                time.sleep(_EXEC_SECONDS)
            if (owners := self._owners(facts, commands)) is not None:
                orphan.owners = owners
                orphan.is_known = True
                break
        if orphan.is_known or self._all_are_ours:
            self._orphans[pid] = orphan
        elif is_new:
            self._orphans.pop(pid, None)
            if age > _SETTLED_SECONDS:
                self._strangers[pid] = facts.started

    def _owners(self, facts: ProcessFacts, commands: Collection[Leader]) -> set[Leader] | None:
        """
        Return whose a process is: by its session, its mark, or the lock that it inherited.

        None when nothing tells; an empty set when it carries the mark of an attempt that is over,
        or belonged to one.
        """
        for command in commands:
            if command.pid == facts.session and command.started <= facts.started:
                return {command}
        mark = mark_of(facts.pid)
        for command in commands:
            if command.files is not None and command.files.result == mark:
                return {command}
        if mark is not None and mark.startswith(self._marks):
            return set()
        locks = {command.lock.identity: command for command in commands}
        held = holds_file(facts.pid, locks)
        if held is not None:
            return {locks[held]}
        started, owner = self._ended.get(facts.pid, _NOBODY)
        if started != facts.started:
            return None
        return {owner} if owner is not None and owner in commands else set()
