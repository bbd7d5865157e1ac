"""What all handles of one task share: the draft that it is, or where in the store it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from datetime import datetime

    from inboxd.api.session import Session
    from inboxd.store.views import TaskDetails, TaskView

__all__ = ["Place", "TaskEntry"]


class Place(msgspec.Struct, frozen=True):
    """Where a task lies in the store, and its tree."""

    #: Public.
    tree_id: str
    #: Internal.
    tree: int
    #: The internal number of the task.
    task: int


class TaskEntry:
    """One task of a session: a draft until its tree is accepted, then a row of the store."""

    __slots__ = (
        "__weakref__",
        "_details",
        "_version",
        "_view",
        "created_at",
        "document",
        "group",
        "id",
        "order",
        "place",
        "session",
    )  # fmt: skip

    def __init__(
        self,
        session: Session,
        task_id: str,
        *,
        document: dict[str, Any],
        order: int,
        created_at: datetime,
        group: str | None = None,
        place: Place | None = None,
    ) -> None:
        """
        Args:
            session: whose it is.
            task_id: its id in its tree.
            document: the task as a task array has it; empty for one that the store has.
            order: where it stands among all drafts of the session: the order of its array.
            created_at: aware, UTC.
            group: names the array that it came in; None: it was made by itself.
            place: where it lies in the store; None: it is a draft.
        """
        self.session = session
        self.id = task_id
        self.document = document
        self.order = order
        self.created_at = created_at
        self.group = group
        self.place = place
        self._view: TaskView | None = None
        self._details: TaskDetails | None = None
        self._version = -1

    @property
    def is_draft(self) -> bool:
        """Whether its tree is not accepted yet."""
        return self.place is None

    def view(self) -> TaskView | None:
        """Return the task as the store has it now; None: it is a draft."""
        place = self.place
        if place is None:
            return None
        version = self.session.version
        if self._view is None or version != self._version:
            view = self.session.read_task(place)
            if view is not None:
                self.know(view, version)
        return self._view

    def know(self, view: TaskView, version: int) -> None:
        """Take what was read of it when the session had this version."""
        if (
            self._view is None
            or view.attempts != self._view.attempts
            or (view.status is not self._view.status)
        ):
            self._details = None
        self._view, self._version = view, version

    def details(self) -> TaskDetails | None:
        """Return inputs, params, result and the like as the store has them; None: it is a draft."""
        view = self.view()
        if view is None or self.place is None:
            return None
        if self._details is None:
            self._details = self.session.read_details(view)
        return self._details

    def know_details(self, details: TaskDetails) -> None:
        """Take what was read beside the view."""
        self._details = details
