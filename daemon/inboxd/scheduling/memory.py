"""
What the turns keep in memory of the store, so that a turn costs the same at any size of the table.

All of it is a view: after a commit that failed, or whose end is unknown, it is built anew. Only
`running` is not, since it says what really runs; it changes after commits alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.scheduling.levels import Levels
from inboxd.store.claims import next_waiting_due, start_seq_mark
from inboxd.store.steering import cancelled_in_progress, is_paused, left_over_trees
from inboxd.store.sweeps import load_sweeps
from inboxd.store.tables import SweepKind, TaskFlag
from inboxd.store.trees import load_trees

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from inboxd.scheduling.endings import RunningTask
    from inboxd.store.trees import OpenTree

__all__ = ["Memory"]

#: Trees kept in memory, some 500 bytes each; those above are dropped and read again when needed.
_MOST_TREES = 20_000

#: Numbers of starts are reserved so many at a time: a crash leaves a gap, they only rise.
_START_SEQ_CHUNK = 10_000


class Memory:
    """The turns' view of the store."""

    def __init__(self, small_tree: int) -> None:
        """The rows of a tree with more tasks than *small_tree* come in parked."""
        self._small_tree = small_tree
        self.levels = Levels(small_tree)
        #: By task number; what was handed over and has not come back.
        self.running: dict[int, RunningTask] = {}
        #: The earliest due time of a waiting task.
        self.next_waiting: int | None = None
        self.last_acceptance = 0
        #: Ended tasks with undecided edges are left in the store.
        self.cascading = False
        #: Tasks in progress that a person cancelled: they end so, whatever their attempts report.
        self.cancelling: set[int] = set()
        #: Trees that a person's retry sets back, or that are left over: none of their edges is
        #: decided meanwhile.
        self.frozen: set[int] = set()
        #: Everything is paused.
        self.paused = False
        self._trees: dict[int, OpenTree] = {}
        #: Of strict trees: tree -> priority -> tasks in progress.
        self._strict_running: dict[int, dict[int, int]] = {}
        self._start_seq = 0
        self._start_seq_reserved = 0

    def load(self, connection: Connection, *, now: int) -> None:
        """Build the view anew; `running` is kept, and is what strict trees are counted from."""
        self._trees.clear()
        self._strict_running.clear()
        for entry in self.running.values():
            self.note_running(entry.task.tree, entry.task.priority, entry.task.flags, 1)
        self._start_seq = max(self._start_seq, start_seq_mark(connection))
        self._start_seq_reserved = self._start_seq
        self.last_acceptance = (
            connection.exec_driver_sql("SELECT max(acceptance) FROM trees").scalar() or 0
        )
        self.next_waiting = next_waiting_due(connection)
        self.cascading = True
        self.cancelling = cancelled_in_progress(connection)
        self.paused = is_paused(connection)
        self.frozen = {
            sweep.tree for sweep in load_sweeps(connection) if sweep.kind == SweepKind.RETRY
        }
        self.frozen.update(tree for tree, *_ in left_over_trees(connection))
        self.levels.load(
            connection,
            lambda number: self.tree(connection, number),
            self.running_priorities,
            now=now,
        )

    def tree(self, connection: Connection, number: int) -> OpenTree:
        """Return an accepted tree by its internal number; KeyError: there is none."""
        found = self._trees.get(number)
        if found is None:
            self.fetch_trees(connection, [number])
            found = self._trees[number]
        return found

    def fetch_trees(self, connection: Connection, numbers: Iterable[int]) -> None:
        """Have trees at hand, with one statement for all that are not."""
        missing = {number for number in numbers if number not in self._trees}
        if not missing:
            return
        if len(self._trees) + len(missing) > _MOST_TREES:
            busy = {entry.task.tree for entry in self.running.values()}
            self._trees = {number: tree for number, tree in self._trees.items() if number in busy}
        for tree in load_trees(connection, missing):
            self._trees[tree.id] = tree

    def add_tree(self, tree: OpenTree) -> None:
        """Keep a tree that was accepted just now."""
        self.last_acceptance = max(self.last_acceptance, tree.acceptance)
        if len(self._trees) < _MOST_TREES:
            self._trees[tree.id] = tree

    def forget_tree(self, number: int) -> None:
        """Drop a tree that ended."""
        self._trees.pop(number, None)
        self.levels.forget(number)
        self.levels.set_retrying(number, {})

    def waits_until(self, due_at: int) -> None:
        """Note that a task waits for a time."""
        if self.next_waiting is None or due_at < self.next_waiting:
            self.next_waiting = due_at

    def has_levels(self, tree: OpenTree) -> bool:
        """Whether tasks of this tree are claimed by level whenever it is not closed."""
        return tree.strict or not self.is_small(tree)

    def is_small(self, tree: OpenTree) -> bool:
        """Whether all tasks of this tree may be written in one turn."""
        return tree.task_count <= self._small_tree

    def note_running(self, tree: int, priority: int, flags: int, change: int) -> None:
        """Count a task of a strict tree that starts (+1) or ends (-1)."""
        if not flags & TaskFlag.STRICT:
            return
        counts = self._strict_running.setdefault(tree, {})
        counts[priority] = counts.get(priority, 0) + change
        if counts[priority] <= 0:
            del counts[priority]
        if not counts:
            del self._strict_running[tree]

    def running_priorities(self, tree: int) -> list[int]:
        """Return the priorities of a strict tree's tasks in progress."""
        return list(self._strict_running.get(tree, ()))

    def look_at_levels(self, connection: Connection, tree: OpenTree, *, now: int) -> None:
        """Find a tree's open levels again."""
        self.levels.look(connection, tree, self.running_priorities(tree.id), now=now)

    def next_start_seq(self, connection: Connection, count: int) -> int:
        """Return the first of *count* numbers for starts, all higher than any before."""
        first = self._start_seq + 1
        self._start_seq += count
        if self._start_seq > self._start_seq_reserved:
            self._start_seq_reserved = self._start_seq + _START_SEQ_CHUNK
            start_seq_mark(connection, self._start_seq_reserved)
        return first
