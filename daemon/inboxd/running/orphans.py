"""
Processes that a command left behind: whose they are, and waiting for those that ended.

The daemon is a subreaper: a process whose parent ended becomes the daemon's child, so everything
that outlives a command's leader is among the daemon's adopted children, or below one of them.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from inboxd.running.process_table import (
    Adopted,
    ProcessFacts,
    holds_file,
    mark_of,
    process_facts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from inboxd.running.leader import Leader

__all__ = ["Orphans"]


#: A process has no environment for a moment while it becomes another program (execve(2)), so one
#: that nothing is known of is looked at again before it counts as hiding.
_LOOKS_AT_A_NEW_ONE = 3
_EXEC_SECONDS = 0.002


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

    def __init__(self, state: Path | str) -> None:
        #: What the marks of all attempts of this daemon begin with.
        self._marks = f"{state}/attempts/"
        self._orphans: dict[int, _Orphan] = {}
        self._session = os.getsid(0)
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
        while self._reap(pids):
            # What ended may have had children, which are ours only now.
            pids = self._adopted.pids()
        if not pids:
            self._orphans.clear()
            return
        possible = commands()
        present = set(pids)
        for pid in [pid for pid in self._orphans if pid not in present]:
            del self._orphans[pid]
        for pid in pids:
            self._note(pid, possible)

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

    def __bool__(self) -> bool:
        return bool(self._orphans)

    def _reap(self, pids: list[int]) -> bool:
        """Wait for the orphans that ended; return whether there were any."""
        has_reaped = False
        for pid in pids:
            facts = process_facts(pid)
            # A child of our own session is somebody else's in this process: it waits itself.
            if facts is None or facts.state != "Z" or facts.session == self._session:
                continue
            with contextlib.suppress(ChildProcessError):
                # 0: its main thread is over, others run.
                has_reaped = os.waitpid(pid, os.WNOHANG)[0] != 0 or has_reaped
        return has_reaped

    def _note(self, pid: int, commands: Collection[Leader]) -> None:
        facts = process_facts(pid)
        if facts is None or facts.session == self._session:
            return
        orphan = self._orphans.get(pid)
        is_new = orphan is None or orphan.facts.started != facts.started
        if orphan is None or is_new:
            orphan = self._orphans[pid] = _Orphan(facts, set(commands))
        for _ in range(_LOOKS_AT_A_NEW_ONE if is_new else 1):
            if orphan.is_known:
                return
            if (owners := self._owners(facts, commands)) is not None:
                orphan.owners = owners
                orphan.is_known = True
            elif is_new:
                time.sleep(_EXEC_SECONDS)

    def _owners(self, facts: ProcessFacts, commands: Collection[Leader]) -> set[Leader] | None:
        """
        Return whose a process is: by its session, its mark, or the lock that it inherited.

        None when nothing tells; an empty set when it carries the mark of an attempt that is over.
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
        return None if held is None else {locks[held]}
