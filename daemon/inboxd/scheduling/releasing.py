"""
A person releases a task that its file holds: nothing else keeps it from starting from then on.

The release may come before the task is otherwise ready. It is kept over restarts and retries of an
attempt; when a person makes the task run again, that asks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.errors import Conflict
from inboxd.store.steering import mark_released
from inboxd.store.tables import STATUS_OF_STATE, TaskFlag, TaskState, TreeMark

if TYPE_CHECKING:
    from inboxd.scheduling.grip import Grip

__all__ = ["Released", "release_task"]


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """What a release did."""

    #: True: the task waits for its dependencies still, and is not held after them; False: only its
    #: `not_before`, places or a pause may keep it from starting now.
    early: bool


def release_task(grip: Grip, number: int) -> Released:
    """
    Release one task.

    Raises:
        NotFound: there is no such task.
        Conflict: it has no `hold`, was released already, is in progress or has ended; or its tree
            is being cancelled or made ready to run again.
    """
    task, tree = grip.task(number)
    label = f"{tree.public_id}/{task.local_id}"
    if not task.flags & TaskFlag.HOLD:
        raise Conflict(f"{label}: it has no `hold`, so there is nothing to release")
    if tree.marks & TreeMark.RETRIED:
        raise Conflict(f"{label}: its tree is being made ready to run again; try again in a moment")
    if task.state >= TaskState.COMPLETED:
        status = STATUS_OF_STATE[task.state].value
        raise Conflict(f"{label}: it has ended ({status}), so there is nothing to release")
    if tree.marks & TreeMark.CANCELLED:
        raise Conflict(f"{label}: its tree is being cancelled, so there is nothing to release")
    if task.flags & TaskFlag.RELEASED:
        is_running = task.state == TaskState.IN_PROGRESS
        raise Conflict(
            f"{label}: it was released already{' and is in progress' if is_running else ''}"
        )
    mark_released(
        grip.connection,
        task.id,
        accepted_at=tree.accepted_at,
        acceptance=tree.acceptance,
        now=grip.turn.now,
    )
    if task.state == TaskState.BLOCKED:
        return Released(early=True)
    if tree.strict and not tree.marks:
        grip.recount(tree)
    grip.reopen_levels(tree)
    return Released(early=False)
