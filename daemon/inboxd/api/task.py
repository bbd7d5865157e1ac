"""`Task`: a live handle of one task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.array.task_values import retry_policy
from inboxd.array.values import time_micros
from inboxd.clock import from_micros
from inboxd.durations import duration_seconds
from inboxd.known_as import called
from inboxd.task import Delivery, Join, RetryPolicy, TaskStatus

if TYPE_CHECKING:
    from datetime import datetime

    from inboxd.api.entry import TaskEntry
    from inboxd.task import TaskError

__all__ = ["Task", "entry_of"]

_DEFAULT_PRIORITY = 2
_ONE_ATTEMPT = RetryPolicy()


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
    def join(self) -> Join:
        """Whether every edge must hold before it starts, or one: `all` or `any`."""
        view = self._entry.view()
        if view is not None:
            return Join.ANY if view.join_any else Join.ALL
        return Join(self._entry.document.get("join", Join.ALL))

    @property
    def allow_failure(self) -> bool:
        """True: its failure does not make the tree fail."""
        view = self._entry.view()
        if view is not None:
            return view.allow_failure
        return bool(self._entry.document.get("allow_failure", False))

    @property
    def retry(self) -> RetryPolicy:
        """How often and how soon a failed attempt is followed by another; durations in seconds."""
        view = self._entry.view()
        policy = retry_policy(self._entry.fields().retry) if view is None else view.retry
        return policy or _ONE_ATTEMPT

    @property
    def timeout(self) -> float | None:
        """Seconds that each attempt may take; None: no limit of its own."""
        view = self._entry.view()
        if view is not None:
            return view.timeout_seconds
        timeout = self._entry.document.get("timeout")
        return None if timeout is None else duration_seconds(timeout)

    @property
    def not_before(self) -> datetime | None:
        """Its earliest start; aware, UTC; None: none is given."""
        written = self._other("not_before")
        moment = None if written is None else time_micros(written)
        return None if moment is None else from_micros(moment)

    @property
    def hold(self) -> bool:
        """True: once otherwise ready it waits for a person's release (`TaskManager.release`)."""
        view = self._entry.view()
        if view is not None:
            return view.hold
        return bool(self._entry.document.get("hold", False))

    @property
    def delivery(self) -> Delivery:
        """Whether an attempt that a crash cut is made again: `at_least_once`, `at_most_once`."""
        view = self._entry.view()
        if view is not None:
            return Delivery.AT_MOST_ONCE if view.at_most_once else Delivery.AT_LEAST_ONCE
        return Delivery(self._entry.document.get("delivery", Delivery.AT_LEAST_ONCE))

    @property
    def parent_id(self) -> str | None:
        """The id of its parent in the tree; it orders nothing."""
        return self._entry.parent_id()

    @property
    def dependencies(self) -> list[dict[str, Any]]:
        """
        Its edges, each `{"id", "on"}`; `on` is `success`, `failure` or `end`.

        A draft may depend on what is not there yet; then the id is the reference as it was given.
        """
        return [{"id": before, "on": on.value} for before, on in self._entry.edges()]

    @property
    def inputs(self) -> dict[str, Any]:
        """The data for its executor, as given; expressions are not filled in."""
        return self._object("inputs")

    @property
    def params(self) -> dict[str, Any]:
        """The configuration of its executor, as given."""
        return self._object("params")

    @property
    def schemas(self) -> dict[str, Any]:
        """What it says of its executor: `method`, `input_schema`."""
        return self._other("schemas") or {}

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

    @property
    def extra(self) -> dict[str, Any]:
        """Its `x-…` fields, which are kept and never read."""
        details = self._entry.details()
        kept = _decoded(details.other) if details is not None else _copy(self._entry.document)
        return {key: value for key, value in kept.items() if key.startswith("x-")}

    # How it goes ---------------------------------------------------------------------------------

    @property
    def status(self) -> TaskStatus:
        """`pending`, `in_progress`, `completed`, `failed`, `cancelled` or `skipped`."""
        view = self._entry.view()
        return TaskStatus.PENDING if view is None else view.status

    @property
    def result(self) -> Any:
        """The JSON value that its executor returned; None while there is none."""
        result = self._entry.result()
        return None if result is None else msgspec.json.decode(result)

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
    def progress(self) -> float | None:
        """How far it is, 0.0 to 1.0, as its attempt said last; 1.0: completed; None: not known."""
        view = self._entry.view()
        if view is None:
            return None
        if view.status is TaskStatus.IN_PROGRESS:
            return self._entry.session.progress_of(view)
        return 1.0 if view.status is TaskStatus.COMPLETED else None

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
        # All handles of a task have one entry, from its draft on.
        return self._entry is other._entry if isinstance(other, Task) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._entry)

    def __repr__(self) -> str:
        name = self.name
        shown = called(self.id, name)
        if shown == self.id and name != shown:
            shown = f"{shown} {name!r}"
        return f"<Task {shown} {self.status}>"

    # ---------------------------------------------------------------------------------------------

    def _object(self, field: str) -> dict[str, Any]:
        details = self._entry.details()
        if details is None:
            value: dict[str, Any] = _copy(self._entry.document.get(field, {}))
            return value
        return _decoded(getattr(details, field))

    def _other(self, field: str) -> Any:
        details = self._entry.details()
        if details is None:
            return _copy(self._entry.document.get(field))
        return _decoded(details.other).get(field)

    def _time(self, field: str) -> datetime | None:
        view = self._entry.view()
        value: int | None = None if view is None else getattr(view, field)
        return None if value is None else from_micros(value)


def entry_of(task: Task) -> TaskEntry:
    """Return what all handles of this task share; for modules of the API alone."""
    return task._entry  # pyright: ignore[reportPrivateUsage] - the one door


def _decoded(document: bytes | None) -> dict[str, Any]:
    return {} if document is None else msgspec.json.decode(document, type=dict[str, Any])


def _copy(value: Any) -> Any:
    """Return a copy of a JSON value, so that nobody changes a draft by accident."""
    return msgspec.json.decode(msgspec.json.encode(value))
