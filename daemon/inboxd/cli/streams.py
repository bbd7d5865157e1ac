"""The standard streams of a verb: closed ones made safe, and a stdout that says what is wrong."""

from __future__ import annotations

import io
import os
import sys
import threading
from typing import TYPE_CHECKING, cast

from inboxd.errors import InboxdError
from inboxd.plugins.limited import PluginThread

if TYPE_CHECKING:
    from typing import TextIO

    from typing_extensions import Buffer  # known to every checker; in `collections.abc` since 3.12

__all__ = ["OutputFailed", "forget_stdout", "prepare_streams"]

_STDOUT = 1


class OutputFailed(InboxdError):
    """What a verb prints cannot be written; that the reader of a pipe left is none of these."""


class _Stdout(io.FileIO):
    """Descriptor 1, whose errors are told from those of files that a verb reads or writes."""

    def write(self, data: Buffer, /) -> int:
        """Write a piece; see `io.RawIOBase.write`."""
        try:
            return cast("int", super().write(data))
        except (BrokenPipeError, BlockingIOError):
            raise
        except OSError as error:
            raise OutputFailed(
                f"standard output cannot be written: {error.strerror}; what was printed is not"
                " complete"
            ) from error


class _Text(io.TextIOWrapper):
    """Standard output for what a verb prints; what a plugin does goes to stderr."""

    def write(self, text: str, /) -> int:
        """Write a text; see `io.TextIOBase.write`."""
        if isinstance(threading.current_thread(), PluginThread):
            return sys.stderr.write(text)
        return super().write(text)


def prepare_streams() -> None:
    """
    Make the three standard streams usable, whatever they were when the process began.

    Python has no stream for a descriptor that was closed, and the next file that is opened, maybe
    the database, gets its number. So /dev/null takes it: for writing where the stream is read, and
    the other way round, so that using it fails as a closed one does; stderr alone is just silent.
    """
    for number, flags in ((0, os.O_WRONLY), (_STDOUT, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is the one: those below were made sure of.
            os.set_inheritable(os.open(os.devnull, flags), True)
    before = cast("TextIO | None", sys.stdout)
    sys.stdout = _Text(
        io.BufferedWriter(_Stdout(_STDOUT, "w", closefd=False)),
        encoding=None if before is None else before.encoding,
        errors=None if before is None else before.errors,
        line_buffering=before is not None and before.isatty(),
    )
    # Both stay open for as long as the process lives.
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - same


def forget_stdout() -> None:
    """Let what is still buffered go nowhere, else the interpreter complains at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
