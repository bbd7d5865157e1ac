"""
A tree's tasks drawn under their parents. Pure, without recursion, and bounded.

The tasks are given by their positions in the file; who is whose parent may come in any order, a
child before its parent too.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ASCII", "UNICODE", "Branch", "Guides", "draw_branches"]

#: Deeper levels are drawn at this one, with the level's number: a chain of a thousand parents would
#: else be wider than any screen, and its drawing quadratic.
DEEPEST = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Guides:
    """The four pieces that a drawing is made of, of one width."""

    more: str
    last: str
    below_more: str
    below_last: str


UNICODE = Guides(more="├── ", last="└── ", below_more="│   ", below_last="    ")
ASCII = Guides(more="|-- ", last="`-- ", below_more="|   ", below_last="    ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One line of a drawing: a task, and the guides before it."""

    position: int
    guides: str
    #: 1 for a root.
    level: int


def draw_branches(
    count: int, parents: Iterable[tuple[int, int]], guides: Guides = UNICODE
) -> Iterator[Branch]:
    """
    Yield a line for each task: parents before their children, siblings in the order of the file.

    Args:
        count: tasks are at the positions 0 to *count* - 1.
        parents: (position, position of its parent), by rising position, at most one for each;
            a task without is a root. There is no cycle, which the intake has seen to.
        guides: what the lines are made of.

    Memory: three integers a task, whatever is taken of the result.
    """
    first_child, next_sibling, is_child = _kinship(count, parents)
    #: What is still to be drawn: (position, the guides before it, level).
    stack: list[tuple[int, str, int]] = []
    root = _next_root(is_child, -1)
    while root is not None:
        following = _next_root(is_child, root)
        yield Branch(
            position=root, guides=guides.more if following is not None else guides.last, level=1
        )
        below = guides.below_more if following is not None else guides.below_last
        if first_child[root] >= 0:
            stack.append((first_child[root], below, 2))
        while stack:
            position, before, level = stack.pop()
            sibling = next_sibling[position]
            if sibling >= 0:
                stack.append((sibling, before, level))
            yield Branch(
                position=position,
                guides=before + (guides.more if sibling >= 0 else guides.last),
                level=level,
            )
            if first_child[position] >= 0:
                deeper = guides.below_more if sibling >= 0 else guides.below_last
                inside = before + deeper if level < DEEPEST else before
                stack.append((first_child[position], inside, level + 1))
        root = following


def _kinship(
    count: int, parents: Iterable[tuple[int, int]]
) -> tuple[array[int], array[int], bytearray]:
    """Return each task's first child and next sibling, -1 for none, and whether it is a child."""
    first_child = array("q", [-1]) * count
    last_child = array("q", [-1]) * count
    next_sibling = array("q", [-1]) * count
    is_child = bytearray(count)
    for position, parent in parents:
        is_child[position] = 1
        if first_child[parent] < 0:
            first_child[parent] = position
        else:
            next_sibling[last_child[parent]] = position
        last_child[parent] = position
    return first_child, next_sibling, is_child


def _next_root(is_child: bytearray, after: int) -> int | None:
    index = is_child.find(0, after + 1)
    return None if index < 0 else index
