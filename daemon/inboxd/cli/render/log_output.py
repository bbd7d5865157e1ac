"""How the output of an attempt is written out: raw to a pipe, safe on a terminal, or as JSON."""

from __future__ import annotations

import codecs
import sys
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, assert_never

from inboxd.cli.render.json_forms import encoded, for_terminal
from inboxd.names import escaped
from inboxd.running.logs import Dropped

if TYPE_CHECKING:
    from typing import BinaryIO, TextIO

__all__ = ["JsonOutput", "LogOutput", "PlainOutput", "Stream"]

Stream: TypeAlias = Literal["stdout", "stderr"]


class LogOutput(Protocol):
    """Takes the pieces of both streams, each stream's in order."""

    def write(self, stream: Stream, piece: bytes | Dropped) -> None:
        """Write one piece."""
        ...

    def flush(self) -> None:
        """Let the reader have what was written."""
        ...

    def close(self) -> None:
        """Write what is left of a character that never became whole."""
        ...


class PlainOutput:
    """
    Both streams go to stdout; what tells them apart, and where bytes are missing, goes to stderr.

    So `inboxd logs … > file` gives the bytes that were written, whatever they are. On a terminal
    control characters are shown, not sent.
    """

    def __init__(self, *, headings: bool, out: BinaryIO | None = None, err: TextIO | None = None):
        """
        Make it; nothing is written yet.

        Args:
            headings: name the first stream too: something is known to follow from the other.
            out: stdout's bytes, unless given.
            err: stderr, unless given.
        """
        self._is_terminal = sys.stdout.isatty() if out is None else out.isatty()
        self._out = sys.stdout.buffer if out is None else out
        self._err = sys.stderr if err is None else err
        self._headings = headings
        self._last: Stream | None = None
        self._at_line_start = True
        self._texts: dict[Stream, codecs.IncrementalDecoder] = {
            "stdout": _decoder("backslashreplace"),
            "stderr": _decoder("backslashreplace"),
        }

    def write(self, stream: Stream, piece: bytes | Dropped) -> None:
        """Write one piece, after a heading where the stream changes."""
        if stream != self._last:
            if self._last is not None or self._headings:
                self._tell(f"==> {stream} <==")
            self._last = stream
        match piece:
            case Dropped():
                self._tell(f"… {piece.size:,} bytes were not kept here")
            case bytes():
                self._write(stream, piece)
            case _:
                assert_never(piece)

    def flush(self) -> None:
        """Let the reader have what was written."""
        self._out.flush()

    def close(self) -> None:
        """Write what is left of a character that never became whole."""
        if self._is_terminal:
            for decoder in self._texts.values():
                self._out.write(decoder.decode(b"", final=True).encode())
        self._out.flush()

    def _write(self, stream: Stream, piece: bytes) -> None:
        self._at_line_start = piece.endswith(b"\n")
        if self._is_terminal:
            text = self._texts[stream].decode(piece).replace("\r\n", "\n")
            piece = escaped(text, keep_newlines=True).encode()
        self._out.write(piece)

    def _tell(self, text: str) -> None:
        self._out.flush()
        if self._is_terminal and not self._at_line_start:
            text = "\n" + text
        self._at_line_start = True
        self._err.write(text + "\n")
        self._err.flush()


class JsonOutput:
    """One JSON object a line: `{"stream", "text"}`, or `{"stream", "dropped_bytes"}`."""

    def __init__(self, out: BinaryIO | None = None) -> None:
        """Make it; *out* is stdout's bytes unless given."""
        self._is_terminal = sys.stdout.isatty() if out is None else out.isatty()
        self._out = sys.stdout.buffer if out is None else out
        self._texts: dict[Stream, codecs.IncrementalDecoder] = {
            "stdout": _decoder("replace"),
            "stderr": _decoder("replace"),
        }

    def write(self, stream: Stream, piece: bytes | Dropped) -> None:
        """Write one piece; bytes that are no UTF-8 become U+FFFD."""
        match piece:
            case Dropped():
                self._line({"stream": stream, "dropped_bytes": piece.size})
            case bytes():
                self._text(stream, self._texts[stream].decode(piece))
            case _:
                assert_never(piece)

    def flush(self) -> None:
        """Let the reader have what was written."""
        self._out.flush()

    def close(self) -> None:
        """Write what is left of a character that never became whole."""
        for stream, decoder in self._texts.items():
            self._text(stream, decoder.decode(b"", final=True))
        self._out.flush()

    def _text(self, stream: Stream, text: str) -> None:
        if text:  # of a piece that ends within its first character there is none
            self._line({"stream": stream, "text": text})

    def _line(self, document: dict[str, object]) -> None:
        line = encoded(document)
        self._out.write((for_terminal(line) if self._is_terminal else line) + b"\n")


def _decoder(errors: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")(errors)
