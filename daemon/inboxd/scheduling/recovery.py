"""
What a daemon that ended without a word left behind, put right before the first turn.

A tree that was never accepted is deleted, since its file is taken again; an attempt in progress was
cut: its processes are ended first, so that no two attempts of one task live at once, and then it is
an outcome like any other.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from inboxd.failpoints import failpoint
from inboxd.running.attempt import Attempt
from inboxd.scheduling.endings import (
    RunningTask,
    cancelled_end,
    decide_outcome,
    left_over_end,
)
from inboxd.store.acceptance import SMALL_TREE, delete_unaccepted_trees
from inboxd.store.claims import Candidate, restore_executors
from inboxd.store.edges import mark_cascading
from inboxd.store.outcomes import (
    AttemptEnd,
    RequeuedTask,
    end_tasks,
    interrupted_tasks,
    record_attempts,
    requeue_tasks,
)
from inboxd.store.steering import left_over_trees, mark_left_over, open_tasks, set_marks
from inboxd.store.sweeps import drop_unanswered_retries
from inboxd.store.tables import TaskFlag, TaskState, TreeMark
from inboxd.store.trees import TreeChange, change_trees, load_trees
from inboxd.task import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from inboxd.clock import Clock
    from inboxd.scheduling.turn import TurnListener
    from inboxd.store.outcomes import InterruptedTask

__all__ = ["recover"]

logger = logging.getLogger(__name__)


def recover(
    connection: Connection,
    *,
    end_leftovers: Callable[[Sequence[tuple[str, int, int]]], None],
    clock: Clock,
    max_interruptions: int,
    executors: Mapping[str, bool],
    listener: TurnListener | None = None,
    run_left_over: bool = True,
    small_tree: int = SMALL_TREE,
) -> None:
    """
    Put right what an earlier daemon left; safe to call again after it was cut itself.

    Args:
        connection: the writer's; nothing else uses the store yet.
        end_leftovers: ends what still lives of attempts, each (tree's public id, position in
            the file, attempt's number), and returns when it is gone.
        clock: the time.
        max_interruptions: crashes after which a task is not run again.
        executors: those that exist; tasks that wait for one of them may run again.
        listener: is told of the attempts that were cut, after the commit.
        run_left_over: False: nothing that is unfinished goes on by itself: attempts that were cut
            fail as `interrupted`, and every tree that has not ended is left over, until a person
            retries it.
        small_tree: as in `Turns`.
    """
    with connection.begin():
        deleted = delete_unaccepted_trees(connection)
        restored = restore_executors(connection, list(executors))
        interrupted = interrupted_tasks(connection)
    if interrupted:
        end_leftovers([(one.tree_id, one.position, one.row[_ATTEMPT]) for one in interrupted])
    failpoint("after_leftovers")
    now = clock.now_micros()
    cut: list[tuple[Attempt, AttemptEnd | RequeuedTask]] = []
    with connection.begin():
        numbers = {one.row[_TREE] for one in interrupted}
        trees = {tree.id: tree for tree in load_trees(connection, numbers)}
        ends: list[AttemptEnd] = []
        requeued: list[RequeuedTask] = []
        history: list[tuple[int, int, int, int, int, str, str | None]] = []
        changes: dict[int, TreeChange] = {}
        cascading: list[tuple[int | None, int]] = []
        for one in interrupted:
            task = Candidate(*one.row)
            running = RunningTask(task, task.attempt, one.start_seq, one.started_at)
            is_tree_cancelled = bool(trees[task.tree].marks & TreeMark.CANCELLED)
            end: AttemptEnd | RequeuedTask
            if is_tree_cancelled or task.flags & TaskFlag.CANCEL_REQUESTED:
                end = cancelled_end(running, ended_at=now)
            elif run_left_over:
                end = decide_outcome(
                    running,
                    Interrupted(counts=True),
                    ended_at=now,
                    max_interruptions=max_interruptions,
                    chance=0.5,
                )
            else:
                end = left_over_end(running, ended_at=now)
            cut.append((_attempt(one, task), end))
            name = "cancelled" if end.state is TaskState.CANCELLED else "interrupted"
            history.append((task.id, task.attempt, one.start_seq, one.started_at, now, name, None))
            if isinstance(end, RequeuedTask):
                requeued.append(end)
                continue
            ends.append(end)
            change = changes.setdefault(task.tree, TreeChange())
            if end.state is TaskState.CANCELLED:
                change.cancelled += 1
            elif task.flags & TaskFlag.ALLOW_FAILURE:
                change.tolerated += 1
            else:
                change.failed += 1
            if task.flags & TaskFlag.HAS_DEPENDANTS and not is_tree_cancelled:
                cascading.append((0, task.id))
        end_tasks(connection, ends)
        requeue_tasks(connection, requeued)
        if history:
            record_attempts(connection, history)
        if cascading:
            mark_cascading(connection, cascading)
        if changes:
            change_trees(connection, changes.items(), now)
        if run_left_over:
            _take_up(connection, small_tree, now)
        else:
            drop_unanswered_retries(connection)
            mark_left_over(connection, small_tree)
        failpoint("before_recovery_commit")
    failpoint("after_recovery_commit")
    if listener is not None:
        for attempt, end in cut:
            listener.attempt_ended(attempt, end, trees[attempt.tree])
    if deleted or interrupted or restored:
        logger.info(
            "recovered: attempts cut %d, of them run again %d; half-read files taken again %d",
            len(interrupted),
            len(requeued),
            deleted,
            extra={
                "event": "recovered",
                "interrupted": len(interrupted),
                "requeued": len(requeued),
                "unaccepted": deleted,
                "executors_restored": restored,
            },
        )


def _take_up(connection: Connection, small_tree: int, now: int) -> None:
    """Let trees go on that a process left over which did not run what it found."""
    for tree, marks, first, count in left_over_trees(connection):
        rest = marks & ~TreeMark.LEFT_OVER
        set_marks(connection, tree, rest)
        if not rest and count <= small_tree:
            open_tasks(connection, first, first + count, now=now)


def _attempt(one: InterruptedTask, task: Candidate) -> Attempt:
    return Attempt(
        task=task.id,
        tree=task.tree,
        tree_id=one.tree_id,
        task_id=task.local_id,
        position=one.position,
        number=task.attempt,
        start_seq=one.start_seq,
        started_at=one.started_at,
        executor=task.executor,
    )


#: Where `Candidate` has its tree, and the attempt's number.
_TREE = Candidate.__struct_fields__.index("tree")
_ATTEMPT = Candidate.__struct_fields__.index("attempt")
