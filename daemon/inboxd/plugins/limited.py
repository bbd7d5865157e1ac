"""Calling code of others within a time limit, on a thread of its own."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["Overrun", "PluginThread", "overrun_of", "within"]

T = TypeVar("T")


class Overrun(TimeoutError):
    """The code did not return in time; its thread was left behind."""


class PluginThread(threading.Thread):
    """Runs code of plugins that is asked something; what it prints is no part of an answer."""


def within(limit_seconds: float, function: Callable[[], T]) -> T:
    """
    Return what *function* returns, and raise what it raises, be it SystemExit.

    It runs on a thread of its own, since Python cannot end code that does not return. One that
    overstays is left behind as a daemon thread: what it gives later is not looked at.

    Raises:
        Overrun: it did not return within *limit_seconds*.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:  # a plugin's sys.exit() must not end us
            errors.append(error)

    thread = PluginThread(target=call, name="plugin", daemon=True)
    thread.start()
    thread.join(limit_seconds)
    if errors:
        raise errors[0]
    if not results:
        raise overrun_of(thread, limit_seconds)
    return results[0]


def overrun_of(thread: threading.Thread, limit_seconds: float) -> Overrun:
    """Return the error for a thread that overstays; its traceback is where that thread is now."""
    error = Overrun(f"it did not return within {limit_seconds:g} s")
    # Documented, and nothing else shows it.
    frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]
    frame: FrameType | None = frames.get(thread.ident or 0)
    trace: TracebackType | None = None
    while frame is not None:
        trace = TracebackType(trace, frame, frame.f_lasti, frame.f_lineno)
        frame = frame.f_back
    return error.with_traceback(trace)
