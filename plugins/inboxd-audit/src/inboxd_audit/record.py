"""The file of the record: lines are added at its end, and it is rotated at a size."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EVENTS", "Record", "record_files"]

#: All that is recorded.
EVENTS = (
    "daemon_started",
    "daemon_stopping",
    "tree_accepted",
    "tree_ended",
    "file_rejected",
    "task_starting",
    "task_ended",
)


class Record:
    """Appends to the record; for one thread."""

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._descriptor: int | None = None
        self._size = 0

    def add(self, line: dict[str, Any]) -> None:
        """
        Add a line, whole or not at all.

        Raises:
            OSError: it could not be written.
        """
        data = msgspec.json.encode(line) + b"\n"
        descriptor = self._opened(len(data))
        written = os.write(descriptor, data)
        if written != len(data):
            # A full disk took a part: no half line stays.
            os.ftruncate(descriptor, self._size)
            raise OSError(28, "no space for a whole line", str(self._path))
        self._size += written

    def close(self) -> None:
        """Close the file; it is opened again by the next line."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self, more: int) -> int:
        if self._descriptor is not None and self._is_moved_away():
            self.close()
        if self._descriptor is None:
            self._open()
        if self._size and self._size + more > self._max_bytes:
            self.close()
            self._rotate()
            self._open()
        assert self._descriptor is not None  # noqa: S101 - for the type checker
        return self._descriptor

    def _open(self) -> None:
        # 0640: whoever the directory's group admits may read; nobody else.
        self._descriptor = os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640
        )
        self._size = os.fstat(self._descriptor).st_size

    def _is_moved_away(self) -> bool:
        """Whether somebody else (logrotate) put the file aside."""
        assert self._descriptor is not None  # noqa: S101 - for the type checker
        try:
            there = self._path.lstat()
        except FileNotFoundError:
            return True
        return not os.path.samestat(there, os.fstat(self._descriptor))

    def _rotate(self) -> None:
        if self._keep == 0:
            self._path.unlink(missing_ok=True)
            return
        for number in range(self._keep, 1, -1):
            with contextlib.suppress(FileNotFoundError):
                _numbered(self._path, number - 1).replace(_numbered(self._path, number))
        with contextlib.suppress(FileNotFoundError):
            self._path.replace(_numbered(self._path, 1))


def record_files(path: Path) -> Iterator[Path]:
    """Yield the files of a record that are there, the oldest first."""
    number = 1
    while _numbered(path, number).exists():
        number += 1
    for older in range(number - 1, 0, -1):
        yield _numbered(path, older)
    if path.exists():
        yield path


def _numbered(path: Path, number: int) -> Path:
    return Path(f"{path}.{number}")
