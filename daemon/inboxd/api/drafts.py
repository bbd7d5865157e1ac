"""
The drafts of a session: tasks whose tree was not distributed yet.

They live in the memory of the process, whatever store the session has (ADR 0024); what counts is
accepted, in one transaction, by `distribute_task_tree`.
"""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inboxd.api.entry import TaskEntry, references_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd.api.session import Session

__all__ = ["DraftExists", "Drafts"]


class DraftExists(ValueError):
    """The id is taken among the drafts of its array."""


class Drafts:
    """All drafts of one session, in the order in which they were made; from any thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._order = itertools.count()
        self._lock = threading.RLock()
        #: By their array (None: made by themselves) and id; in the order in which they were made.
        self._entries: dict[tuple[str | None, str], TaskEntry] = {}
        #: By id, of whatever array.
        self._by_id: dict[str, list[TaskEntry]] = {}
        #: By array and name, those that have a name beside their id; as sets in order.
        self._by_name: dict[tuple[str | None, str], dict[TaskEntry, None]] = {}
        #: By array and what they call their parent or a dependency; as sets in order.
        self._referring: dict[tuple[str | None, str], dict[TaskEntry, None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, task_id: str, document: dict[str, Any], *, group: str | None = None) -> TaskEntry:
        """
        Keep a new draft.

        Args:
            task_id: its id.
            document: checked; nobody else has it.
            group: the array that it is of; None: it is made by itself.

        Raises:
            DraftExists: the id is taken in its array.
        """
        with self._lock:
            if (group, task_id) in self._entries:
                raise DraftExists(task_id)
            entry = TaskEntry(
                self._session,
                task_id,
                document=document,
                order=next(self._order),
                created_at=datetime.now(UTC),
                group=group,
            )
            self._entries[group, task_id] = entry
            self._by_id.setdefault(task_id, []).append(entry)
            self._index(entry)
        return entry

    def get(self, task_id: str, *, group: str | None = None) -> TaskEntry | None:
        """Return the draft of this id in its array."""
        return self._entries.get((group, task_id))

    def named(self, task_id: str) -> list[TaskEntry]:
        """Return all drafts of this id, of whatever array, in the order in which they were made."""
        return list(self._by_id.get(task_id, ()))

    def all(self) -> list[TaskEntry]:
        """Return all, in the order in which they were made."""
        return list(self._entries.values())

    def resolve(self, reference: str, *, group: str | None) -> str:
        """Return the id of the draft of an array that a reference names; itself if none does."""
        if (group, reference) in self._entries:
            return reference
        named = list(self._by_name.get((group, reference), ()))
        return named[0].id if len(named) == 1 else reference

    def referring_to(self, entry: TaskEntry) -> list[TaskEntry]:
        """Return the other drafts of its array that name this one as parent or dependency."""
        with self._lock:
            names = [entry.id]
            name = entry.document.get("name")
            if isinstance(name, str) and self.resolve(name, group=entry.group) == entry.id:
                names.append(name)
            found = dict.fromkeys(
                other
                for reference in names
                for other in self._referring.get((entry.group, reference), ())
            )
        return sorted((other for other in found if other is not entry), key=_order_of)

    def replace(self, entry: TaskEntry, document: dict[str, Any]) -> None:
        """Give a draft another document."""
        with self._lock:
            self._forget_words(entry)
            entry.document = document
            self._index(entry)

    def forget(self, entries: Iterable[TaskEntry]) -> None:
        """Drop some: they are in the store now, or deleted."""
        with self._lock:
            for entry in entries:
                if self._entries.pop((entry.group, entry.id), None) is None:
                    continue
                same = self._by_id[entry.id]
                same.remove(entry)
                if not same:
                    del self._by_id[entry.id]
                self._forget_words(entry)

    def _index(self, entry: TaskEntry) -> None:
        name = entry.document.get("name")
        if name is not None and name != entry.id:
            self._by_name.setdefault((entry.group, name), {})[entry] = None
        for reference in references_of(entry.document):
            self._referring.setdefault((entry.group, reference), {})[entry] = None

    def _forget_words(self, entry: TaskEntry) -> None:
        _drop(self._by_name, (entry.group, entry.document.get("name")), entry)
        for reference in references_of(entry.document):
            _drop(self._referring, (entry.group, reference), entry)


def _drop(
    index: dict[tuple[str | None, str], dict[TaskEntry, None]], key: Any, entry: TaskEntry
) -> None:
    entries = index.get(key)
    if entries is not None:
        entries.pop(entry, None)
        if not entries:
            del index[key]


def _order_of(entry: TaskEntry) -> int:
    return entry.order
