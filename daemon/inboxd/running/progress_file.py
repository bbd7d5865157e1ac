"""
What a command says of its progress in INBOXD_PROGRESS_FILE (docs/reference/command.md).

Only the newest line counts, so only the end of the file is ever read.
That is one small read however much was written, and it holds for a file that is appended to,
written anew, cut short or replaced alike.
"""

from __future__ import annotations

import logging
import os
import stat
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from inboxd.running.progress import Said

__all__ = ["LONGEST_LINE_BYTES", "LOOK_BYTES", "ProgressFile", "newest_progress"]

logger = logging.getLogger(__name__)

#: A longer line is passed over; a message is cut at 200 characters anyway.
LONGEST_LINE_BYTES = 64 * 1024
#: This much of the end of the file is looked at.
LOOK_BYTES = 2 * LONGEST_LINE_BYTES
#: Lines that are tried at one look, from the last one back; if all are nonsense, that takes 0.5 to
#: 1.5 ms (measured on 2 cores).
_MOST_TRIES = 256
_WORD = b'"progress"'
#: Blanks, and the mark that some write before UTF-8.
_BLANKS = b" \t\r\xef\xbb\xbf"
#: Not through a link, and without waiting for the writer of a FIFO: the file is the command's.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class _Line(msgspec.Struct):
    """The members of a line that mean something; others are left alone."""

    progress: msgspec.Raw
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decoder = msgspec.json.Decoder(_Line)
#: A number of more digits than Python converts is a ValueError, as is text that is no UTF-8.
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class ProgressFile:
    """Looks at the file of one attempt, again and again; never blocks, and raises nothing."""

    __slots__ = ("_has_logged", "_newest", "_path", "_seen", "may_be_there")

    def __init__(self, path: str) -> None:
        """*path* is the command's to make: mostly nothing is ever there."""
        self._path = path
        #: What the file was at the last look: device, inode, size, and time of its last change.
        self._seen: tuple[int, int, int, int] | None = None
        #: Where the newest line began, and its hash: a line for each command is too much to keep.
        self._newest: tuple[int, int] | None = None
        self._has_logged = False
        #: False once a look found nothing there.
        self.may_be_there = True

    def look(self) -> Said | None:
        """Return what the newest line says; None: nothing new since the last look."""
        try:
            facts = os.lstat(self._path)
        except FileNotFoundError:
            self.may_be_there = False
            return None
        except OSError as error:
            self._pass_over(str(error))
            return None
        self.may_be_there = True
        seen = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        if seen == self._seen:
            return None
        self._seen = seen
        if not stat.S_ISREG(facts.st_mode):
            self._pass_over("it is no regular file")
            return None
        try:
            start, end = _read_end(self._path)
        except OSError as error:
            self._pass_over(str(error))
            return None
        found = newest_progress(end, is_whole=start == 0)
        if found is None:
            if end:
                self._pass_over("no line at its end is progress")
            return None
        said, offset, line = found
        newest = (start + offset, hash(line))
        if newest == self._newest:
            return None
        self._newest = newest
        return said

    def remove(self) -> None:
        """Remove what is there, unless it is known that nothing is."""
        if not self.may_be_there:
            return
        try:
            os.unlink(self._path)  # noqa: PTH108 - a string, see AttemptFiles
        except FileNotFoundError:
            pass
        except OSError as error:
            self._pass_over(str(error))

    def _pass_over(self, reason: str) -> None:
        """Say once why something there is not used: it may be a slip of the command's author."""
        if self._has_logged:
            return
        self._has_logged = True
        logger.debug(
            "progress file passed over: %s",
            reason,
            extra={"event": "progress_file_passed_over", "path": self._path},
        )


def newest_progress(end: bytes, *, is_whole: bool) -> tuple[Said, int, bytes] | None:
    """
    Return the last line that is progress: what it says, its offset, the line; None: there is none.

    A last line without a newline counts: as long as it is being written it is no JSON.

    Args:
        end: of the file.
        is_whole: False: it may begin within a line, so its first line is not looked at.
    """
    stop = len(end)
    for _ in range(_MOST_TRIES):
        found = end.rfind(_WORD, 0, stop)
        if found < 0:
            return None
        begin = end.rfind(b"\n", 0, found) + 1
        if begin == 0 and not is_whole:
            return None
        newline = end.find(b"\n", found)
        line = end[begin : newline if newline >= 0 else len(end)]
        said = _said(line)
        if said is not None:
            return said, begin, line
        stop = begin
    return None


def _said(line: bytes) -> Said | None:
    if len(line) > LONGEST_LINE_BYTES:
        return None
    try:
        read = _decoder.decode(line.lstrip(_BLANKS))
        return _value(read.progress), _value(read.message)
    except _UNREADABLE:
        return None


def _value(raw: msgspec.Raw | msgspec.UnsetType) -> Any:
    return None if isinstance(raw, msgspec.UnsetType) else msgspec.json.decode(raw)


def _read_end(path: str) -> tuple[int, bytes]:
    """
    Return the end of a file, and the offset where that begins.

    Raises:
        OSError: it cannot be opened, or is no regular file any more.
    """
    descriptor = os.open(path, _READ)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError("it is no regular file")
        start = max(0, facts.st_size - LOOK_BYTES)
        return start, os.pread(descriptor, LOOK_BYTES, start)
    finally:
        os.close(descriptor)
