"""A long sequence of texts that the garbage collector need not look through."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Column"]


class Column(Sequence[str]):
    """
    Texts by position, kept in many short tuples.

    The collector looks once through a tuple of texts and then forgets it; through a list it looks
    again and again. With a million ids a list cost 100 ms, and one long tuple 60 ms, in which no
    other thread runs (measured).
    """

    def __init__(self, parts: Sequence[tuple[str, ...]]) -> None:
        """Take the parts in order; none of them is empty."""
        self._parts = parts
        #: The position behind each part.
        self._ends = list(accumulate(len(part) for part in parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._parts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(len(self))))
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(index)
        part = bisect_right(self._ends, position)
        return self._parts[part][position - self._ends[part]]
