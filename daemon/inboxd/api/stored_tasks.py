"""The tasks of a session that are in its store: one entry for each that somebody holds."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from inboxd.api.entry import Place, TaskEntry
from inboxd.clock import from_micros
from inboxd.store.find_tasks import details_of_tasks, result_of, tasks_by_number
from inboxd.store.read_edges import edges_of_tasks
from inboxd.store.views import TaskDetails

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inboxd.api.session import Session
    from inboxd.store.find_tasks import FoundTask
    from inboxd.store.reader import StoreReader
    from inboxd.task import EdgeOn

__all__ = ["StoredTasks"]

_NO_DETAILS = TaskDetails(inputs=None, params=None, other=None, result=None)


class StoredTasks:
    """
    Entries of tasks in the store, by place; from any thread.

    Whoever finds a task gets the entry that others hold already, so that all handles of it are
    equal and know the same. An entry that nobody holds is gone.
    """

    def __init__(self, session: Session, reader: StoreReader) -> None:
        """
        Begin without entries.

        Args:
            session: whose they are.
            reader: of its store.
        """
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
        return result_of(self._reader, place.task)

    def remember(self, version: int) -> None:
        """Have all entries that somebody holds know all that they can be asked for."""
        with self._lock:
            entries: Sequence[TaskEntry] = list(self._entries.values())
        self.refresh(entries, version)
        for entry in entries:
            if entry.lacks_result and entry.place is not None:
                entry.know_result(self.read_result(entry.place))
        self.read_details(entry for entry in entries if entry.lacks_details)
        self.read_edges(entry for entry in entries if entry.lacks_edges)


def _by_number(entries: Iterable[TaskEntry]) -> dict[int, TaskEntry]:
    return {entry.place.task: entry for entry in entries if entry.place is not None}
