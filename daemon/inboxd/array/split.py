"""
Cut a long array of tasks into chunks that are decoded one at a time.

One decode of a large file would hold the interpreter for hundreds of milliseconds, and the
scheduler's thread with it. A cut is guessed from what stood between the first two items, and
proved: what lies between two cuts, put in brackets, must be an array for the decoder. Where no
guess can be proved the strict reader finds the cut, or what is wrong with the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from inboxd.array.locate import skip_value
from inboxd.array.problem import Finding, ProblemCode
from inboxd.array.syntax import Broken, SyntaxReader, skip_space
from inboxd.array.syntax_findings import trailing_comma, unexpected

if TYPE_CHECKING:
    from inboxd.array.problem import Path

__all__ = ["Chunk", "Items", "split_items", "too_many_tasks"]

#: Some 2,600 small tasks, decoded in about 2 ms (measured).
CHUNK_BYTES = 256 * 1024
#: Guesses that are tried before the strict reader takes over.
_MOST_GUESSES = 8

#: The end of an item and the beginning of the next, with its first key: what is rarely nested.
_SEPARATOR = re.compile(rb'\}[ \t\n\r]*,[ \t\n\r]*\{[ \t\n\r]*(?:"[^"\\]*")?')
#: No item is looked at further than this to learn the separator.
_LONGEST_LOOK = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some items of the array, next to each other: the bytes from `start` up to `end`."""

    start: int
    end: int
    #: The position of the first item, from 0.
    first: int
    count: int


@dataclass(slots=True)
class Items:
    """An array of tasks, cut into chunks."""

    path: Path
    #: Where the opening bracket stands.
    opened_at: int
    chunks: list[Chunk] = field(default_factory=list[Chunk])
    count: int = 0
    #: Behind the closing bracket; None when the text is broken before it.
    end: int | None = None
    #: Why the array could not be read to its end.
    broken: Finding | None = None


class _RawItems:
    """The decoder that proves a cut: it checks the form of the text and builds nothing."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(list[msgspec.Raw])

    def count(self, items: bytes) -> int | None:
        """Return how many items *items* holds; None when it is no list of items."""
        try:
            return len(self._decoder.decode(b"[" + items + b"]"))
        except (msgspec.MsgspecError, RecursionError):
            return None


def split_items(
    data: bytes,
    opened_at: int,
    *,
    path: Path,
    max_depth: int,
    max_tasks: int,
    chunk_bytes: int = CHUNK_BYTES,
) -> Items:
    """
    Cut the array whose opening bracket is at *opened_at*.

    Args:
        data: the whole document.
        opened_at: the offset of the bracket.
        path: of the array.
        max_depth: for the strict reader, when it is needed.
        max_tasks: cutting stops soon after more items than this were seen.
        chunk_bytes: about how long a chunk is.
    """
    splitter = _Splitter(data, opened_at, path, max_depth, chunk_bytes)
    items = splitter.items
    try:
        while items.end is None and items.count <= max_tasks:
            splitter.cut_one()
    except Broken as broken:
        items.broken = broken.finding
    return items


class _Splitter:
    def __init__(
        self, data: bytes, opened_at: int, path: Path, max_depth: int, chunk_bytes: int
    ) -> None:
        self._data = data
        self._chunk_bytes = chunk_bytes
        self._raw = _RawItems()
        self._max_depth = max_depth
        self._offset = skip_space(data, opened_at + 1)
        self.items = Items(path=path, opened_at=opened_at)
        if data[self._offset : self._offset + 1] == b"]":
            self.items.end = self._offset + 1

    def cut_one(self) -> None:
        """Add the next chunk; set `items.end` when it was the last."""
        is_short = len(self._data) - self._offset <= 2 * self._chunk_bytes
        if not (is_short and self._cut_the_rest()) and not self._cut_at_a_guess():
            self._cut_strictly()

    def _cut_the_rest(self) -> bool:
        """Take all that is left, if the array ends the document."""
        data = self._data
        closing = data.rfind(b"]", self._offset)
        if closing < 0 or data[closing + 1 :].strip(b" \t\n\r") not in (b"", b"}"):
            return False
        count = self._raw.count(data[self._offset : closing])
        if not count:
            return False
        self._add(closing, count)
        self.items.end = closing + 1
        return True

    def _cut_at_a_guess(self) -> bool:
        """Cut where something stands that stands between the next two items."""
        data = self._data
        if data[self._offset : self._offset + 1] != b"{":
            return False
        end = skip_value(data, self._offset, self._offset + _LONGEST_LOOK)
        match = _SEPARATOR.match(data, end - 1)
        if match is None:
            return self._cut_the_rest()
        separator = match[0]
        at = self._offset + self._chunk_bytes
        for _ in range(_MOST_GUESSES):
            at = data.rfind(separator, self._offset, at)
            if at < 0:
                # The next item alone is longer than a chunk.
                at = end - 1
            if self._cut_behind(at + 1):
                return True
            if at == end - 1:
                return False
        return False

    def _cut_behind(self, end: int) -> bool:
        """Cut at *end*, behind a brace, if that is the end of an item."""
        count = self._raw.count(self._data[self._offset : end])
        if not count:
            return False
        self._add(end, count)
        # White space, a comma and white space again, as the separator has them.
        self._offset = skip_space(self._data, skip_space(self._data, end) + 1)
        return True

    def _cut_strictly(self) -> None:
        """Read items one by one until a chunk is full or the array ends; raise `Broken`."""
        data, items = self._data, self.items
        reader = SyntaxReader(data, max_depth=self._max_depth)
        start, end, count = self._offset, self._offset, 0
        depth = len(items.path) + 1
        try:
            while True:
                end = reader.value(self._offset, (*items.path, items.count + count), depth)
                count += 1
                self._offset = skip_space(data, end)
                mark = data[self._offset : self._offset + 1]
                if mark == b"]":
                    items.end = self._offset + 1
                    return
                if mark != b",":
                    where = (*items.path, items.count + count - 1)
                    raise Broken(unexpected(data, self._offset, where, "a comma or ]"))
                following = skip_space(data, self._offset + 1)
                if data[following : following + 1] == b"]":
                    raise Broken(trailing_comma(self._offset, items.path, "]"))
                self._offset = following
                if end - start >= self._chunk_bytes:
                    return
        finally:
            if count:
                items.chunks.append(Chunk(start=start, end=end, first=items.count, count=count))
                items.count += count

    def _add(self, end: int, count: int) -> None:
        self.items.chunks.append(
            Chunk(start=self._offset, end=end, first=self.items.count, count=count)
        )
        self.items.count += count


def too_many_tasks(items: Items, max_tasks: int) -> Finding:
    """Say that the array has more tasks than are taken."""
    return Finding(
        code=ProblemCode.TOO_MANY_TASKS,
        path=(*items.path, max_tasks),
        message=f"the file has more than {max_tasks:,} tasks",
        hint="split it into several files, or raise `[inbox] max_tasks`",
    )
