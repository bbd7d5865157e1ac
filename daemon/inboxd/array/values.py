"""Times, and the longest duration, as they are written in a task file."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from inboxd.clock import micros

__all__ = ["LONGEST_SECONDS", "TIME_PATTERN", "time_micros"]

#: No timeout or delay is longer: ten years. More is a slip, and would overflow a date.
LONGEST_SECONDS = 3650 * 86400.0

#: RFC 3339, section 5.6, with the offset it requires.
TIME_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))",
    re.ASCII,
)


def time_micros(text: str) -> int | None:
    """
    Return an RFC 3339 time as microseconds since 1970 in UTC; None when it is none.

    What is finer than a microsecond is cut off. A leap second, `23:59:60`, is the second after it.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    leap = second == 60
    fraction = 0 if leap else int((match[7] or "")[:6].ljust(6, "0"))
    offset = timedelta(0)
    if match[8]:
        hours, minutes = int(match[9]), int(match[10])
        if hours > 23 or minutes > 59:
            return None
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if match[8] == "-" else 1)
    try:
        moment = datetime(
            year,
            month,
            day,
            hour,
            minute,
            59 if leap else second,
            fraction,
            tzinfo=timezone(offset),
        )
        moment = (moment + timedelta(seconds=1 if leap else 0)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return micros(moment)
