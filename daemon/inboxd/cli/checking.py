"""Checking a task file as the daemon would, with the limits and executors of its instance."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from inboxd.array import Limits, Problem
from inboxd.array.problem import ProblemCode
from inboxd.config.reading import NotRegular, open_regular
from inboxd.errors import ConfigurationError, PluginError
from inboxd.inbox.file_names import JSON_SUFFIX
from inboxd.inbox.formats import Formats
from inboxd.names import escaped
from inboxd.plugins.live_executors import LiveExecutors
from inboxd.plugins.manager import ExecutorCatalog, load_plugins

if TYPE_CHECKING:
    from inboxd.array import CheckedArray, RejectedArray
    from inboxd.config.settings import Settings

__all__ = ["Checker", "read_task_file"]


class Checker:
    """Checks any number of files; the plugins are loaded once."""

    def __init__(self, settings: Settings) -> None:
        """
        Load the plugins that *settings* admit.

        Raises:
            ConfigurationError: settings of plugins or executors are wrong; the daemon would not
                run with them.
        """
        self._limits = Limits(
            max_bytes=settings.inbox.max_file_bytes,
            max_depth=settings.inbox.max_depth,
            max_tasks=settings.inbox.max_tasks,
        )
        plugins = load_plugins(settings)
        if plugins.problems:
            raise ConfigurationError(list(plugins.problems))
        self._catalog = ExecutorCatalog(LiveExecutors(plugins, settings))
        self._formats = Formats(plugins.hooks)

    def check(self, data: bytes, *, name: str = "-") -> CheckedArray | RejectedArray:
        """
        Return the checked array, or everything that is wrong with it.

        Args:
            data: what the file holds.
            name: the file's, whose suffix says its format; one that says none is JSON.
        """
        return self._formats.check(
            os.fsencode(name), data, limits=self._limits, catalog=self._catalog
        )

    def suffix_of(self, name: str) -> str:
        """Return the suffix with which a file of this name goes into the inbox."""
        return os.fsdecode(self._formats.suffix_of(os.fsencode(name)) or JSON_SUFFIX)

    def as_json(self, data: bytes, *, name: str) -> bytes:
        """
        Return a valid file of any format as JSON.

        Raises:
            PluginError: the plugin that read it a moment ago cannot read it again.
        """
        encoded = self._formats.as_json(os.fsencode(name), data)
        if encoded is None:
            raise PluginError(f"{escaped(name)}: the plugin that reads it failed; try again")
        return encoded


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
