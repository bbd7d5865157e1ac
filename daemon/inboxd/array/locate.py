"""
Where a value stands: from a path to an offset, from offsets to lines and columns.

Used for reported problems only, on text that was read before, so it skips quickly over what
it does not need and keeps no map of the document.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inboxd.array.syntax import key_text, skip_space

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inboxd.array.problem import Path

__all__ = ["find", "item_offset", "lines_and_columns", "members", "skip_value"]

#: What matters for skipping: whole strings, and brackets outside of them.
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\]}:]*+")
#: Continuation bytes of UTF-8: a character is counted at its first byte.
_CONTINUATION = bytes(range(0x80, 0xC0))
#: Text is counted in pieces of this many bytes, so that no copy is large.
_PIECE = 1 << 20


def skip_value(data: bytes, offset: int, limit: int | None = None) -> int:
    """
    Return the offset behind the value that begins at *offset*; the text is valid JSON.

    Where the value does not end before *limit* (default: the end of the text), that is returned.
    """
    limit = len(data) if limit is None else min(limit, len(data))
    if data[offset : offset + 1] not in (b"{", b"[", b'"'):
        match = _SCALAR.match(data, offset)
        return match.end() if match else offset
    depth = 0
    for match in _MARK.finditer(data, offset, limit):
        mark = data[match.start()]
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
        if depth == 0:
            return match.end()
    return limit


def item_offset(data: bytes, offset: int, index: int) -> int | None:
    """Return where the item *index* items behind the one at *offset* begins; None: nowhere."""
    offset = skip_space(data, offset)
    for _ in range(index):
        end = skip_space(data, skip_value(data, offset))
        if data[end : end + 1] != b",":
            return None
        offset = skip_space(data, end + 1)
    return offset


def find(data: bytes, offset: int, path: Path, *, at_key: bool = False) -> int:
    """
    Return where the value that *path* leads to begins, from the value at *offset* on.

    Args:
        data: the document; valid JSON from *offset* to the end of that value.
        offset: where the value begins that *path* starts from.
        path: keys and indices; of a key that stands twice the last counts, as for a decoder.
        at_key: return where the last key of *path* begins instead.

    Returns:
        The offset; where *path* leads to nothing, that of the last value on the way.
    """
    for depth, token in enumerate(path):
        if isinstance(token, int):
            if data[offset : offset + 1] != b"[":
                return offset
            item = item_offset(data, offset + 1, token)
            if item is None:
                return offset
            offset = item
            continue
        found = [
            (key_at, value_at) for key, key_at, value_at in members(data, offset) if key == token
        ]
        if not found:
            return offset
        if at_key and depth == len(path) - 1:
            return found[-1][0]
        offset = found[-1][1]
    return offset


def members(data: bytes, offset: int) -> Iterator[tuple[str, int, int]]:
    """Yield (key, where the key begins, where the value begins) of the object at *offset*."""
    if data[offset : offset + 1] != b"{":
        return
    offset = skip_space(data, offset + 1)
    while data[offset : offset + 1] == b'"':
        key_end = skip_value(data, offset)
        value_at = skip_space(data, skip_space(data, key_end) + 1)
        yield key_text(data[offset:key_end]), offset, value_at
        offset = skip_space(data, skip_value(data, value_at))
        offset = skip_space(data, offset + 1)


def lines_and_columns(data: bytes, offsets: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Return the line and the column in characters, both from 1, of each of the offsets."""
    places: dict[int, tuple[int, int]] = {}
    line, column, counted = 1, 1, 0
    for offset in sorted(set(offsets)):
        while counted < offset:
            piece = data[counted : min(offset, counted + _PIECE)]
            counted += len(piece)
            breaks = piece.count(b"\n")
            if breaks:
                line += breaks
                column = 1
                piece = piece[piece.rindex(b"\n") + 1 :]
            column += len(piece.translate(None, _CONTINUATION))
        places[offset] = (line, column)
    return places
