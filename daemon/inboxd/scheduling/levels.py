"""
Parked tasks, and when they may be claimed.

The rows of a large tree (more than `SMALL_TREE` tasks) never enter the ready index: accepting them
is the flip of one row, and a million of them cost no turn anything. Those of a tree with
`strict_priority` do not either: a whole level of them, the tasks of one priority, is held back
while a more urgent one is active. So the claim looks, besides the ready index, at the *open
levels*: (priority, time and order of the tree's acceptance, tree), kept here in that order. This is
a view of the table: after any doubt it is built anew.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from inboxd.store.claims import (
    parked_levels,
    parked_tasks,
    ready_tasks,
    retrying_strict,
    trees_with_parked_tasks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from inboxd.store.claims import Candidate
    from inboxd.store.trees import OpenTree

__all__ = ["Levels"]

#: Priority, accepted_at, acceptance, tree, and the priority that the rows have: another one while
#: a person's new priority for the whole tree has not reached them all.
_Level = tuple[int, int, int, int, int]


class Levels:
    """The open levels of each kind of place, in the order of starts."""

    def __init__(self, small_tree: int) -> None:
        self._small_tree = small_tree
        self._open: dict[int, list[_Level]] = {}
        #: Of each tree: (kind, level) as they stand in `_open`.
        self._of_tree: dict[int, list[tuple[int, _Level]]] = {}
        #: Trees whose next parked task is due later, and when.
        self._later: dict[int, int] = {}
        #: Tasks of strict trees that wait for a retry: tree -> priority -> how many.
        self._retrying: dict[int, dict[int, int]] = {}

    def load(
        self,
        connection: Connection,
        trees: Callable[[int], OpenTree],
        running_priorities: Callable[[int], Iterable[int]],
        *,
        now: int,
    ) -> None:
        """Build everything anew from the store."""
        self._open.clear()
        self._of_tree.clear()
        self._later.clear()
        self._retrying.clear()
        for tree, priority, count in retrying_strict(connection):
            self._retrying.setdefault(tree, {})[priority] = count
        for number in trees_with_parked_tasks(connection, self._small_tree):
            self.look(connection, trees(number), running_priorities(number), now=now)

    @property
    def next_due(self) -> int | None:
        """When the first level opens that is closed only because its tasks are not due yet."""
        return min(self._later.values(), default=None)

    @property
    def any_open(self) -> bool:
        """Whether any parked task may be claimed."""
        return any(self._open.values())

    def due_trees(self, now: int) -> list[int]:
        """Return the trees whose time has come, which are to be looked at again."""
        return [tree for tree, due in self._later.items() if due <= now]

    def retry_waits(self, tree: int, priority: int, change: int) -> None:
        """Count a task of a strict tree that begins (+1) or ends (-1) to wait for a retry."""
        counts = self._retrying.setdefault(tree, {})
        counts[priority] = counts.get(priority, 0) + change
        if counts[priority] <= 0:
            del counts[priority]
        if not counts:
            del self._retrying[tree]

    def look(
        self,
        connection: Connection,
        tree: OpenTree,
        running_priorities: Iterable[int],
        *,
        now: int,
    ) -> None:
        """
        Find the open levels of one tree.

        Args:
            connection: in a transaction.
            tree: accepted; large or strict. Of one that is closed by a mark no level is open.
            running_priorities: of its tasks in progress; needed for a strict tree only.
            now: microseconds since 1970, UTC.
        """
        self.forget(tree.id)
        if tree.marks:
            return
        levels = parked_levels(connection, tree.id)
        later = [level.due_at for level in levels if level.due_at > now]
        if later:
            self._later[tree.id] = min(later)
        due = [level for level in levels if level.due_at <= now]
        given = tree.priority
        if tree.strict:
            active = [level.priority if given is None else given for level in due]
            active.extend(running_priorities)
            retrying = self._retrying.get(tree.id)
            if retrying:
                active.extend(retrying if given is None else (given,))
            gate = min(active, default=0)
            due = [level for level in due if (level.priority if given is None else given) == gate]
        for level in due:
            priority = level.priority if given is None else given
            key = (priority, tree.accepted_at, tree.acceptance, tree.id, level.priority)
            insort(self._open.setdefault(level.kind, []), key)
            self._of_tree.setdefault(tree.id, []).append((level.kind, key))

    def set_retrying(self, tree: int, counts: dict[int, int]) -> None:
        """Have the tasks of a strict tree that wait for a retry counted so, by priority."""
        self._retrying.pop(tree, None)
        if counts:
            self._retrying[tree] = counts

    def forget(self, tree: int) -> None:
        """Take a tree's levels out."""
        for kind, key in self._of_tree.pop(tree, ()):
            levels = self._open[kind]
            del levels[bisect_left(levels, key)]
        self._later.pop(tree, None)

    def first_tasks(
        self, connection: Connection, kind: int, limit: int, *, now: int
    ) -> tuple[list[Candidate], list[int]]:
        """
        Return the tasks to claim: the first of the ready index and the open levels together.

        Args:
            connection: in a transaction.
            kind: of places.
            limit: free places of that kind, >= 1.
            now: microseconds since 1970, UTC.

        Returns:
            At most *limit* tasks by (priority, due time, order of acceptance, position), and the
            trees whose levels gave all they had, which are to be looked at after the claim.
        """
        tasks = ready_tasks(connection, kind, limit)
        levels = self._open.get(kind)
        if not levels:
            return tasks, []
        exhausted: list[int] = []
        keyed = [(_order(task), task) for task in tasks]
        for level in levels:
            priority, accepted_at, acceptance, tree, row_priority = level
            if len(keyed) >= limit and keyed[limit - 1][0][:3] < level[:3]:
                break
            parked = parked_tasks(connection, tree, kind, row_priority, now=now, limit=limit)
            if len(parked) < limit:
                exhausted.append(tree)
            for task in parked:
                task.priority = priority
                task.due_at = max(task.due_at, accepted_at)
                task.acceptance = acceptance
                keyed.append((_order(task), task))
            keyed.sort(key=_first)
        return [task for _, task in keyed[:limit]], exhausted


def _order(task: Candidate) -> tuple[int, int, int, int]:
    return task.priority, task.due_at, task.acceptance, task.id


def _first(pair: tuple[tuple[int, int, int, int], Candidate]) -> tuple[int, int, int, int]:
    return pair[0]
