"""
A person pauses or resumes everything or one tree, or gives what has not started another priority.

A pause is a mark, at once whatever the size: nothing new starts, what runs goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.errors import Conflict
from inboxd.store.steering import prioritise_tasks, set_paused, set_tree_priority
from inboxd.store.tables import STATUS_OF_STATE, SweepKind, TaskState, TreeMark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.scheduling.grip import Grip, Sweep
    from inboxd.store.trees import OpenTree

__all__ = [
    "Paused",
    "Prioritised",
    "pause",
    "pause_tree",
    "priority_steps",
    "resume",
    "resume_tree",
    "set_task_priority",
    "set_tree_priority_to",
]

#: Rows a step: some 5 ms.
_ROWS_A_STEP = 1_000


class Paused(msgspec.Struct, frozen=True, kw_only=True):
    """What a pause, or its end, did."""

    #: False: it was so already.
    changed: bool
    #: Attempts in progress, which go on.
    running: int


class Prioritised(msgspec.Struct, frozen=True, kw_only=True):
    """What a new priority is of: so many tasks that have not started."""

    tasks: int


def pause(grip: Grip) -> Paused:
    """Pause everything, also over restarts."""
    return _set(grip, paused=True)


def resume(grip: Grip) -> Paused:
    """End the pause of everything; trees that were paused by themselves stay so."""
    return _set(grip, paused=False)


def _set(grip: Grip, *, paused: bool) -> Paused:
    changed = grip.memory.paused is not paused
    if changed:
        set_paused(grip.connection, paused=paused)
        grip.memory.paused = paused
        grip.turn.claimable.update((0, 1))
    return Paused(changed=changed, running=grip.running_count)


def pause_tree(grip: Grip, number: int) -> Paused:
    """
    Pause a tree.

    Raises:
        NotFound: there is no such tree.
        Conflict: it has ended.
    """
    tree = _open_tree(grip, number, "pause")
    changed = not tree.marks & TreeMark.PAUSED
    if changed:
        grip.mark(tree, TreeMark.PAUSED)
    return Paused(changed=changed, running=len(grip.running(tree)))


def resume_tree(grip: Grip, number: int) -> Paused:
    """
    End the pause of a tree.

    Raises:
        NotFound: there is no such tree.
        Conflict: it has ended, or it is not paused but left over.
    """
    tree = _open_tree(grip, number, "resume")
    changed = bool(tree.marks & TreeMark.PAUSED)
    if not changed and tree.marks & TreeMark.LEFT_OVER:
        raise Conflict(
            f"{tree.public_id}: it is not paused, but was left over by an earlier process; "
            "retry it to run the rest of it"
        )
    if changed:
        grip.unmark(tree, TreeMark.PAUSED)
    return Paused(changed=changed, running=len(grip.running(tree)))


def _open_tree(grip: Grip, number: int, verb: str) -> OpenTree:
    tree = grip.tree(number)
    if grip.has_ended(tree) and not tree.marks & TreeMark.RETRIED:
        raise Conflict(f"{tree.public_id}: it has ended, so there is nothing to {verb}")
    return tree


def set_task_priority(grip: Grip, number: int, priority: int) -> Prioritised:
    """
    Give a task that has not started another priority.

    Raises:
        NotFound: there is no such task.
        Conflict: it has started, or its tree is just being given another priority.
    """
    task, tree = grip.task(number)
    label = f"{tree.public_id}/{task.local_id}"
    if task.state >= TaskState.IN_PROGRESS:
        status = STATUS_OF_STATE[task.state].value.replace("_", " ")
        raise Conflict(f"{label}: it is {status}; only what has not started has a priority to set")
    if tree.priority is not None:
        raise Conflict(
            f"{label}: all of its tree is just being given priority {tree.priority}; "
            "try again in a moment"
        )
    prioritise_tasks(grip.connection, task.id, task.id + 1, priority=priority)
    if tree.strict:
        grip.recount(tree)
    grip.reopen_levels(tree)
    return Prioritised(tasks=1)


def set_tree_priority_to(grip: Grip, number: int, priority: int) -> Prioritised:
    """
    Give all of a tree that has not started another priority; it counts at once.

    Raises:
        NotFound: there is no such tree.
        Conflict: it has ended.
    """
    tree = _open_tree(grip, number, "give a priority")
    if grip.memory.is_small(tree):
        end = tree.first_task + tree.task_count
        count = prioritise_tasks(grip.connection, tree.first_task, end, priority=priority)
        if tree.strict:
            grip.recount(tree)
    else:
        # Those who claim by level believe the tree's row before the tasks' rows.
        count = grip.open_tasks(tree) - len(grip.running(tree))
        for sweep in grip.sweeps.of(tree.id):
            if sweep.row.kind == SweepKind.PRIORITY:
                grip.sweeps.remove(grip.connection, sweep)
        tree.priority = priority
        set_tree_priority(grip.connection, tree.id, priority)
        grip.sweeps.add(grip.connection, tree, SweepKind.PRIORITY, value=priority)
    grip.reopen_levels(tree)
    return Prioritised(tasks=count)


def priority_steps(grip: Grip, sweep: Sweep) -> Iterator[int]:
    """Write a large tree's new priority into its tasks' rows, a step at a time."""
    row = sweep.row
    tree = grip.tree(row.tree)
    end = tree.first_task + tree.task_count
    assert row.value is not None  # noqa: S101 - a priority's sweep has one
    while row.next < end and tree.priority is not None:
        upto = min(row.next + _ROWS_A_STEP, end)
        prioritise_tasks(grip.connection, row.next, upto, priority=row.value)
        cost = upto - row.next
        row.next = upto
        # The rows have moved to another level, which the claim of this turn must know.
        grip.turn.dirty.add(tree.id)
        yield cost
        tree = grip.tree(row.tree)
    grip.sweeps.remove(grip.connection, sweep)
    if tree.priority is not None:
        tree.priority = None
        set_tree_priority(grip.connection, tree.id, None)
    if tree.strict:
        grip.recount(tree)
    grip.reopen_levels(tree)
