"""Read many tasks of the store at once, before each is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.api.task import entry_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd.api.entry import TaskEntry
    from inboxd.api.session import Session
    from inboxd.api.task import Task

__all__ = ["refreshed"]


def refreshed(tasks: Iterable[Task]) -> list[Task]:
    """Return these tasks, with the newest of each known; one pass over the store."""
    tasks = list(tasks)
    by_session: dict[Session, list[TaskEntry]] = {}
    for task in tasks:
        entry = entry_of(task)
        if entry.place is not None:
            by_session.setdefault(entry.session, []).append(entry)
    for session, entries in by_session.items():
        session.refresh(entries)
    return tasks
