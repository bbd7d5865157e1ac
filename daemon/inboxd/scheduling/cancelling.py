"""
A person cancels a task or a tree.

The request is committed, then attempts are ended; from the commit on the outcome is `cancelled`,
whatever an attempt reports, also after a crash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.errors import Conflict
from inboxd.scheduling.endings import CANCELLED
from inboxd.store.edges import mark_cascading
from inboxd.store.steering import cancel_tasks, drop_cascades, request_cancel
from inboxd.store.tables import STATUS_OF_STATE, SweepKind, TaskFlag, TaskState, TreeMark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.scheduling.grip import Grip, Sweep
    from inboxd.store.trees import OpenTree

__all__ = ["Cancelled", "cancel_steps", "cancel_task", "cancel_tree"]

_ERROR = msgspec.json.encode(CANCELLED).decode()

#: Rows a step: some 5 ms.
_ROWS_A_STEP = 1_000


class Cancelled(msgspec.Struct, frozen=True, kw_only=True):
    """What a cancellation did."""

    #: Tasks that were cancelled at once, since they were not in progress.
    ended: int
    #: Attempts that are being ended; their tasks are cancelled when they are gone.
    ending: int
    #: It was being cancelled already.
    already: bool = False


def cancel_task(grip: Grip, number: int) -> Cancelled:
    """
    Cancel one task.

    Raises:
        NotFound: there is no such task.
        Conflict: it has ended.
    """
    task, tree = grip.task(number)
    label = f"{tree.public_id}/{task.local_id}"
    if task.state >= TaskState.COMPLETED:
        status = STATUS_OF_STATE[task.state].value
        raise Conflict(
            f"{label}: it has ended ({status}), so there is nothing to cancel; "
            "retry it to make it run again"
        )
    if tree.marks & TreeMark.RETRIED:
        raise Conflict(f"{label}: its tree is being made ready to run again; try again in a moment")
    if task.state == TaskState.IN_PROGRESS:
        already = bool(tree.marks & TreeMark.CANCELLED) or task.id in grip.memory.cancelling
        if not already:
            request_cancel(grip.connection, task.id)
            grip.memory.cancelling.add(task.id)
        grip.cut(tree, [grip.memory.running[task.id]])
        return Cancelled(ended=0, ending=1, already=already)
    if tree.marks & TreeMark.CANCELLED:
        return Cancelled(ended=0, ending=0, already=True)
    cancel_tasks(grip.connection, task.id, task.id + 1, error=_ERROR, now=grip.turn.now)
    grip.turn.change(tree.id).cancelled += 1
    if task.flags & TaskFlag.HAS_DEPENDANTS:
        mark_cascading(grip.connection, [(0, task.id)])
        grip.memory.cascading = True
    if tree.strict and task.state == TaskState.WAITING and task.attempt:
        grip.memory.levels.retry_waits(tree.id, task.priority, -1)
    grip.reopen_levels(tree)
    return Cancelled(ended=1, ending=0)


def cancel_tree(grip: Grip, number: int) -> Cancelled:
    """
    Cancel all of a tree that has not ended, `end` dependants too.

    Raises:
        NotFound: there is no such tree.
        Conflict: it has ended.
    """
    tree = grip.tree(number)
    running = grip.running(tree)
    if tree.marks & TreeMark.CANCELLED:
        grip.cut(tree, running)
        return Cancelled(ended=0, ending=len(running), already=True)
    is_over = not grip.open_tasks(tree) and not tree.marks & TreeMark.RETRIED
    if is_over or grip.has_ended(tree):
        raise Conflict(
            f"{tree.public_id}: it has ended, so there is nothing to cancel; "
            "retry it to make what failed or was cancelled run again"
        )
    if grip.memory.is_small(tree) and not tree.marks & TreeMark.RETRIED:
        waiting = _cancel(grip, tree, tree.first_task, tree.first_task + tree.task_count)
    else:
        waiting = grip.open_tasks(tree) - len(running)
        grip.sweeps.add(grip.connection, tree, SweepKind.CANCEL)
    grip.mark(tree, TreeMark.CANCELLED)
    drop_cascades(grip.connection, tree.id)
    grip.memory.levels.set_retrying(tree.id, {})
    grip.cut(tree, running)
    return Cancelled(ended=waiting, ending=len(running))


def cancel_steps(grip: Grip, sweep: Sweep) -> Iterator[int]:
    """Cancel the tasks of a large tree that are not in progress, a step at a time."""
    tree = grip.tree(sweep.row.tree)
    end = tree.first_task + tree.task_count
    while sweep.row.next < end and tree.marks & TreeMark.CANCELLED:
        upto = min(sweep.row.next + _ROWS_A_STEP, end)
        _cancel(grip, tree, sweep.row.next, upto)
        cost = upto - sweep.row.next
        sweep.row.next = upto
        yield cost
        tree = grip.tree(sweep.row.tree)
    grip.sweeps.remove(grip.connection, sweep)


def _cancel(grip: Grip, tree: OpenTree, first: int, end: int) -> int:
    count = cancel_tasks(grip.connection, first, end, error=_ERROR, now=grip.turn.now)
    grip.turn.change(tree.id).cancelled += count
    return count
