"""Names and foreign text: the nearest known name for a typo, and text made safe to show."""

from __future__ import annotations

import difflib
import os
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MOST_COMPARED", "MOST_NAMES", "did_you_mean", "display_file_name", "escaped", "nearest"]

#: Comparing a typo with more names than this would take longer than the hint is worth.
MOST_NAMES = 2_000
#: Characters of the typo, times those of all names that it is compared with: to compare two texts
#: may take the product of their lengths. At the worst half a second (measured).
MOST_COMPARED = 4_000_000

#: Format characters that reorder or hide text on a terminal (UAX 9) have category Cf, controls Cc.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like *name*, or None when none is like it."""
    candidates: list[str] = []
    for candidate in known:
        if len(candidates) == MOST_NAMES:
            break
        candidates.append(candidate)
    lowered = {candidate.lower(): candidate for candidate in reversed(candidates)}
    if name.lower() in lowered:
        return lowered[name.lower()]
    left = MOST_COMPARED
    compared: list[str] = []
    for candidate in lowered:
        left -= len(name) * len(candidate)
        if left < 0:
            break
        compared.append(candidate)
    matches = difflib.get_close_matches(name.lower(), compared, n=1, cutoff=0.6)
    return lowered[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return `did you mean "fetch_data"?` for the nearest known name, or None."""
    match = nearest(name, known)
    return None if match is None else f'did you mean "{escaped(match)}"?'


def escaped(text: str, *, keep_newlines: bool = False) -> str:
    r"""
    Return text that shows what it holds and can do nothing to a terminal or a log.

    Control, bidirectional, private and unpaired characters become `\x1b`, `\u202e`, `\n`;
    a tab stays, and a newline where it is asked for.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped_character(character, keep_newlines) for character in text)


def _escaped_character(character: str, keep_newlines: bool) -> str:
    if character == "\t" or (character == "\n" and keep_newlines):
        return character
    if unicodedata.category(character) not in _HIDDEN:
        return character
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is no UTF-8, as os.fsdecode gives it
        return f"\\x{number - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def display_file_name(name: bytes) -> str:
    """Return a file name, which is bytes on Linux, as text that is safe to show and to write."""
    return escaped(os.fsdecode(name))
