"""Public ids: UUIDv7, so that they sort by the time they were made."""

from __future__ import annotations

import os
import re
import time
import uuid

__all__ = ["MADE_ID", "new_id", "short_id"]

#: What `new_id` returns.
MADE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_id() -> str:
    """
    Return a new UUIDv7 in its usual form of 36 characters.

    48 bits of milliseconds since 1970, then 74 random bits (RFC 9562, section 5.7).
    `uuid.uuid7` comes only with Python 3.14.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76
    value |= (random >> 62 & 0xFFF) << 64
    value |= 0b10 << 62
    value |= random & 0x3FFF_FFFF_FFFF_FFFF
    return str(uuid.UUID(int=value))


def short_id(public_id: str) -> str:
    """Return the last 8 characters, the form that is shown to people and accepted from them."""
    return public_id[-8:]
