"""Time: the clock that is passed in, and the one form in which times are kept and written."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "SystemClock", "from_micros", "micros", "rfc3339", "rfc3339_micros"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock(Protocol):
    """Where a component gets the time from; a test gives one that it moves itself."""

    def now_micros(self) -> int:
        """Return the wall time: microseconds since 1970 in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, for durations only."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_micros(self) -> int:
        """Return the wall time: microseconds since 1970 in UTC."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Return seconds that never go back, for durations only."""
        return time.monotonic()


def micros(moment: datetime) -> int:
    """Return an aware datetime as microseconds since 1970 in UTC, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """Return microseconds since 1970 as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def rfc3339(moment: datetime) -> str:
    """Return the one form of times in files and answers: `2026-11-24T10:00:00.123456Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rfc3339_micros(value: int | None) -> str | None:
    """Return microseconds since 1970 as `2026-11-24T10:00:00.123456Z`; None stays None."""
    return None if value is None else rfc3339(from_micros(value))
