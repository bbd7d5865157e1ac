"""What a turn writes of the past: outcomes of attempts, and the counts of their trees."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from inboxd.readiness import Ending, tree_status
from inboxd.scheduling.cascade import EndedTask
from inboxd.scheduling.endings import cancelled_end, decide_outcome, outcome_name
from inboxd.scheduling.turn import EndedTree
from inboxd.store.edges import mark_cascading
from inboxd.store.outcomes import (
    AttemptEnd,
    RequeuedTask,
    end_tasks,
    record_attempts,
    requeue_tasks,
)
from inboxd.store.owed_hooks import owe_hooks
from inboxd.store.tables import TaskFlag, TaskState, TreeMark
from inboxd.store.trees import change_trees, end_trees
from inboxd.task import TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from inboxd.scheduling.memory import Memory
    from inboxd.scheduling.turn import Turn

__all__ = ["record_outcomes", "record_trees"]

logger = logging.getLogger(__name__)


def record_outcomes(
    connection: Connection,
    memory: Memory,
    turn: Turn,
    *,
    max_interruptions: int,
    chance: Callable[[], float],
) -> list[EndedTask]:
    """
    Write the outcomes of a turn, each only if it is of the attempt in progress.

    Args:
        connection: in a transaction of the writer.
        memory: the turns' view of the store.
        turn: with the outcomes; what became of them is added to it.
        max_interruptions: crashes after which a task is not run again.
        chance: gives 0 <= chance < 1, for the jitter of delays.

    Returns:
        The tasks that ended and have dependants.

    Raises:
        StaleOutcome: the store is not what the memory believes; nothing is to be committed.
    """
    ends: list[AttemptEnd] = []
    requeued: list[RequeuedTask] = []
    history: list[tuple[int, int, int, int, int, str, str | None]] = []
    cascading: list[EndedTask] = []
    #: Their edges are decided when the tree's retry is through.
    frozen: list[tuple[int | None, int]] = []
    seen: set[int] = set()
    for attempt, outcome, ended_at in turn.outcomes:
        running = memory.running.get(attempt.task)
        if running is None or running.number != attempt.number or attempt.task in seen:
            logger.debug("late outcome ignored", extra={"event": "late_outcome"})
            continue
        seen.add(attempt.task)
        task = running.task
        tree = memory.tree(connection, task.tree)
        is_tree_cancelled = bool(tree.marks & TreeMark.CANCELLED)
        if is_tree_cancelled or task.id in memory.cancelling:
            end: AttemptEnd | RequeuedTask = cancelled_end(running, ended_at=ended_at)
            name = TaskErrorCode.CANCELLED.value
        else:
            end = decide_outcome(
                running,
                outcome,
                ended_at=ended_at,
                max_interruptions=max_interruptions,
                chance=chance(),
            )
            name = outcome_name(outcome)
        turn.taken.append((attempt, end, tree))
        history.append(
            (
                task.id,
                running.number,
                running.start_seq,
                running.started_at,
                ended_at,
                name,
                end.error,
            )
        )
        if task.flags & TaskFlag.STRICT:
            memory.note_running(task.tree, task.priority, task.flags, -1)
            turn.dirty.add(task.tree)
        if isinstance(end, RequeuedTask):
            requeued.append(end)
            turn.dirty.add(task.tree)
            turn.claimable.add(task.kind)
            if end.state is TaskState.WAITING:
                memory.waits_until(end.due_at)
            if end.state is TaskState.WAITING and task.flags & TaskFlag.STRICT:
                memory.levels.retry_waits(task.tree, task.priority, 1)
            continue
        ends.append(end)
        change = turn.change(task.tree)
        if end.state is TaskState.COMPLETED:
            change.completed += 1
            ending = Ending.COMPLETED
        elif end.state is TaskState.CANCELLED:
            change.cancelled += 1
            ending = Ending.CANCELLED
        else:
            ending = Ending.FAILED
            if task.flags & TaskFlag.ALLOW_FAILURE:
                change.tolerated += 1
            else:
                change.failed += 1
        if not task.flags & TaskFlag.HAS_DEPENDANTS or is_tree_cancelled:
            continue  # all of a tree that is cancelled is cancelled, whatever the edges
        if task.tree in memory.frozen:
            frozen.append((0, task.id))
        else:
            cascading.append(EndedTask(task.id, task.tree, ending, task.id))
    end_tasks(connection, ends)
    requeue_tasks(connection, requeued)
    if frozen:
        mark_cascading(connection, frozen)
    if history:
        record_attempts(connection, history)
    return cascading


def record_trees(
    connection: Connection, memory: Memory, turn: Turn, *, owed_plugins: Sequence[str] = ()
) -> None:
    """Write the counts of the trees that a turn changed, and which ended and whom to tell that."""
    if not turn.changes:
        return
    memory.fetch_trees(connection, turn.changes)
    change_trees(connection, turn.changes.items(), turn.now)
    for number, change in turn.changes.items():
        tree = memory.tree(connection, number)
        tree.open -= change.ended
        tree.failed += change.failed
        tree.cancelled += change.cancelled
        if tree.started_at is None:
            tree.started_at = turn.now
        if tree.open == 0 and not tree.marks & TreeMark.RETRIED:
            status = tree_status(
                open_tasks=0, started=True, failed=tree.failed, cancelled=tree.cancelled
            )
            turn.ended.append(EndedTree(tree, status.value, turn.now))
    if turn.ended:
        end_trees(connection, [(one.tree.id, one.status, one.ended_at) for one in turn.ended])
    if turn.ended and owed_plugins:
        owe_hooks(connection, owed_plugins, [(one.tree.id, one.ended_at) for one in turn.ended])
