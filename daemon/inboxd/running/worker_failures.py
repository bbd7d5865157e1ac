"""In a worker process: what an executor raised, for the log whole and for the error in short."""

from __future__ import annotations

import contextlib
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inboxd.names import escaped
from inboxd.running.outcomes import raised

if TYPE_CHECKING:
    from types import TracebackType

    from inboxd.task import Failed

__all__ = ["failed_attempt"]

#: Of the frames so many stand in the error, the last ones, and so many characters.
_MOST_FRAMES = 8
_LONGEST_TRACEBACK = 4_000
#: Of an exception's text this much is in the log.
_LONGEST_LOGGED = 4 * 1024 * 1024

#: Frames in here say nothing to the author of a function.
_OURS = str(Path(__file__).parents[1]) + os.sep


def failed_attempt(error: BaseException) -> Failed:
    """Return the outcome of an executor that raised, and write its traceback to stderr."""
    failed = raised(error)
    begin = _foreign(error.__traceback__)
    _write(_whole(error, begin))
    if begin is None:
        return failed
    try:
        frames = "".join(traceback.format_tb(begin)[-_MOST_FRAMES:])
    except BaseException:
        return failed
    text = escaped(frames, keep_newlines=True)[-_LONGEST_TRACEBACK:].rstrip()
    return msgspec.structs.replace(
        failed, error=msgspec.structs.replace(failed.error, traceback=text)
    )


def _foreign(begin: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that begins in other people's code; None: there is none."""
    while begin is not None and begin.tb_frame.f_code.co_filename.startswith(_OURS):
        begin = begin.tb_next
    return begin


def _whole(error: BaseException, begin: TracebackType | None) -> str:
    """Return all of it as Python prints it, whatever the exception does when it is asked."""
    try:
        pieces = traceback.format_exception(type(error), error, begin)
    except BaseException as problem:
        return (
            f"{type(error).__name__} (its traceback cannot be written: {type(problem).__name__})\n"
        )
    return "".join(piece[:_LONGEST_LOGGED] for piece in pieces)


def _write(text: str) -> None:
    data = memoryview(text.encode("utf-8", "backslashreplace"))
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(2, data) :]
