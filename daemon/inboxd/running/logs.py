"""
The output of attempts: where it lies, how it is read, and how it is kept within its bound.

A command writes straight into two files.
Of more than the bound the middle is dropped: its blocks are freed, so that the file keeps its
size and the writer its place, and a reader finds a hole there and can say how much is missing.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inboxd.running.paths import attempt_files
from inboxd.running.system_calls import punch_hole

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BLOCK_BYTES",
    "Dropped",
    "attempt_log_paths",
    "bound_log",
    "cut_out",
    "log_pieces",
    "log_tail",
]

#: Holes begin and end on these, so that what is read as missing is what was dropped, exactly.
BLOCK_BYTES = 4096
_PIECE_BYTES = 256 * 1024
#: Not through a link, and without waiting for the writer of a FIFO: the files are the command's.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Dropped(msgspec.Struct, frozen=True):
    """This many bytes were dropped here."""

    size: int


def attempt_log_paths(state: Path, tree_id: str, position: int, number: int) -> tuple[Path, Path]:
    """
    Return the files that hold an attempt's stdout and stderr.

    One that nothing was written to is removed when the attempt ends: not there means empty.
    """
    files = attempt_files(state, tree_id, position, number)
    return Path(files.out), Path(files.err)


def log_pieces(
    path: Path | str, *, start: int = 0, end: int | None = None
) -> Iterator[bytes | Dropped]:
    """
    Give what was kept of a file, in order, and `Dropped` where bytes are missing.

    Args:
        path: of a log; one that is not there, or that its command made into something else than
            a file, is empty.
        start: the first offset.
        end: the offset behind the last byte; by default the size of now.
    """
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENXIO}:
            return
        raise
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return
        end = facts.st_size if end is None else min(end, facts.st_size)
        position = start
        while position < end:
            data = _next_data(descriptor, position, end)
            if data > position:
                yield Dropped(data - position)
                position = data
                continue
            hole = min(os.lseek(descriptor, position, os.SEEK_HOLE), end)
            while position < hole:
                piece = os.pread(descriptor, min(_PIECE_BYTES, hole - position), position)
                if not piece:
                    return  # cut short by its writer
                yield piece
                position += len(piece)
    finally:
        os.close(descriptor)


def log_tail(path: Path | str, *, size: int, most: int) -> tuple[bytes, bool]:
    """
    Return the end of a file, and whether that is less than all that was written.

    Args:
        path: of a log.
        size: the file's size.
        most: at most this many bytes; fewer when bytes are missing among them.
    """
    if size == 0:
        return b"", False
    start = max(0, size - most)
    tail = b""
    is_cut = start > 0
    for piece in log_pieces(path, start=start, end=size):
        if isinstance(piece, Dropped):
            tail = b""
            is_cut = True
        else:
            tail += piece
    return tail[-most:], is_cut


def bound_log(path: str, *, max_bytes: int) -> None:
    """
    Drop the middle of a log that is larger than its bound; half of the bound is kept at each end.

    Safe while the file is written to, and again and again. Where the file system cannot free a
    range, the middle is cut out by writing the end anew behind the beginning, with a line that
    says so; what is written in that moment may be lost too.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        size = os.fstat(descriptor).st_size
        first = _aligned_up(max_bytes // 2)
        last = (size - max_bytes // 2) // BLOCK_BYTES * BLOCK_BYTES
        if last <= first:
            return
        try:
            punch_hole(descriptor, first, last - first)
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.ENOSYS}:
                raise
            cut_out(descriptor, first, last, size)
    finally:
        os.close(descriptor)


def cut_out(descriptor: int, first: int, last: int, size: int) -> None:
    """Rewrite a log without what lies between two offsets."""
    end = os.pread(descriptor, size - last, last)
    os.ftruncate(descriptor, first)
    note = f"\n[inboxd: {last - first:,} bytes dropped here]\n".encode()
    os.lseek(descriptor, 0, os.SEEK_END)
    os.write(descriptor, note + end)


def _aligned_up(offset: int) -> int:
    return -(-offset // BLOCK_BYTES) * BLOCK_BYTES


def _next_data(descriptor: int, position: int, end: int) -> int:
    """Return where the next kept byte is; *end* when there is none."""
    try:
        return min(os.lseek(descriptor, position, os.SEEK_DATA), end)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return end
        raise
