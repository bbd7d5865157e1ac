"""What an executor raised, as the outcome of its attempt, with where it was raised."""

from __future__ import annotations

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

__all__ = ["foreign_part", "raised_by_executor"]

#: Of the frames so many stand in the error, the last ones, and so many characters.
_MOST_FRAMES = 8
_LONGEST_TRACEBACK = 4_000

#: Frames in here say nothing to the author of a function.
_OURS = str(Path(__file__).parents[1]) + os.sep


def raised_by_executor(error: BaseException) -> Failed:
    """Return the outcome of an executor that raised, with the last frames of its own code."""
    failed = raised(error)
    begin = foreign_part(error.__traceback__)
    if begin is None:
        return failed
    try:
        frames = "".join(traceback.format_tb(begin)[-_MOST_FRAMES:])
    except BaseException:  # it reads the author's files, whatever they are by now
        return failed
    text = escaped(frames, keep_newlines=True)[-_LONGEST_TRACEBACK:].rstrip()
    return msgspec.structs.replace(
        failed, error=msgspec.structs.replace(failed.error, traceback=text)
    )


def foreign_part(begin: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that begins in other people's code; None: there is none."""
    while begin is not None and begin.tb_frame.f_code.co_filename.startswith(_OURS):
        begin = begin.tb_next
    return begin
