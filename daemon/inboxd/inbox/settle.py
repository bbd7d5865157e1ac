"""
Which files may be taken now, and which must rest first: values in, values out.

A file is taken when it is known to be whole (it was moved in, or its writer closed it), or when
nobody touched it for `settle`. What is known comes from hints, which may be lost: then it rests.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Candidate", "Decision", "Facts", "Hint", "Sighting", "settle"]


class Facts(NamedTuple):
    """What must stay the same for a file to be the same, untouched file."""

    device: int
    inode: int
    size: int
    #: Nanoseconds since 1970.
    mtime_ns: int


class Hint(Enum):
    """What the newest event about a name says of the file."""

    #: It was moved in, or its writer closed it.
    WHOLE = "whole"
    #: It was made or written to, so what was said of it before no longer holds.
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file with a name that is meant to be taken, as the scan found it."""

    name: bytes
    facts: Facts
    #: Nanoseconds since 1970: the last write, rename or change of rights.
    ctime_ns: int
    links: int
    is_regular: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A file that waits: as it was first seen with these facts."""

    facts: Facts
    #: Monotonic seconds; it has not been touched since.
    since: float
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one look decides."""

    #: To be taken now, in order of (mtime, name).
    taken: tuple[Candidate, ...]
    #: The others, by name.
    waiting: dict[bytes, Sighting]
    #: Monotonic seconds: when the first of the others may have rested enough.
    look_again_at: float | None


def settle(
    candidates: Iterable[Candidate],
    *,
    seen: Mapping[bytes, Sighting],
    hints: Mapping[bytes, Hint],
    now: float,
    settle_seconds: float,
    max_bytes: int,
    file_system_now_ns: int | None = None,
) -> Decision:
    """
    Decide which of the files in the inbox are taken now.

    Args:
        candidates: every file found by one scan whose name is meant to be taken.
        seen: those that waited after the look before.
        hints: the newest hint for each name since that look.
        now: monotonic seconds.
        settle_seconds: how long a file must rest that is not known to be whole.
        max_bytes: a larger file is refused anyway, and need not rest: it may grow for ever.
        file_system_now_ns: at the first look, the time by the clock of the inbox's file system, so
            that what has lain there for long need not rest again; None at every other look. It is
            used once only, because a clock that is set forward would make files old at a blow.
    """
    taken: list[Candidate] = []
    waiting: dict[bytes, Sighting] = {}
    look_again_at: float | None = None
    for candidate in candidates:
        sighting = _sighting(
            candidate, seen.get(candidate.name), hints.get(candidate.name), now, file_system_now_ns
        )
        rested_at = sighting.since + settle_seconds
        if now >= rested_at or _need_not_rest(candidate, sighting, max_bytes):
            taken.append(candidate)
            continue
        waiting[candidate.name] = sighting
        if look_again_at is None or rested_at < look_again_at:
            look_again_at = rested_at
    taken.sort(key=lambda candidate: (candidate.facts.mtime_ns, candidate.name))
    return Decision(taken=tuple(taken), waiting=waiting, look_again_at=look_again_at)


def _sighting(
    candidate: Candidate,
    before: Sighting | None,
    hint: Hint | None,
    now: float,
    file_system_now_ns: int | None,
) -> Sighting:
    if before is not None and before.facts == candidate.facts:
        since, was_whole = before.since, before.is_whole
    else:
        since, was_whole = now, False
        if file_system_now_ns is not None:
            touched_ns = max(candidate.ctime_ns, candidate.facts.mtime_ns)
            since -= max(0, file_system_now_ns - touched_ns) / 1e9
    is_whole = was_whole if hint is None else hint is Hint.WHOLE
    return Sighting(facts=candidate.facts, since=since, is_whole=is_whole)


def _need_not_rest(candidate: Candidate, sighting: Sighting, max_bytes: int) -> bool:
    if not candidate.is_regular or candidate.facts.size > max_bytes:
        return True  # refused whatever it holds
    # An empty file is one that will be filled, most often; a second link is about to go when the
    # file is published by link and unlink. Both are looked at again once they rested.
    return sighting.is_whole and candidate.facts.size > 0 and candidate.links == 1
