"""What a turn lends those who steer trees: the store, the memory, and the sweeps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxd.errors import NotFound
from inboxd.running.attempt import Attempt
from inboxd.store.steering import (
    close_tasks,
    find_task,
    open_tasks,
    retrying_of,
    set_marks,
    tree_ended_at,
)
from inboxd.store.sweeps import delete_sweep, insert_sweep, load_sweeps, save_sweeps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

    from inboxd.scheduling.endings import RunningTask
    from inboxd.scheduling.memory import Memory
    from inboxd.scheduling.turn import Turn
    from inboxd.store.steering import SteeredTask
    from inboxd.store.sweeps import SweepRow
    from inboxd.store.tables import SweepKind
    from inboxd.store.trees import OpenTree

__all__ = ["Grip", "Sweep", "Sweeps"]


@dataclass(slots=True, eq=False)
class Sweep:
    """A sweep that is not done; its row says how far it is, as of the last commit."""

    row: SweepRow
    #: What is left to do, in steps of some milliseconds, each giving its cost in rows; None: it is
    #: to be begun where the row says.
    steps: Iterator[int] | None = None


class Sweeps:
    """All sweeps that are not done, in the order in which they are worked on."""

    def __init__(self) -> None:
        self._sweeps: deque[Sweep] = deque()

    def __bool__(self) -> bool:
        return bool(self._sweeps)

    def load(self, connection: Connection) -> None:
        """Read them anew; what was done since the last commit is begun again."""
        self._sweeps = deque(Sweep(row) for row in load_sweeps(connection))

    def of(self, tree: int) -> list[Sweep]:
        """Return those of a tree, in the order of the requests."""
        found = [sweep for sweep in self._sweeps if sweep.row.tree == tree]
        return sorted(found, key=lambda sweep: sweep.row.id)

    def phases(self) -> dict[int, int]:
        """Return how far each is, by its number."""
        return {sweep.row.id: sweep.row.phase for sweep in self._sweeps}

    def next(self) -> Sweep | None:
        """Return the one whose turn it is, of those that nothing of the same tree precedes."""
        for _ in range(len(self._sweeps)):
            sweep = self._sweeps[0]
            self._sweeps.rotate(-1)
            if self.of(sweep.row.tree)[0] is sweep:
                return sweep
        return None

    def add(
        self,
        connection: Connection,
        tree: OpenTree,
        kind: SweepKind,
        *,
        value: int | None = None,
    ) -> Sweep:
        """Record a new one, which begins at the tree's first task."""
        row = insert_sweep(
            connection, tree=tree.id, kind=kind.value, first=tree.first_task, value=value
        )
        sweep = Sweep(row)
        self._sweeps.append(sweep)
        return sweep

    def remove(self, connection: Connection, sweep: Sweep) -> None:
        """Record that one is done."""
        self._sweeps.remove(sweep)
        delete_sweep(connection, sweep.row.id)

    @staticmethod
    def save(connection: Connection, sweeps: Iterable[Sweep]) -> None:
        """Record how far some are."""
        save_sweeps(connection, [sweep.row for sweep in sweeps])


@dataclass(slots=True)
class Grip:
    """A turn's transaction in the hands of those who steer; `turn` is another one each time."""

    connection: Connection
    memory: Memory
    turn: Turn
    sweeps: Sweeps
    #: The request was begun before, in a turn whose commit failed, or whose end is not known.
    is_repeated: bool = False

    def tree(self, number: int) -> OpenTree:
        """
        Return an accepted tree.

        Raises:
            NotFound: there is none of this number.
        """
        try:
            return self.memory.tree(self.connection, number)
        except KeyError:
            raise NotFound(f"no tree of the number {number} in the store") from None

    def task(self, number: int) -> tuple[SteeredTask, OpenTree]:
        """
        Return a task of an accepted tree, and the tree.

        Raises:
            NotFound: there is none of this number.
        """
        task = find_task(self.connection, number)
        if task is None:
            raise NotFound(f"no task of the number {number} in the store")
        return task, self.tree(task.tree)

    def has_ended(self, tree: OpenTree) -> bool:
        """Whether the tree has ended."""
        return tree_ended_at(self.connection, tree.id) is not None

    def open_tasks(self, tree: OpenTree) -> int:
        """Return how many tasks of a tree have not ended, with what this turn has done so far."""
        change = self.turn.changes.get(tree.id)
        return tree.open - (0 if change is None else change.ended)

    def running(self, tree: OpenTree) -> list[RunningTask]:
        """Return the tasks of a tree that are in progress, in the order of their numbers."""
        over = {attempt.task for attempt, _, _ in self.turn.taken}
        found = [
            entry
            for number, entry in self.memory.running.items()
            if entry.task.tree == tree.id and number not in over
        ]
        return sorted(found, key=lambda entry: entry.task.id)

    @property
    def running_count(self) -> int:
        """How many tasks are in progress, of all trees."""
        return len(self.memory.running) - len(self.turn.taken)

    def cut(self, tree: OpenTree, running: Iterable[RunningTask]) -> None:
        """Have attempts ended after the commit, since their tasks are cancelled."""
        self.turn.cut.extend(_attempt(entry, tree) for entry in running)

    def mark(self, tree: OpenTree, mark: int) -> None:
        """Close a tree by a mark: from the commit on nothing of it starts."""
        if not tree.marks and self.memory.is_small(tree):
            close_tasks(self.connection, tree.first_task, tree.first_task + tree.task_count)
            if tree.strict:
                self.memory.levels.set_retrying(tree.id, {})
            self.turn.times_changed = True
        tree.marks |= mark
        set_marks(self.connection, tree.id, tree.marks)
        self.memory.levels.forget(tree.id)

    def unmark(self, tree: OpenTree, mark: int) -> None:
        """Take a mark away; without another, tasks of the tree may start in this turn."""
        tree.marks &= ~mark
        set_marks(self.connection, tree.id, tree.marks)
        if tree.marks:
            return
        if self.memory.is_small(tree):
            open_tasks(
                self.connection,
                tree.first_task,
                tree.first_task + tree.task_count,
                now=self.turn.now,
            )
            if tree.strict:
                self.recount(tree)
        self.reopen_levels(tree)

    def recount(self, tree: OpenTree) -> None:
        """Count anew what waits for a retry of a strict tree."""
        self.memory.levels.set_retrying(tree.id, retrying_of(self.connection, tree.id))

    def reopen_levels(self, tree: OpenTree) -> None:
        """Have the claim look at a tree whose tasks may start, or start in another order."""
        self.turn.times_changed = True
        self.turn.dirty.add(tree.id)
        self.turn.claimable.update((0, 1))


def _attempt(entry: RunningTask, tree: OpenTree) -> Attempt:
    task = entry.task
    return Attempt(
        task=task.id,
        tree=task.tree,
        tree_id=tree.public_id,
        task_id=task.local_id,
        position=task.id - tree.first_task,
        number=entry.number,
        start_seq=entry.start_seq,
        started_at=entry.started_at,
        executor=task.executor,
        priority=task.priority,
        timeout_seconds=task.timeout,
    )
