"""The store as everybody but the scheduler sees it: read only, in short transactions."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from inboxd.errors import AmbiguousReference, NotFound, StoreError
from inboxd.names import did_you_mean, escaped
from inboxd.store import find, read_tasks, read_trees, steering
from inboxd.store.engine import database_path, open_reader
from inboxd.store.reasons import NAMED_EDGES, task_reason
from inboxd.store.tables import APPLICATION_ID, TaskState
from inboxd.store.views import Overview

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from types import TracebackType

    from sqlalchemy import Connection

    from inboxd.store.views import (
        AttemptView,
        EdgeView,
        RunningTask,
        TaskDetails,
        TaskView,
        TreeView,
    )
    from inboxd.task import TaskStatus

__all__ = ["NoStore", "StoreReader"]

#: Rows of one transaction where rows are small: some milliseconds.
_PAGE = 2_000

#: Positions of one transaction where most rows are only passed over: some tens of milliseconds.
_PASS = 100_000


class NoStore(NotFound):
    """There is no database yet: no daemon ever ran on this state directory."""


class StoreReader:
    """
    Read access to one store, with the daemon up or down.

    Every method is one short transaction, or one for each page where it is an iterator, so that no
    reader keeps the WAL from being reset. May be used by several threads; they take turns.
    Only accepted trees are seen.

    Raises:
        NoStore: the database does not exist yet.
        StoreError: the file is no database of inboxd, or cannot be read.
    """

    def __init__(self, url: str) -> None:
        self._path = database_path(url)
        if not self._path.exists():
            raise NoStore(
                f"{escaped(str(self._path))}: there is no store here yet;"
                " start the daemon with `inboxd run`, or name another by --state"
            )
        self._engine = open_reader(url)
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the database go; may be called twice."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._engine.dispose()

    def __enter__(self) -> StoreReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # Trees ---------------------------------------------------------------------------------------

    def find_tree(self, reference: str) -> TreeView:
        """
        Return the tree that a person means (see `find.find_tree`).

        Raises:
            NotFound: nothing answers to the reference.
            AmbiguousReference: it is part of several ids.
        """
        with self.transaction() as connection:
            return find.find_tree(connection, reference)

    def tree(self, tree_id: str) -> TreeView | None:
        """Return the tree of this full id as it is now, or None."""
        with self.transaction() as connection:
            return read_trees.tree_by_public_id(connection, tree_id)

    def tree_by_number(self, number: int) -> TreeView | None:
        """Return the tree of this internal number as it is now, or None."""
        with self.transaction() as connection:
            return read_trees.tree_by_number(connection, number)

    def tree_other(self, tree: TreeView) -> bytes | None:
        """Return the envelope's `metadata` and `x-…` as one JSON object, or None for none."""
        with self.transaction() as connection:
            return read_trees.other_of(connection, tree.number)

    def owner_and_other(self, number: int) -> tuple[int | None, bytes | None]:
        """Return the uid of the owner of a tree's file, and its `metadata` and `x-…` as JSON."""
        with self.transaction() as connection:
            return read_trees.owner_and_other(connection, number)

    def trees_by_number(self, numbers: Sequence[int]) -> dict[int, TreeView]:
        """Return these trees by their internal numbers; some hundreds at most."""
        with self.transaction() as connection:
            found = read_trees.trees_by_number(connection, numbers)
        return {tree.number: tree for tree in found}

    def list_trees(
        self, *, status: TaskStatus | None = None, limit: int = 20, before: int | None = None
    ) -> list[TreeView]:
        """
        Return the newest trees by arrival, newest first.

        Args:
            status: only trees in it.
            limit: at most so many.
            before: only trees whose number is smaller: the last one's of the page before.
        """
        with self.transaction() as connection:
            return read_trees.newest_trees(connection, status=status, limit=limit, before=before)

    def open_trees(self, limit: int) -> list[TreeView]:
        """Return trees that have not ended, oldest first."""
        with self.transaction() as connection:
            return read_trees.oldest_open(connection, limit)

    def count_open_trees(self, most: int = 100_000) -> int:
        """Return how many trees have not ended; counting stops at *most*."""
        with self.transaction() as connection:
            return read_trees.count_open(connection, most)

    def running_by_tree(self) -> dict[int, int]:
        """Return how many tasks are in progress, by the internal number of their tree."""
        with self.transaction() as connection:
            return read_trees.running_by_tree(connection)

    # Tasks ---------------------------------------------------------------------------------------

    def find_task(self, tree: TreeView, reference: str) -> TaskView:
        """
        Return the task of this id in its file, else the only one of this `name`.

        Raises:
            NotFound: there is none; the text has the nearest id.
            AmbiguousReference: several have this name.
        """
        with self.transaction() as connection:
            task = read_tasks.task_by_id(connection, tree, reference)
            named = [] if task else read_tasks.tasks_named(connection, tree, reference)
            if task or len(named) == 1:
                return task or named[0]
            if named:
                raise AmbiguousReference(
                    f'several tasks of tree {tree.short_id} have the name "{escaped(reference)}";'
                    f' name one by its id, as "{named[0].id}" or "{named[1].id}"',
                    [task.id for task in named],
                )
            first = read_tasks.tasks_between(connection, tree, 0, _PAGE)
        names = dict.fromkeys([task.id for task in first] + [task.name for task in first])
        hint = did_you_mean(reference, names) or f"`inboxd show {tree.short_id}` lists its tasks"
        raise NotFound(f'no task "{escaped(reference)}" in tree {tree.short_id}; {hint}')

    def tree_tasks(
        self, tree: TreeView, *, start: int = 0, end: int | None = None
    ) -> Iterator[TaskView]:
        """Yield the tasks at the positions from *start* up to *end* (all), a page at a time."""
        last = tree.counts.total if end is None else min(end, tree.counts.total)
        for position in range(start, last, _PAGE):
            with self.transaction() as connection:
                page = read_tasks.tasks_between(
                    connection, tree, position, min(position + _PAGE, last)
                )
            yield from page

    def tasks_by_number(self, tree: TreeView, numbers: Sequence[int]) -> dict[int, TaskView]:
        """Return these tasks of the tree by their internal numbers, whole pages at a time."""
        found: dict[int, TaskView] = {}
        for start in range(0, len(numbers), _PAGE):
            with self.transaction() as connection:
                some = list(numbers[start : start + _PAGE])
                found |= read_tasks.tasks_by_number(connection, tree, some)
        return found

    def tasks_in_state(self, tree: TreeView, state: TaskState, limit: int) -> list[TaskView]:
        """Return the first tasks in this state; the cost is a pass over the tree until found."""
        found: list[TaskView] = []
        for start in range(0, tree.counts.total, _PASS):
            with self.transaction() as connection:
                found += read_tasks.tasks_in_state(
                    connection, tree, state, start, start + _PASS, limit - len(found)
                )
            if len(found) >= limit:
                break
        return found

    def tree_parents(self, tree: TreeView) -> Iterator[tuple[int, int]]:
        """Yield (position, position of its parent) of each task with a parent, by position."""
        for start in range(0, tree.counts.total, _PASS):
            with self.transaction() as connection:
                page = read_tasks.parents_between(connection, tree, start, start + _PASS)
            yield from page

    def task_reasons(self, tasks: Sequence[TaskView], *, now: int) -> dict[int, str | None]:
        """
        Return why each of these tasks of one tree is where it is (see `reasons.task_reason`).

        Args:
            tasks: a page of them; some thousands at most.
            now: microseconds since 1970, UTC.
        """
        reasons: dict[int, str | None] = {}
        if not tasks:
            return reasons
        with self.transaction() as connection:
            marks = steering.tree_marks(connection, tasks[0].tree)
            is_all_paused = steering.is_paused(connection)
            cancelling = steering.cancelled_in_progress(connection)
            tree_id = None
            if any(task.state is TaskState.HELD for task in tasks):
                tree_id = steering.tree_public_id(connection, tasks[0].tree)
            for task in tasks:
                undecided = (
                    read_tasks.edges_to(
                        connection, task.number, limit=NAMED_EDGES + 1, undecided=True
                    )
                    if task.state is TaskState.BLOCKED
                    else ()
                )
                reasons[task.number] = task_reason(
                    task,
                    now=now,
                    undecided=undecided,
                    marks=marks,
                    is_cancelling=task.number in cancelling,
                    is_all_paused=is_all_paused,
                    tree_id=tree_id,
                )
        return reasons

    def task_reason(self, tree: TreeView, task: TaskView, *, now: int) -> str | None:
        """Return why one task is where it is, with the error where it began if it was skipped."""
        if task.state is not TaskState.SKIPPED or task.error is None or task.error.cause is None:
            return self.task_reasons([task], now=now)[task.number]
        with self.transaction() as connection:
            cause = read_tasks.task_by_id(connection, tree, task.error.cause)
        return task_reason(task, now=now, cause=None if cause is None else cause.error)

    def task_details(self, task: TaskView) -> TaskDetails:
        """Return the task's inputs, params, result and what else is kept of it, as raw JSON."""
        with self.transaction() as connection:
            return read_tasks.details_of(connection, task.number)

    def task_attempts(self, task: TaskView) -> list[AttemptView]:
        """Return the task's attempts by their numbers, the one in progress last."""
        with self.transaction() as connection:
            return read_tasks.attempts_of(connection, task.number)

    def edges_of(
        self, task: TaskView, *, limit: int = 1_000, undecided: bool = False
    ) -> list[EdgeView]:
        """Return the task's dependencies by position; *undecided*: those that have not ended."""
        with self.transaction() as connection:
            return read_tasks.edges_to(connection, task.number, limit=limit, undecided=undecided)

    def dependants_of(self, task: TaskView, *, limit: int = 1_000) -> list[EdgeView]:
        """Return the tasks that depend on this one, by position."""
        with self.transaction() as connection:
            return read_tasks.edges_from(connection, task.number, limit=limit)

    def count_edges(self, task: TaskView) -> tuple[int, int]:
        """Return how many edges the task has to dependencies, and how many from dependants."""
        with self.transaction() as connection:
            return read_tasks.count_edges(connection, task.number)

    def running_tasks(self, limit: int = 100) -> list[RunningTask]:
        """Return tasks in progress over all trees, in the order in which they started."""
        with self.transaction() as connection:
            return read_tasks.running(connection, limit)

    def overview(self, *, trees: int, tasks: int, most_open: int = 100_000) -> Overview:
        """
        Return what goes on now; the cost is that of what is in progress, not of what there is.

        Args:
            trees: at most so many open trees.
            tasks: at most so many tasks in progress.
            most_open: counting open trees stops there.
        """
        with self.transaction() as connection:
            running = read_trees.running_by_tree(connection)
            return Overview(
                open_trees=read_trees.count_open(connection, most_open),
                running=sum(running.values()),
                trees=tuple(read_trees.busiest_open(connection, running, trees)),
                running_tasks=tuple(read_tasks.running(connection, tasks)),
            )

    # Transactions --------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """
        Give a connection inside one read transaction; for modules of the store alone.

        Leave it within a second.
        """
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                with self._connection.begin():
                    yield self._connection
            except DBAPIError as error:
                raise StoreError(
                    f"{escaped(str(self._path))}: the store cannot be read: {error.orig};"
                    " `inboxd doctor` checks it"
                ) from error

    def _check(self) -> None:
        with self.transaction() as connection:
            marks = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
            made = connection.exec_driver_sql(
                "SELECT count(*) FROM sqlite_master WHERE name = 'trees'"
            ).scalar_one()
        if marks == APPLICATION_ID and made:
            return
        if marks in (0, APPLICATION_ID) and not made:
            raise NoStore(
                f"{escaped(str(self._path))}: the store is being made; try again in a moment"
            )
        raise StoreError(
            f"{escaped(str(self._path))} is the database of another program; it was left alone."
            " Name the right one by [store] url, or the state directory by --state"
        )
