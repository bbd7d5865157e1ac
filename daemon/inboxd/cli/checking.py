"""Checking a task file as the daemon would, with the limits and executors of its instance."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from inboxd.array import Limits, Problem, check_array
from inboxd.array.problem import ProblemCode
from inboxd.config.reading import NotRegular, open_regular
from inboxd.plugins.manager import ExecutorCatalog, load_plugins

if TYPE_CHECKING:
    from inboxd.array import CheckedArray, RejectedArray
    from inboxd.config.settings import Settings

__all__ = ["Checker", "read_task_file"]


class Checker:
    """Checks any number of files; the plugins are loaded once."""

    def __init__(self, settings: Settings) -> None:
        """Load the plugins that *settings* admit."""
        self._limits = Limits(
            max_bytes=settings.inbox.max_file_bytes,
            max_depth=settings.inbox.max_depth,
            max_tasks=settings.inbox.max_tasks,
        )
        self._catalog = ExecutorCatalog(load_plugins(settings).executors)

    def check(self, data: bytes) -> CheckedArray | RejectedArray:
        """Return the checked array, or everything that is wrong with it."""
        return check_array(data, limits=self._limits, catalog=self._catalog)


def read_task_file(name: str, *, max_bytes: int) -> bytes | Problem:
    """
    Return what a file holds, `-` being standard input, or why it cannot be read.

    Of a file that is too large only so much is read that the check can tell.
    """
    try:
        if name == "-":
            return _bounded(sys.stdin.buffer, max_bytes)
        with open_regular(Path(name)) as file:
            return _bounded(file, max_bytes)
    except NotRegular as error:
        return _unread(ProblemCode.NOT_A_REGULAR_FILE, f"{error.strerror}, not a task file")
    except OSError as error:
        return _unread(ProblemCode.UNREADABLE, f"cannot be read: {error.strerror}")


def _bounded(file: BinaryIO, max_bytes: int) -> bytes:
    return file.read(max_bytes + 1)


def _unread(code: ProblemCode, message: str) -> Problem:
    return Problem(code=code, pointer="", line=None, column=None, message=message)
