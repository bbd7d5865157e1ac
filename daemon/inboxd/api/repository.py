"""`TaskRepository`: the tasks of a session, made, found, changed and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inboxd.api.task import Task
from inboxd.ids import new_id

if TYPE_CHECKING:
    from inboxd.api.session import Session

__all__ = ["TaskRepository"]


class TaskRepository:
    """The tasks of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def create_task(self, *, id: str | None = None, **fields: Any) -> Task:
        """Make a draft."""
        task_id = new_id() if id is None else id
        return Task(self._session.drafts.add(task_id, fields))
