"""Calling code of others within a time limit, on a thread of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Overrun", "within"]

T = TypeVar("T")


class Overrun(TimeoutError):
    """The code did not return in time; its thread was left behind."""


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

    thread = threading.Thread(target=call, name="plugin", daemon=True)
    thread.start()
    thread.join(limit_seconds)
    if errors:
        raise errors[0]
    if not results:
        raise Overrun(f"it did not return within {limit_seconds:g} s")
    return results[0]
