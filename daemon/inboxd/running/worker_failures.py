"""In a worker process: what an executor raised, for the log whole and for the error in short."""

from __future__ import annotations

import contextlib
import os
import traceback
from typing import TYPE_CHECKING

from inboxd.running.raised import foreign_part, raised_by_executor

if TYPE_CHECKING:
    from types import TracebackType

    from inboxd.task import Failed

__all__ = ["failed_attempt"]

#: Of an exception's text this much is in the log.
_LONGEST_LOGGED = 4 * 1024 * 1024


def failed_attempt(error: BaseException) -> Failed:
    """Return the outcome of an executor that raised, and write its traceback to stderr."""
    _write(_whole(error, foreign_part(error.__traceback__)))
    return raised_by_executor(error)


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
