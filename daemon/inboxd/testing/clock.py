"""A clock that a test moves."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inboxd.clock import SystemClock, from_micros, micros

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MovableClock"]


class MovableClock:
    """
    The machine's clock, and an amount by which it was moved on.

    Dates move: `not_before`, the delay of a retry. Lengths do not: a time limit, the grace, and the
    rest that a file needs are as long as they are.
    """

    def __init__(self, on_move: Callable[[], None] | None = None) -> None:
        """*on_move* is called after each move."""
        self._system = SystemClock()
        self._lock = threading.Lock()
        self._moved_micros = 0
        self._on_move = on_move

    def now_micros(self) -> int:
        """Return the wall time: microseconds since 1970 in UTC."""
        return self._system.now_micros() + self._moved_micros

    def monotonic(self) -> float:
        """Return seconds that never go back, for durations only; they are not moved."""
        return self._system.monotonic()

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        return from_micros(self.now_micros())

    def move(
        self,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        to: datetime | None = None,
    ) -> None:
        """
        Move the clock on, and have everybody look at it.

        Args:
            days: by so many, and likewise the others, which add up.
            hours: see *days*.
            minutes: see *days*.
            seconds: see *days*.
            to: to this moment, in place of an amount; aware.

        Raises:
            ValueError: it would go back.
        """
        amount = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        with self._lock:
            by = amount // timedelta(microseconds=1)
            if to is not None:
                by += micros(to.astimezone(UTC)) - self.now_micros()
            if by < 0:
                raise ValueError(f"a clock is moved on, never back (by {by / 1_000_000:g} s)")
            self._moved_micros += by
        if self._on_move is not None:
            self._on_move()
