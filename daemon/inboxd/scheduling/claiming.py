"""The claim: which tasks start now, in which order, recorded before they do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inboxd.running.attempt import Attempt
from inboxd.scheduling.endings import RunningTask
from inboxd.store.claims import claim, put_aside, task_inputs
from inboxd.store.outcomes import StaleOutcome
from inboxd.store.steering import set_priorities
from inboxd.store.tables import TaskFlag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from inboxd.scheduling.memory import Memory
    from inboxd.store.claims import Candidate
    from inboxd.store.trees import OpenTree

__all__ = ["Claims", "claim_tasks"]

#: Tasks without an executor are put aside in at most so many rounds a turn; the next turn goes on.
_ROUNDS = 4


@dataclass(slots=True)
class Claims:
    """What a turn claimed."""

    #: In the order of `start_seq`.
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    running: list[RunningTask] = field(default_factory=list[RunningTask])
    #: Of each attempt.
    trees: list[OpenTree] = field(default_factory=list["OpenTree"])
    #: Trees of which these are the first starts.
    starting_trees: set[int] = field(default_factory=set[int])
    #: Executors that nobody offers, for which tasks were put aside.
    missed: set[str] = field(default_factory=set[str])


def claim_tasks(
    connection: Connection,
    memory: Memory,
    claims: Claims,
    kind: int,
    free: int,
    *,
    now: int,
    executors: Mapping[str, bool],
    default_timeout: float | None,
) -> bool:
    """
    Claim the first tasks for the free places of one kind.

    Args:
        connection: in a transaction of the writer.
        memory: the turns' view of the store.
        claims: what was claimed is added here.
        kind: PlaceKind's number.
        free: how many; >= 1.
        now: microseconds since 1970, UTC.
        executors: those that exist, and whether they look at inputs and params.
        default_timeout: seconds, for tasks that say none.

    Returns:
        Whether more tasks may be claimable than there were places.
    """
    for _ in range(_ROUNDS):
        tasks, exhausted = memory.levels.first_tasks(connection, kind, free, now=now)
        known = [task for task in tasks if task.executor in executors]
        if len(known) < len(tasks):
            aside = [task for task in tasks if task.executor not in executors]
            put_aside(connection, [task.id for task in aside])
            exhausted.extend(task.tree for task in aside)
            claims.missed.update(task.executor for task in aside)
        if known:
            _record(connection, memory, claims, known, now, executors, default_timeout)
        for number in dict.fromkeys(exhausted):
            tree = memory.tree(connection, number)
            if memory.has_levels(tree):
                memory.look_at_levels(connection, tree, now=now)
        if len(tasks) < free:
            # A level of a strict tree may have opened by what was put aside.
            return len(known) < len(tasks)
        free -= len(known)
        if not free:
            return True
    return True


def _record(
    connection: Connection,
    memory: Memory,
    claims: Claims,
    tasks: Sequence[Candidate],
    now: int,
    executors: Mapping[str, bool],
    default_timeout: float | None,
) -> None:
    memory.fetch_trees(connection, {task.tree for task in tasks})
    given = [
        (task.priority, task.id)
        for task in tasks
        if memory.tree(connection, task.tree).priority is not None
    ]
    if given:
        set_priorities(connection, given)
    start_seq = memory.next_start_seq(connection, len(tasks))
    rows = [(start_seq + i, now, task.id, task.attempt) for i, task in enumerate(tasks)]
    if claim(connection, rows) != len(rows):
        raise StaleOutcome
    wanted = [
        task.id
        for task in tasks
        # What they refer to is checked when they start, whoever looks at it afterwards.
        if task.flags & TaskFlag.HAS_REFERENCES
        or (task.flags & TaskFlag.HAS_DETAILS and executors[task.executor])
    ]
    inputs = task_inputs(connection, wanted) if wanted else {}
    for i, task in enumerate(tasks):
        tree = memory.tree(connection, task.tree)
        if tree.started_at is None:
            claims.starting_trees.add(tree.id)
        number = task.attempt + 1
        details = inputs.get(task.id)
        claims.attempts.append(
            Attempt(
                task=task.id,
                tree=task.tree,
                tree_id=tree.public_id,
                task_id=task.local_id,
                position=task.id - tree.first_task,
                number=number,
                start_seq=start_seq + i,
                started_at=now,
                executor=task.executor,
                priority=task.priority,
                timeout_seconds=default_timeout if task.timeout is None else task.timeout,
                inputs=_bytes(details[0]) if details else None,
                params=_bytes(details[1]) if details else None,
                has_references=bool(details and task.flags & TaskFlag.HAS_REFERENCES),
            )
        )
        claims.trees.append(tree)
        claims.running.append(RunningTask(task, number, start_seq + i, now))
        memory.note_running(task.tree, task.priority, task.flags, 1)


def _bytes(document: str | None) -> bytes | None:
    return None if document is None else document.encode()
