"""Durations and sizes as people write them: `90s`, `10m`, `256MiB`."""

from __future__ import annotations

import re

from inboxd.durations import UNIT_SECONDS, duration_seconds

__all__ = ["duration_text", "parse_duration", "parse_size", "size_text"]

_BYTES = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
#: Few digits, so that no number is slow to read (CPython limits int() for the same reason).
_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) ?([A-Za-z]+)", re.ASCII)


def parse_duration(value: object) -> float:
    """
    Return seconds, >= 0 and finite.

    Args:
        value: a number of seconds, or a number with one of the units `ms s m h d`.

    Raises:
        ValueError: it is neither; the text says what is wanted.
    """
    seconds = None
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        seconds = duration_seconds(value)
    if seconds is None:
        raise ValueError(
            f"{_negative(value)}"
            'a duration is a number of seconds, or text like "500ms", "90s", "10m", "2h"'
        )
    return seconds


def parse_size(value: object) -> int:
    """
    Return bytes, >= 0.

    Args:
        value: a whole number of bytes, or a number with one of the units
            `B kB MB GB TB KiB MiB GiB TiB`.

    Raises:
        ValueError: it is neither, or no whole number of bytes; the text says what is wanted.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        number, unit = match.groups()
        if unit in _BYTES and "." not in number:
            return int(number) * _BYTES[unit]
        if unit in _BYTES and (size := float(number) * _BYTES[unit]).is_integer():
            return int(size)
    raise ValueError(
        f"{_negative(value)}"
        'a size is a whole number of bytes, or text like "64KiB", "256MiB", "1GiB"'
    )


def duration_text(seconds: float) -> str | float:
    """Return the duration as TOML is to say it; `parse_duration` gives it back exactly."""
    for unit in ("h", "m", "s"):
        count = seconds / UNIT_SECONDS[unit]
        if (
            count.is_integer()
            and 1 <= count < 10**15
            and parse_duration(f"{count:.0f}{unit}") == seconds
        ):
            return f"{count:.0f}{unit}"
    milliseconds = float(seconds) * 1000
    is_exact = milliseconds.is_integer() and milliseconds / 1000 == seconds
    if is_exact and 1 <= milliseconds < 10**15:
        return f"{milliseconds:.0f}ms"
    return seconds


def size_text(size: int) -> str | int:
    """Return the size as TOML is to say it; `parse_size` gives it back exactly."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return size


def _negative(value: object) -> str:
    """Return the beginning of a message on a value below 0, else nothing."""
    is_text = isinstance(value, str) and value.startswith("-") and value[1:2].isdigit()
    is_negative = is_text or (isinstance(value, int | float) and value < 0)
    return "must not be negative: " if is_negative else ""
