"""Durations as people write them, in task files and in settings: `500ms`, `90s`, `10m`, `2h`."""

from __future__ import annotations

import math
import re

__all__ = ["DURATION_PATTERN", "UNIT_SECONDS", "duration_seconds"]

UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
#: Few digits, so that no number is slow to read.
DURATION_PATTERN = r"^[0-9]{1,18}(\.[0-9]{1,18})? ?(ms|s|m|h|d)$"
_DURATION = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) ?(ms|s|m|h|d)", re.ASCII)


def duration_seconds(value: float | str) -> float | None:
    """
    Return a duration in seconds; None when *value* is none.

    Args:
        value: a number of seconds, or text like `500ms`, `90s`, `10m`, `2h`, `1d`.
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if match is None:
            return None
        number, unit = float(match[1]), match[2]
        # Dividing gives exactly the float that people mean by "500ms"; multiplying by 0.001 not.
        return number / 1000 if unit == "ms" else number * UNIT_SECONDS[unit]
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
