"""Pure: what a status means, when to come again, and where a redirect leads."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["REDIRECTS", "method_after", "retry_after_seconds"]

#: The statuses that redirect (RFC 9110, 15.4); 300 and 304 do not.
REDIRECTS = frozenset({301, 302, 303, 307, 308})


def method_after(status: int, method: str) -> str:
    """Return the method of the request that follows a redirect (RFC 9110, 15.4; fetch, 4.4)."""
    if status == 303 and method not in ("GET", "HEAD"):
        return "GET"
    if status in (301, 302) and method == "POST":
        return "GET"
    return method


def retry_after_seconds(value: str | None, *, now: datetime, most: float) -> float | None:
    """
    Return after how many seconds a server asks to come again; None: it does not say.

    Args:
        value: of the header `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
        now: aware.
        most: a longer wait counts as this.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        # A number of many digits is slow to read, and longer than any wait.
        seconds = float(text[:18])
    else:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - now).total_seconds()
    return min(max(0.0, seconds), most) if math.isfinite(seconds) else None
