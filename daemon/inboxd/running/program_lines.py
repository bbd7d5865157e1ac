"""
What a program says on stdout by the line protocol (docs/reference/executor-protocol.md, ADR 0020).

A line that begins with `{` is read, every other one is output like that of any command.
All of it is bounded: a line by the largest result, the lines of one look by a number.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, cast

import msgspec

from inboxd.durations import duration_seconds
from inboxd.names import escaped
from inboxd.running.logs import Dropped, log_pieces

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ProgramError", "ProgramLines"]

#: What may stand before a line's object: blanks, and the mark that some write before UTF-8.
_BLANKS = b" \t\r\xef\xbb\xbf"
#: Lines that may be of the protocol, or of one of its objects that is spread over several lines;
#: `^` is after every newline.
_LINE = re.compile(rb'^[ \t\r\xef\xbb\xbf]*(?:\{|"(?:result|error)")[^\n]*', re.MULTILINE)
#: A member on a line of its own.
_MEMBER = re.compile(rb'"(?:result|error)"[ \t]*:')
#: The rest of the line that carries the largest result.
_FRAME_BYTES = 64 * 1024
#: What a line of the protocol has in it; JSON for a log, say, is passed over without a parse.
_WORDS = re.compile(rb"progress|result|error")
#: Lines with such a word that are read at one look, once a second: more than that is no progress
#: for people. A tenth of a second's work, as are ten times as many without.
MOST_LINES_A_LOOK = 50_000
_MOST_OTHERS_A_LOOK = 10 * MOST_LINES_A_LOOK
#: Bytes that are read at one look while it runs.
_LOOK_BYTES = 8 * 1024 * 1024
_SHOWN_CHARACTERS = 80
#: Thirty days: further ahead is a slip of the pen, and nobody remembers what waits.
_LONGEST_RETRY_SECONDS = 30 * 86400.0


class ProgramError(msgspec.Struct, frozen=True, kw_only=True):
    """What an `error` line says."""

    message: str
    retryable: bool = True
    #: Seconds; None: as the task's `retry` says.
    retry_after_seconds: float | None = None
    #: What of it cannot be used, for people.
    problem: str | None = None


class _Line(msgspec.Struct):
    """The members of a line that mean something; others are left alone."""

    progress: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decoder = msgspec.json.Decoder(_Line)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class ProgramLines:
    """Reads the lines of one attempt as its output grows; the newest of what they said."""

    __slots__ = (
        "_is_counting",
        "_is_open",
        "_is_skipping",
        "_lines",
        "_longest",
        "_max_result_bytes",
        "_others",
        "_position",
        "_tail",
        "dropped",
        "error",
        "has_too_many_lines",
        "oversize",
        "oversize_line",
        "progress",
        "result",
        "results",
        "spread",
        "unreadable",
    )

    def __init__(self, *, max_result_bytes: int) -> None:
        self._max_result_bytes = max_result_bytes
        self._longest = max_result_bytes + _FRAME_BYTES
        self._position = 0
        #: The beginning of a line whose end has not come.
        self._tail = bytearray()
        #: The line that is being written is not wanted.
        self._is_skipping = False
        #: It is, because it is too long; how long is still to be seen.
        self._is_counting = False
        #: An object began in an earlier line that did not end it.
        self._is_open = False
        self._lines = self._others = 0
        #: The fraction and the message of the newest line of progress, as they were given.
        self.progress: tuple[object, object] | None = None
        #: The first error.
        self.error: ProgramError | None = None
        #: The first result, without blanks and with each key once; how many there were.
        self.result: bytes | None = None
        self.results = 0
        #: The size of the first result that is over its bound, and of the first such line.
        self.oversize: int | None = None
        self.oversize_line: int | None = None
        #: The first line that begins with `{` and is no JSON, for people.
        self.unreadable: str | None = None
        #: The first line that looks like a part of an object that is spread over several lines.
        self.spread: str | None = None
        #: Bytes that were dropped before they were read.
        self.dropped = 0
        self.has_too_many_lines = False

    def look(self, path: Path | str, *, is_over: bool = False) -> None:
        """
        Read what was added to a file since the last look.

        Args:
            path: of the attempt's stdout.
            is_over: nothing more comes; what is there is read to its end, the last line too.
        """
        self._lines = self._others = 0
        self._notice_cut(path)
        end = None if is_over else self._position + _LOOK_BYTES
        for piece in log_pieces(path, start=self._position, end=end):
            if isinstance(piece, Dropped):
                self._position += piece.size
                self.dropped += piece.size
                self._skip()
            else:
                self._position += len(piece)
                self._feed(piece)
        if is_over and not self._is_skipping:
            self._line(bytes(self._tail))

    def _notice_cut(self, path: Path | str) -> None:
        """Begin anew at the end of a file that was made shorter: by its program, or by us."""
        try:
            size = os.lstat(path).st_size
        except OSError:
            return
        if size < self._position:
            self.dropped += self._position - size
            self._position = size
            self._skip()

    def _feed(self, piece: bytes) -> None:
        first = piece.find(b"\n")
        if first < 0:
            self._lengthen(piece)
            return
        self._lengthen(piece[:first])
        if not self._is_skipping:
            self._line(bytes(self._tail))
        self._tail.clear()
        self._is_skipping = self._is_counting = False
        last = piece.rfind(b"\n") + 1
        for match in _LINE.finditer(piece, first + 1, last):
            if self.has_too_many_lines:
                break
            self._line(match.group())
        self._lengthen(piece[last:])

    def _lengthen(self, part: bytes) -> None:
        """Add to the line that is being written, as long as it may be one of the protocol."""
        if self._is_skipping:
            if self._is_counting:
                self.oversize_line = (self.oversize_line or 0) + len(part)
            return
        self._tail += part
        if len(self._tail) > self._longest:
            size = len(self._tail)
            is_object = self._tail[:_FRAME_BYTES].lstrip(_BLANKS).startswith(b"{")
            self._skip()
            if is_object and self.oversize_line is None:
                self.oversize_line = size
                self._is_counting = True
        elif self._tail and not _is_candidate(self._tail[:_FRAME_BYTES]):
            self._skip()

    def _skip(self) -> None:
        self._tail.clear()
        self._is_skipping = True
        self._is_counting = False

    def _line(self, line: bytes) -> None:
        line = line.lstrip(_BLANKS)
        if not line.startswith(b"{"):
            if self._is_open and self.spread is None and _MEMBER.match(line):
                self.spread = _shown(line)
            return
        # Most lines of JSON for a log end here, so this is all that is done with them.
        if _WORDS.search(line) is None:
            self._is_open = not line.rstrip().endswith(b"}")
            self._others += 1
            self.has_too_many_lines |= self._others > _MOST_OTHERS_A_LOOK
            return
        self._lines += 1
        if self._lines > MOST_LINES_A_LOOK:
            self.has_too_many_lines = True
            return
        if len(line) > self._longest:
            self.oversize_line = self.oversize_line or len(line)
            return
        try:
            said = _decoder.decode(line)
            if said.progress is not msgspec.UNSET:
                self.progress = (_value(said.progress), _value(said.message))
            if said.error is not msgspec.UNSET and self.error is None:
                self.error = _error_of(_value(said.error))
            if said.result is not msgspec.UNSET:
                self._take_result(said.result)
        except _UNREADABLE:
            if self.unreadable is None:
                self.unreadable = _shown(line)

    def _take_result(self, raw: msgspec.Raw) -> None:
        result = msgspec.json.encode(msgspec.json.decode(raw))
        self.results += 1
        if len(result) > self._max_result_bytes:
            self.oversize = self.oversize or len(result)
        elif self.result is None:
            self.result = result


def _is_candidate(line: bytes | bytearray) -> bool:
    """Return whether a line, or its beginning, may be one of the protocol."""
    start = line.lstrip(_BLANKS)
    return not start or start.startswith((b"{", b'"'))


def _shown(line: bytes) -> str:
    return escaped(line[:_SHOWN_CHARACTERS].decode("utf-8", "replace"))


def _value(raw: msgspec.Raw | msgspec.UnsetType) -> Any:
    return None if isinstance(raw, msgspec.UnsetType) else msgspec.json.decode(raw)


def _error_of(value: Any) -> ProgramError:
    """Return what an error line says; a bare text is its message."""
    if not isinstance(value, dict):
        return ProgramError(message=_text(value))
    members = cast("dict[str, Any]", value)
    message = _text(members.get("message"))
    retry: Any = members.get("retry")
    if retry is None or isinstance(retry, bool):
        return ProgramError(message=message, retryable=retry is not False)
    seconds = duration_seconds(retry) if isinstance(retry, int | float | str) else None
    if seconds is None:
        shown = escaped(msgspec.json.encode(retry).decode())[:_SHOWN_CHARACTERS]
        return ProgramError(
            message=message, problem=f"its retry {shown} is no duration, and counts as true"
        )
    return ProgramError(message=message, retry_after_seconds=min(seconds, _LONGEST_RETRY_SECONDS))


def _text(value: Any) -> str:
    if value is None or value == "":
        return "the program gave no message"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
