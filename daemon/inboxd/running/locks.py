"""
The lock of an attempt: a file that its command inherits locked, so that a later daemon can tell
whether anything of the attempt still lives, and which process leads it.

As many files as attempts ran at one time, used again and again: a file for each attempt would be
made and removed with it, which on ext4 without a journal costs up to a millisecond, since the
kernel passes over inodes that were freed less than a minute ago (recently_deleted() in its
fs/ext4/ialloc.c; 860 us for one open measured after 10,000 removals).
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from inboxd.forked_children import give_to_children, keep_from_children
from inboxd.running.paths import make_private_directory
from inboxd.running.process_table import boot_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["AttemptLock", "AttemptLocks", "FoundLock", "found_locks"]

_OPEN = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
#: A first line is two numbers and an id.
_LINE_BYTES = 200


class AttemptLock(msgspec.Struct, frozen=True):
    """A lock that was taken for one attempt."""

    slot: int
    #: Ours, locked; inherited by the command. See `close`.
    descriptor: int
    #: (device, inode) of the file.
    identity: tuple[int, int]

    def write_leader(self, pid: int, started: int) -> None:
        """Say which process leads the attempt; only the first line counts."""
        os.pwrite(self.descriptor, b"%d %d %s\n" % (pid, started, boot_id()), 0)

    def close(self) -> None:
        """Leave the lock with who inherited it."""
        give_to_children(self.descriptor)
        os.close(self.descriptor)


class AttemptLocks:
    """Gives locks out; from any thread."""

    def __init__(self, state: Path | str) -> None:
        self._directory = _directory(state)
        self._free: deque[int] = deque()
        self._made = 0
        self._lock = threading.Lock()

    def take(self) -> AttemptLock:
        """
        Take a lock that nobody holds.

        Raises:
            OSError: the file cannot be made or opened.
        """
        while True:
            with self._lock:
                if self._free:
                    slot = self._free.popleft()
                else:
                    slot = self._made
                    self._made += 1
            try:
                descriptor = self._open(f"{self._directory}/{slot}.lock")
            except OSError:
                self.give_back(slot)
                raise
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                facts = os.fstat(descriptor)
            except BlockingIOError:
                # Something outlived its attempt: this slot stays with it.
                os.close(descriptor)
                continue
            keep_from_children(descriptor)
            return AttemptLock(slot, descriptor, (facts.st_dev, facts.st_ino))

    def give_back(self, slot: int) -> None:
        """Let a slot be used again; nothing of its attempt is left that is known."""
        with self._lock:
            self._free.append(slot)

    def _open(self, path: str) -> int:
        try:
            return os.open(path, _OPEN, 0o600)
        except FileNotFoundError:
            make_private_directory(self._directory)
            return os.open(path, _OPEN, 0o600)


class FoundLock(msgspec.Struct, frozen=True):
    """A lock file that an earlier daemon left."""

    identity: tuple[int, int]
    is_held: bool
    #: (pid, start time); None when it is of an earlier boot, or was never written.
    leader: tuple[int, int] | None


def found_locks(state: Path | str) -> Iterator[FoundLock]:
    """Give the lock files that are there, before this daemon takes any."""
    directory = _directory(state)
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names
    except FileNotFoundError:
        return
    for name in names:
        descriptor = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            facts = os.fstat(descriptor)
            line = os.pread(descriptor, _LINE_BYTES, 0).partition(b"\n")[0]
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_held = False
            except BlockingIOError:
                is_held = True
        finally:
            os.close(descriptor)
        yield FoundLock((facts.st_dev, facts.st_ino), is_held, _leader(line))


def _directory(state: Path | str) -> str:
    return f"{state}/attempts/locks"


def _leader(line: bytes) -> tuple[int, int] | None:
    try:
        pid, started, boot = line.split()
        return (int(pid), int(started)) if boot == boot_id() else None
    except ValueError:
        return None
