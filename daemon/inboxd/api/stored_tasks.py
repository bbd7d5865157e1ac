"""The tasks of a session that are in its store: one entry for each that somebody holds."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import msgspec

from inboxd.api.awaiting import result_of
from inboxd.api.entry import Place, TaskEntry
from inboxd.clock import from_micros
from inboxd.errors import NotFound, SessionClosed, StoreError
from inboxd.names import did_you_mean, escaped
from inboxd.scheduling.mailbox import StoreClosed
from inboxd.store import find_tasks
from inboxd.store.change_task import change_labels
from inboxd.store.find_tasks import (
    details_of_tasks,
    matching_tasks,
    newest_ids,
    task_of_tree,
    tasks_by_number,
    tasks_of_id,
    tasks_of_tree,
)
from inboxd.store.read_edges import edges_of_tasks
from inboxd.store.views import TaskDetails

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from inboxd.api.session import Session
    from inboxd.scheduling.scheduler import Scheduler
    from inboxd.store.find_tasks import FoundTask, TaskFilter
    from inboxd.store.intake import Connection
    from inboxd.store.reader import StoreReader
    from inboxd.store.views import AttemptView, TreeView
    from inboxd.task import EdgeOn

__all__ = ["StoredTasks"]

logger = logging.getLogger(__name__)

#: The first ids of a tree that are compared with one that it has not.
_IDS_COMPARED = 1_000

_NO_DETAILS = TaskDetails(inputs=None, params=None, other=None, result=None)


class StoredTasks:
    """
    Entries of tasks in the store, by place; from any thread.

    Whoever finds a task gets the entry that others hold already, so that all handles of it are
    equal and know the same. An entry that nobody holds is gone.
    """

    def __init__(self, session: Session, reader: StoreReader, scheduler: Scheduler) -> None:
        """
        Begin without entries.

        Args:
            session: whose they are.
            reader: of its store.
            scheduler: which alone writes it.
        """
        self._scheduler = scheduler
        self._session = session
        self._reader = reader
        self._lock = threading.Lock()
        self._entries: WeakValueDictionary[Place, TaskEntry] = WeakValueDictionary()

    def keep(self, entry: TaskEntry, place: Place) -> None:
        """Give this entry to whoever finds its task."""
        with self._lock:
            self._entries[place] = entry

    def entries_of(self, found: Iterable[FoundTask], version: int) -> Iterator[TaskEntry]:
        """
        Yield the entries of tasks that were found, which know what was found.

        Args:
            found: read from the store.
            version: of the session, from before they were read.
        """
        for one in found:
            place = Place(one.tree_id, one.view.tree, one.view.number)
            entry = self.entry_at(place, one.view.id, received_at=one.received_at)
            entry.know(one, version)
            yield entry

    def entry_at(self, place: Place, task_id: str, *, received_at: int) -> TaskEntry:
        """
        Return the entry of a task whose place is known.

        Args:
            place: where it lies.
            task_id: its id in its tree.
            received_at: when its tree was; microseconds since 1970, UTC.
        """
        with self._lock:
            entry = self._entries.get(place)
            if entry is None:
                # Not by its setter, which would want the lock.
                entry = self._entries[place] = TaskEntry(
                    self._session,
                    task_id,
                    document={},
                    order=0,
                    created_at=from_micros(received_at),
                    place=place,
                )
            return entry

    def refresh(self, entries: Iterable[TaskEntry], version: int) -> None:
        """Read the rows of these that are in the store, with results that are not long."""
        by_number = _by_number(entries)
        for found in tasks_by_number(self._reader, sorted(by_number)):
            entry = by_number[found.view.number]
            if entry.place is not None and entry.place.tree_id == found.tree_id:
                entry.know(found, version)

    def read_details(self, entries: Iterable[TaskEntry]) -> None:
        """Read inputs, params and the like of these that are in the store."""
        by_number = _by_number(entries)
        details = dict(details_of_tasks(self._reader, sorted(by_number)))
        for number, entry in by_number.items():
            entry.know_details(details.get(number, _NO_DETAILS))

    def read_edges(self, entries: Iterable[TaskEntry]) -> dict[TaskEntry, list[tuple[str, EdgeOn]]]:
        """Read the edges of these that are in the store, and return them."""
        by_number = _by_number(entries)
        edges: dict[TaskEntry, list[tuple[str, EdgeOn]]] = {
            entry: [] for entry in by_number.values()
        }
        for number, before, on in edges_of_tasks(self._reader, sorted(by_number)):
            edges[by_number[number]].append((before, on))
        for entry, its_edges in edges.items():
            entry.know_edges(its_edges)
        return edges

    def read_result(self, place: Place) -> bytes | None:
        """Return the result of a task as JSON; None: it has none."""
        return find_tasks.result_of(self._reader, place.task)

    # Finding -------------------------------------------------------------------------------------

    def of_id(self, task_id: str, most: int) -> list[TaskEntry]:
        """Return the tasks of this id, of whatever trees, by arrival; at most so many."""
        version = self._session.version
        return list(self.entries_of(tasks_of_id(self._reader, task_id, most), version))

    def in_tree(self, tree: str, task_id: str) -> TaskEntry:
        """
        Return a task by a reference to its tree and its id.

        Raises:
            NotFound: there is no such tree, or none of its tasks has this id.
            AmbiguousReference: the reference is part of the ids of several trees.
        """
        version = self._session.version
        its_tree = self._reader.find_tree(tree)
        found = task_of_tree(self._reader, its_tree, task_id)
        if found is not None:
            return next(self.entries_of([found], version))
        first = self._reader.tree_tasks(its_tree, end=_IDS_COMPARED)
        hint = did_you_mean(task_id, [task.id for task in first])
        raise NotFound(
            f'no task "{escaped(task_id)}" in tree {its_tree.short_id};'
            f" {hint or '`get_task_tree` gives its tasks'}"
        )

    def newest_ids(self, most: int) -> list[str]:
        """Return the ids of the newest tasks, for hints."""
        return newest_ids(self._reader, most)

    def matching(
        self, wanted: TaskFilter, *, tree: str | None, after: int, limit: int
    ) -> list[TaskEntry]:
        """
        Return the first tasks that a filter lets through, by arrival of the trees and position.

        Args:
            wanted: the filter.
            tree: a reference to the only tree that is looked at; None: all.
            after: the internal number of the last task of the page before; 0: from the beginning.
            limit: at most so many.

        Raises:
            NotFound, AmbiguousReference: of the reference.
        """
        version = self._session.version
        if tree is not None:
            its_tree = self._reader.find_tree(tree)
            first = its_tree.first_task
            numbers = (first, first + its_tree.counts.total)
            wanted = msgspec.structs.replace(wanted, numbers=numbers)
        found = matching_tasks(self._reader, wanted, after=after, limit=limit)
        return list(self.entries_of(found, version))

    def tree(self, tree_id: str) -> TreeView | None:
        """Return a tree by its full id; None: there is none."""
        return self._reader.tree(tree_id)

    def find_tree(self, reference: str) -> TreeView:
        """
        Return a tree by a reference.

        Raises:
            NotFound: there is none.
            AmbiguousReference: the reference is part of the ids of several.
        """
        return self._reader.find_tree(reference)

    def tree_metadata(self, tree: TreeView) -> dict[str, Any]:
        """Return what is kept of a tree and never read."""
        other = self._reader.tree_other(tree)
        kept = {} if other is None else msgspec.json.decode(other, type=dict[str, Any])
        metadata: dict[str, Any] = kept.get("metadata") or {}
        return metadata

    def of_tree(self, tree: TreeView) -> list[tuple[TaskEntry, int | None]]:
        """Return all tasks of a tree by position, each with the position of its parent."""
        version = self._session.version
        found = list(tasks_of_tree(self._reader, tree))
        first = tree.first_task
        parents = [None if one.view.parent is None else one.view.parent - first for one in found]
        return list(zip(self.entries_of(found, version), parents, strict=True))

    def attempts_of(self, entry: TaskEntry) -> list[AttemptView]:
        """Return the attempts of a task by their numbers, the one in progress last."""
        view = entry.view()
        return [] if view is None else self._reader.task_attempts(view)

    # Changing ------------------------------------------------------------------------------------

    async def set_priority(self, place: Place, priority: int) -> None:
        """
        Give a task another priority.

        Raises:
            Conflict: it has started.
            NotFound: it is not there any more.
            SessionClosed: the session was closed before it was in the store.
        """
        await self._committed(self._scheduler.set_task_priority(place.task, priority))

    async def change_labels(
        self, place: Place, labels: Mapping[str, Any], *, only_pending: bool
    ) -> None:
        """
        Change `description`, `metadata` and `user_id` of a task; None: nothing any more.

        Raises:
            Conflict: it is not pending, and that is asked for.
            NotFound, SessionClosed: as of `set_priority`.
        """
        number = place.task

        def work(connection: Connection) -> None:
            change_labels(connection, number, labels, only_pending=only_pending)

        await self._committed(self._scheduler.write(work))
        with self._lock:
            entry = self._entries.get(place)
        if entry is not None:
            entry.know_details(None)

    async def _committed(self, future: Future[Any]) -> None:
        try:
            await result_of(future)
        except StoreClosed as error:
            raise SessionClosed("the session was closed before it was in the store") from error

    # The end -------------------------------------------------------------------------------------

    def remember(self, version: int) -> None:
        """
        Have all entries that somebody holds know all that they can be asked for.

        A store that cannot be read is logged, since who closes a session needs it no more.
        """
        with self._lock:
            entries: Sequence[TaskEntry] = list(self._entries.values())
        try:
            self._remember(entries, version)
        except StoreError as error:
            logger.warning(
                "handles show what was known before: %s", error, extra={"event": "store_unreadable"}
            )

    def _remember(self, entries: Sequence[TaskEntry], version: int) -> None:
        self.refresh(entries, version)
        for entry in entries:
            if entry.lacks_result and entry.place is not None:
                entry.know_result(self.read_result(entry.place))
        self.read_details(entry for entry in entries if entry.lacks_details)
        self.read_edges(entry for entry in entries if entry.lacks_edges)


def _by_number(entries: Iterable[TaskEntry]) -> dict[int, TaskEntry]:
    return {entry.place.task: entry for entry in entries if entry.place is not None}
