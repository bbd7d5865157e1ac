"""`Task`: a live handle of one task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.clock import from_micros
from inboxd.task import TaskStatus

if TYPE_CHECKING:
    from datetime import datetime

    from inboxd.api.entry import TaskEntry
    from inboxd.task import TaskError

__all__ = ["Task", "entry_of"]

_DEFAULT_PRIORITY = 2


class Task:
    """
    A task of a session, as it is now: each attribute is looked up when it is read.

    It is made by `TaskRepository` and `TaskCreator`. Until `distribute_task_tree` it is a draft,
    whose status is `pending`; from then on the attributes show what the store has. When its session
    is closed it shows what was last known. Two handles of one task are equal.
    """

    __slots__ = ("_entry",)

    def __init__(self, entry: TaskEntry) -> None:
        self._entry = entry

    # What it is ----------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Its id in its tree."""
        return self._entry.id

    @property
    def tree_id(self) -> str | None:
        """The public id of its tree, a UUIDv7; None: it is a draft."""
        place = self._entry.place
        return None if place is None else place.tree_id

    @property
    def is_draft(self) -> bool:
        """Whether its tree was not distributed yet."""
        return self._entry.is_draft

    @property
    def name(self) -> str:
        """Its label; by default the id."""
        view = self._entry.view()
        if view is not None:
            return view.name
        name: str = self._entry.document.get("name", self.id)
        return name

    @property
    def executor(self) -> str:
        """Who executes it: `executor`, `params.executor_id`, `schemas.method` or `name`."""
        view = self._entry.view()
        if view is not None:
            return view.executor
        document = self._entry.document
        executor: str = (
            document.get("executor")
            or document.get("params", {}).get("executor_id")
            or document.get("schemas", {}).get("method")
            or self.name
        )
        return executor

    @property
    def priority(self) -> int:
        """0 to 999; lower starts first."""
        view = self._entry.view()
        if view is not None:
            return view.priority
        priority: int = self._entry.document.get("priority", _DEFAULT_PRIORITY)
        return priority

    @property
    def allow_failure(self) -> bool:
        """True: its failure does not make the tree fail."""
        view = self._entry.view()
        if view is not None:
            return view.allow_failure
        return bool(self._entry.document.get("allow_failure", False))

    @property
    def parent_id(self) -> str | None:
        """The id of its parent in the tree; it orders nothing."""
        if self._entry.place is not None:
            return self._entry.session.parent_of(self._entry)
        return self._entry.document.get("parent_id")

    @property
    def dependencies(self) -> list[dict[str, Any]]:
        """Its edges, each `{"id", "on"}`; `on` is `success`, `failure` or `end`."""
        return self._entry.session.dependencies_of(self._entry)

    @property
    def inputs(self) -> dict[str, Any]:
        """The data for its executor, as given; expressions are not filled in."""
        return self._object("inputs")

    @property
    def params(self) -> dict[str, Any]:
        """The configuration of its executor, as given."""
        return self._object("params")

    @property
    def user_id(self) -> str | None:
        """The label of its owner."""
        user_id: str | None = self._other("user_id")
        return user_id

    @property
    def description(self) -> str | None:
        """What it is, for people."""
        description: str | None = self._other("description")
        return description

    @property
    def metadata(self) -> dict[str, Any]:
        """What is kept and shown, and never read."""
        return self._other("metadata") or {}

    # How it goes ---------------------------------------------------------------------------------

    @property
    def status(self) -> TaskStatus:
        """`pending`, `in_progress`, `completed`, `failed`, `cancelled` or `skipped`."""
        view = self._entry.view()
        return TaskStatus.PENDING if view is None else view.status

    @property
    def result(self) -> Any:
        """The JSON value that its executor returned; None while there is none."""
        details = self._entry.details()
        if details is None or details.result is None:
            return None
        return msgspec.json.decode(details.result)

    @property
    def error(self) -> TaskError | None:
        """Why it failed, or why it was not run."""
        view = self._entry.view()
        return None if view is None else view.error

    @property
    def attempts(self) -> int:
        """Its starts so far."""
        view = self._entry.view()
        return 0 if view is None else view.attempts

    @property
    def start_seq(self) -> int | None:
        """The place of its newest start in the order of all starts; None before the first."""
        view = self._entry.view()
        return None if view is None else view.start_seq

    @property
    def created_at(self) -> datetime:
        """When it was made, or its tree was received; aware, UTC."""
        return self._entry.created_at

    @property
    def started_at(self) -> datetime | None:
        """When its newest attempt started; aware, UTC; None before the first."""
        return self._time("started_at")

    @property
    def ended_at(self) -> datetime | None:
        """When it ended; aware, UTC; None before that."""
        return self._time("ended_at")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task):
            return NotImplemented
        mine, others = self._entry, other._entry
        if mine.place is None or others.place is None:
            return mine is others
        return mine.session is others.session and mine.place == others.place

    def __hash__(self) -> int:
        return hash(self._entry.id)

    def __repr__(self) -> str:
        name = "" if self.name == self.id else f" {self.name!r}"
        return f"<Task {self.id}{name} {self.status}>"

    # ---------------------------------------------------------------------------------------------

    def _object(self, field: str) -> dict[str, Any]:
        details = self._entry.details()
        if details is None:
            value: dict[str, Any] = _copy(self._entry.document.get(field, {}))
            return value
        document: bytes | None = getattr(details, field)
        return {} if document is None else msgspec.json.decode(document, type=dict[str, Any])

    def _other(self, field: str) -> Any:
        details = self._entry.details()
        if details is None:
            return _copy(self._entry.document.get(field))
        if details.other is None:
            return None
        return msgspec.json.decode(details.other, type=dict[str, Any]).get(field)

    def _time(self, field: str) -> datetime | None:
        view = self._entry.view()
        value: int | None = None if view is None else getattr(view, field)
        return None if value is None else from_micros(value)


def entry_of(task: Task) -> TaskEntry:
    """Return what all handles of this task share; for modules of the API alone."""
    return task._entry  # pyright: ignore[reportPrivateUsage] - the one door


def _copy(value: Any) -> Any:
    """Return a copy of a JSON value, so that nobody changes a draft by accident."""
    return msgspec.json.decode(msgspec.json.encode(value))
