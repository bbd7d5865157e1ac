"""
The drafts of a session: tasks whose tree was not distributed yet.

They live in the memory of the process, whatever store the session has (ADR 0024); what counts is
accepted, in one transaction, by `distribute_task_tree`.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inboxd.api.entry import TaskEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd.api.session import Session

__all__ = ["Drafts"]


class Drafts:
    """All drafts of one session, in the order in which they were made; for one thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._order = itertools.count()
        #: By their array (None: made by themselves) and id.
        self._entries: dict[tuple[str | None, str], TaskEntry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, task_id: str, document: dict[str, Any], *, group: str | None = None) -> TaskEntry:
        """Keep a new draft; the id must be free in its array."""
        entry = TaskEntry(
            self._session,
            task_id,
            document=document,
            order=next(self._order),
            created_at=datetime.now(UTC),
            group=group,
        )
        self._entries[group, task_id] = entry
        return entry

    def get(self, task_id: str, *, group: str | None = None) -> TaskEntry | None:
        """Return the draft of this id in its array."""
        return self._entries.get((group, task_id))

    def named(self, task_id: str) -> list[TaskEntry]:
        """Return all drafts of this id, of whatever array."""
        return [entry for (_, own), entry in self._entries.items() if own == task_id]

    def all(self) -> list[TaskEntry]:
        """Return all, in the order in which they were made."""
        return sorted(self._entries.values(), key=lambda entry: entry.order)

    def forget(self, entries: Iterable[TaskEntry]) -> None:
        """Drop some: they are in the store now, or deleted."""
        for entry in entries:
            self._entries.pop((entry.group, entry.id), None)
