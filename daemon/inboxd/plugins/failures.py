"""What hooks of plugins raise: counted each time, logged so that the journal does not fill."""

from __future__ import annotations

import importlib
import logging
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.names import escaped
from inboxd.plugins.limited import Overrun

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Failures", "others_frames", "said"]

logger = logging.getLogger(__name__)

#: The same failure is logged once in so long, however often it happens.
_QUIET_SECONDS = 60.0
#: Different failures that are remembered; beyond, all are forgotten and logged again.
_MOST_REMEMBERED = 1_000
_LONGEST_REASON = 500

#: Files whose frames at the head of a traceback tell an author nothing: how a plugin was called.
_NOT_OTHERS = (
    str(Path(__file__).parents[1]) + os.sep,
    threading.__file__,
    str(Path(importlib.__file__).parent) + os.sep,
    "<frozen importlib",
)


class Failures:
    """Counts and logs; from any thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], int] = {}
        #: What was logged, and when.
        self._logged: dict[tuple[str, str, type[BaseException], object], float] = {}

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """How often each (plugin, hook) failed in this run."""
        with self._lock:
            return dict(self._counts)

    def add(self, plugin: str, distribution: str, hook: str, error: BaseException) -> None:
        """Count a failure, and log it with its traceback unless the same one was logged lately."""
        key = (plugin, hook, type(error), _origin(error))
        now = self._monotonic()
        with self._lock:
            count = self._counts[plugin, hook] = self._counts.get((plugin, hook), 0) + 1
            before = self._logged.get(key)
            if before is not None and now - before < _QUIET_SECONDS:
                return
            if len(self._logged) >= _MOST_REMEMBERED:
                self._logged.clear()
            self._logged[key] = now
        logger.error(
            "%s of plugin %s (%s) failed: %s",
            hook,
            escaped(plugin),
            escaped(distribution),
            said(error),
            extra={"event": "hook_failed", "plugin": plugin, "hook": hook, "failures": count},
            exc_info=(type(error), error, others_frames(error)),
        )


def said(error: BaseException) -> str:
    """Return `ValueError: what it says` in one bounded line, whatever the error is."""
    if isinstance(error, Overrun):
        return str(error)
    name = type(error).__name__
    try:
        lines = str(error).splitlines()
    except BaseException:
        lines = ["(its text cannot be had)"]
    text = escaped(lines[0])[:_LONGEST_REASON] if lines else ""
    return f"{name}: {text}" if text else name


def others_frames(error: BaseException) -> TracebackType | None:
    """Return its traceback without the frames at its head that are inboxd's or Python's own."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_NOT_OTHERS):
        trace = trace.tb_next
    return trace or error.__traceback__


def _origin(error: BaseException) -> object:
    """Return where it was raised: file and line of the innermost frame."""
    trace = error.__traceback__
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename, trace.tb_lineno
