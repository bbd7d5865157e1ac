"""What a check found: how grave it is, what it is about, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Level", "failed", "good", "warned"]


class Level(StrEnum):
    """How grave a finding is; only `fail` makes `inboxd doctor` end with 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `inboxd doctor`; texts are safe to show."""

    level: Level
    #: What was looked at, in a word or two.
    check: str
    #: What was found.
    message: str
    #: What to do about it; None when there is nothing to do.
    advice: str | None = None
    #: More lines for who has to mend it, as a traceback; None when there are none.
    details: str | None = None


def good(check: str, message: str) -> Finding:
    """Return the finding that something is as it should be."""
    return Finding(level=Level.OK, check=check, message=message)


def warned(check: str, message: str, advice: str) -> Finding:
    """Return the finding that something works, but may become a trouble."""
    return Finding(level=Level.WARN, check=check, message=message, advice=advice)


def failed(check: str, message: str, advice: str, *, details: str | None = None) -> Finding:
    """Return the finding that something does not work, or is not safe."""
    return Finding(level=Level.FAIL, check=check, message=message, advice=advice, details=details)
