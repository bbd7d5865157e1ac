"""
Which tasks come before which: whether one depends on another, also through others.

Most questions are answered at once: by the tasks' order, or by a forest in which each task hangs
under its first dependency (a chain is one branch of it). The rest is a search backwards; of a task
that is asked about often everything before it is gathered, once.
Nothing here recurses, and all searches of an array together are bounded.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MOST_LOOKED_AT", "Ancestry"]

#: Edges that are followed for one array; some seconds.
MOST_LOOKED_AT = 20_000_000
#: So many questions about one task are answered by a search each, which goes no further back than
#: it must.
_SEARCHES = 3


class Ancestry:
    """Answers for one array without circles; the indexes are made when first needed."""

    def __init__(
        self,
        starts: Sequence[int],
        edges: Sequence[int],
        *,
        edges_point_back: bool,
        most_looked_at: int = MOST_LOOKED_AT,
    ) -> None:
        """
        Args:
            starts: the edges of the task at p are those from `starts[p]` up to `starts[p + 1]`.
            edges: the position of the task that comes before.
            edges_point_back: every edge leads to a smaller position.
            most_looked_at: so many edges are followed at most.
        """
        self._starts = starts
        self._edges = edges
        self._point_back = edges_point_back
        self._left = most_looked_at
        #: The task that was asked about last, the direct dependencies of it, and how often it was
        #: searched from.
        self._asked = -1
        self._direct: set[int] = set()
        self._searches = 0
        #: What comes before it as far as was gone back, and where to go on.
        self._gathered: set[int] = set()
        self._rest: list[int] = []
        #: By position: the place in an order in which what a task depends on comes before it.
        self._rank: Sequence[int] = ()
        #: By position: the forest, each branch a run of numbers that begins with its top's.
        self._number: array[int] = array("i")
        self._size: array[int] = array("i")

    def depends_on(self, task: int, other: int) -> bool | None:
        """Return whether *task* depends on *other*; None: that would take too long to find out."""
        first, end = self._starts[task], self._starts[task + 1]
        if first == end:
            return False
        if self._edges[first] == other:
            return True
        if task != self._asked:
            self._ask(task)
        if other in self._direct:
            return True
        if not self._size:
            self._make_forest()
        if self._rank[other] >= self._rank[task]:
            return False
        if self._is_above(other, task):
            return True
        self._searches += 1
        return self._search(task, other) if self._searches <= _SEARCHES else self._gather(other)

    def _ask(self, task: int) -> None:
        self._asked = task
        self._direct = set(self._edges[self._starts[task] : self._starts[task + 1]])
        self._searches = 0
        self._gathered = set()
        self._rest = [task]

    def _gather(self, other: int) -> bool | None:
        """Answer by what was gathered before the task, and gather more until that will do."""
        starts, edges, gathered = self._starts, self._edges, self._gathered
        while other not in gathered:
            if not self._rest:
                return False
            at = self._rest[-1]
            self._left -= starts[at + 1] - starts[at]
            if self._left < 0:
                return None
            self._rest.pop()
            for before in edges[starts[at] : starts[at + 1]]:
                if before not in gathered:
                    gathered.add(before)
                    self._rest.append(before)
        return True

    def _is_above(self, other: int, task: int) -> bool:
        number = self._number[other]
        return number <= self._number[task] < number + self._size[other]

    def _search(self, task: int, other: int) -> bool | None:
        starts, edges, rank = self._starts, self._edges, self._rank
        lowest = rank[other]
        seen = {task}
        rest = [task]
        while rest:
            at = rest.pop()
            self._left -= starts[at + 1] - starts[at]
            if self._left < 0:
                return None
            for before in edges[starts[at] : starts[at + 1]]:
                if before == other or self._is_above(other, before):
                    return True
                if rank[before] > lowest and before not in seen:
                    seen.add(before)
                    rest.append(before)
        return False

    def _make_forest(self) -> None:
        starts, edges = self._starts, self._edges
        count = len(starts) - 1
        order: Sequence[int]
        if self._point_back:
            order = self._rank = range(count)
        else:
            order = _in_order(starts, edges)
            rank = array("i", bytes(4 * count))
            for place, task in enumerate(order):
                rank[task] = place
            self._rank = rank
        size = self._size = array("i", [1]) * count
        for task in reversed(order):
            if starts[task] < starts[task + 1]:
                size[edges[starts[task]]] += size[task]
        number = self._number = array("i", bytes(4 * count))
        #: By position: the next number that a branch under it gets.
        following = array("i", bytes(4 * count))
        next_top = 0
        for task in order:
            if starts[task] < starts[task + 1]:
                above = edges[starts[task]]
                number[task] = following[above]
                following[above] += size[task]
            else:
                number[task] = next_top
                next_top += size[task]
            following[task] = number[task] + 1


def _in_order(starts: Sequence[int], edges: Sequence[int]) -> array[int]:
    """Return all positions so that what a task depends on comes before it."""
    count = len(starts) - 1
    dependants = array("i", bytes(4 * (count + 1)))
    for before in edges:
        dependants[before + 1] += 1
    firsts = array("i", accumulate(dependants))
    filled = array("i", firsts)
    after = array("i", bytes(4 * len(edges)))
    for task in range(count):
        for before in edges[starts[task] : starts[task + 1]]:
            after[filled[before]] = task
            filled[before] += 1
    unmet = array("i", (starts[task + 1] - starts[task] for task in range(count)))
    order = array("i", (task for task in range(count) if unmet[task] == 0))
    for task in order:  # which grows while it is gone through
        for behind in after[firsts[task] : firsts[task + 1]]:
            unmet[behind] -= 1
            if unmet[behind] == 0:
                order.append(behind)
    return order
