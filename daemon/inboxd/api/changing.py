"""Changing tasks: a draft wholly, one that was distributed while that does no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from inboxd.api.given_fields import as_written, checked
from inboxd.api.task import Task
from inboxd.errors import Conflict
from inboxd.task import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.api.entry import TaskEntry

__all__ = ["change_draft", "change_stored", "delete_draft"]

#: What is kept of a task and never read.
_LABELS = frozenset({"description", "metadata", "user_id"})
#: What may change of a task whose tree was distributed.
_CHANGEABLE = _LABELS | {"priority"}

_DEFAULT_PRIORITY = 2


def change_draft(entry: TaskEntry, changes: Mapping[str, Any], extra: Any) -> None:
    """
    Change fields of a draft.

    Args:
        entry: a draft.
        changes: by field, as a program gives them; None: the default.
        extra: all its `x-…` fields from now on; None: it has none; UNSET: they stay.

    Raises:
        InvalidTaskArray: it would be wrong; nothing was changed.
        Conflict: it was deleted, or is being distributed.
    """
    _refuse_what_is_no_draft(entry)
    kept = {
        key: value
        for key, value in entry.document.items()
        if key not in changes and (extra is UNSET or not key.startswith("x-"))
    }
    given = {key: value for key, value in changes.items() if value is not None}
    own = None if extra is UNSET else extra
    document = checked(entry.id, {**kept, **as_written(given)}, extra=own)
    entry.session.drafts.replace(entry, document)


async def change_stored(entry: TaskEntry, changes: Mapping[str, Any], *, has_extra: bool) -> None:
    """
    Change fields of a task in the store.

    Args:
        entry: in the store.
        changes: as for a draft.
        has_extra: whether `x-…` fields are to change too.

    Raises:
        InvalidTaskArray: it would be wrong; nothing was changed.
        Conflict: this cannot change any more; nothing was changed.
        SessionClosed: the session was closed meanwhile.
    """
    refused = sorted(changes.keys() - _CHANGEABLE) + ["extra"] * has_extra
    place = entry.place
    if refused or place is None:
        raise Conflict(
            f"task {entry.called()} was distributed: {', '.join(refused)} cannot change any more"
        )
    status = Task(entry).status
    if status is not TaskStatus.PENDING:
        raise Conflict(f"task {entry.called()} is {status}: it is changed only while it is pending")
    given = {key: value for key, value in changes.items() if value is not None}
    written = checked(entry.id, as_written(given))
    stored = entry.session.stored
    if "priority" in changes:
        # First, since it is what may be refused because the task has started.
        await stored.set_priority(place, written.get("priority", _DEFAULT_PRIORITY))
    labels = {key: written.get(key) for key in changes if key in _LABELS}
    if labels:
        await stored.change_labels(place, labels, only_pending="priority" not in changes)


def delete_draft(entry: TaskEntry) -> None:
    """
    Delete a draft.

    Raises:
        Conflict: others name it, or it is no draft any more.
    """
    if entry.place is not None:
        raise Conflict(
            f"task {entry.called()} is in tree {entry.place.tree_id}, which was distributed,"
            " and is kept with it; `TaskManager.cancel` ends what has not ended"
        )
    _refuse_what_is_no_draft(entry)
    drafts = entry.session.drafts
    referring = drafts.referring_to(entry)
    if referring:
        names = ", ".join(other.called() for other in referring[:3])
        raise Conflict(
            f"task {entry.called()} is the parent or a dependency of other drafts:"
            f" {names}{', …' if len(referring) > 3 else ''}; change or delete those first"
        )
    drafts.forget([entry])


def _refuse_what_is_no_draft(entry: TaskEntry) -> None:
    session = entry.session
    if session.drafts.get(entry.id, group=entry.group) is not entry:
        raise Conflict(f"the draft {entry.called()} was deleted")
    if session.is_accepting(entry):
        raise Conflict(f"task {entry.called()} is being distributed")
