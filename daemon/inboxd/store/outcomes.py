"""
How attempts end in the store: compare-and-set on (status, attempt), and a row of history.

The attempt in progress is recorded in its task's row before it is handed over; `attempts` gets a
row when it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.store.statements import execute_many, fetch
from inboxd.store.tables import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

__all__ = [
    "AttemptEnd",
    "InterruptedTask",
    "RequeuedTask",
    "StaleOutcome",
    "end_tasks",
    "give_back",
    "interrupted_tasks",
    "record_attempts",
    "requeue_tasks",
    "tasks_in_progress",
]


class StaleOutcome(Exception):
    """An outcome does not match (status, attempt) in the store: the turn must look at each."""


class AttemptEnd(msgspec.Struct, frozen=True):
    """The task's attempt was its last: the columns in the order of the statement."""

    state: TaskState
    result: str | None
    error: str | None
    ended_at: int
    failures: int
    interruptions: int
    task: int
    attempt: int


class RequeuedTask(msgspec.Struct, frozen=True):
    """Another attempt follows: the columns in the order of the statement."""

    #: `WAITING` until `due_at`, or `READY`; the row is parked instead if it is claimed by level.
    state: TaskState
    due_at: int
    result: str | None
    error: str | None
    failures: int
    interruptions: int
    task: int
    attempt: int


def end_tasks(connection: Connection, ends: Sequence[AttemptEnd]) -> None:
    """
    Give tasks in progress their terminal state.

    Raises:
        StaleOutcome: one of them is not in progress with that attempt; nothing is to be committed.
    """
    _expect_all(
        connection,
        "UPDATE tasks SET state = ?, result = ?, error = ?, ended_at = ?, failures = ?,"
        " interruptions = ? WHERE id = ? AND attempt = ? AND state = 10",
        [
            (
                end.state.value,
                end.result,
                end.error,
                end.ended_at,
                end.failures,
                end.interruptions,
                end.task,
                end.attempt,
            )
            for end in ends
        ],
    )


def requeue_tasks(connection: Connection, requeued: Sequence[RequeuedTask]) -> None:
    """
    Give tasks in progress back for another attempt.

    Raises:
        StaleOutcome: one of them is not in progress with that attempt; nothing is to be committed.
    """
    _expect_all(
        connection,
        # A row of a large tree learns its order of acceptance only here.
        "UPDATE tasks SET state = CASE WHEN ?1 = 3 AND flags & 264 <> 256 THEN 3"
        " WHEN flags & 264 THEN 1 ELSE 2 END,"
        " due_at = CASE WHEN flags & 264 AND ?2 <= (SELECT accepted_at FROM trees"
        " WHERE id = tasks.tree) THEN 0 ELSE ?2 END, result = ?, error = ?, failures = ?,"
        " interruptions = ?, acceptance = (SELECT acceptance FROM trees WHERE id = tasks.tree)"
        " WHERE id = ? AND attempt = ? AND state = 10",
        [
            (
                one.state.value,
                one.due_at,
                one.result,
                one.error,
                one.failures,
                one.interruptions,
                one.task,
                one.attempt,
            )
            for one in requeued
        ],
    )


def record_attempts(
    connection: Connection,
    rows: Sequence[tuple[int, int, int, int, int, str, str | None]],
) -> None:
    """Add history: (task, number, start_seq, started_at, ended_at, outcome, error) of each."""
    execute_many(
        connection,
        "INSERT INTO attempts (task, number, start_seq, started_at, ended_at, outcome, error)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        list(rows),
    )


def tasks_in_progress(connection: Connection) -> list[tuple[int, int]]:
    """Return (task, attempt) of every task that the store says is in progress."""
    rows = fetch(
        connection, "SELECT id, attempt FROM tasks INDEXED BY tasks_in_progress WHERE state = 10"
    )
    return [(row[0], row[1]) for row in rows]


class InterruptedTask(msgspec.Struct, frozen=True):
    """A task in progress that nobody runs, as a daemon that ended left it."""

    tree_id: str
    position: int
    start_seq: int
    started_at: int
    #: The columns of `store.claims.Candidate`; times and order as far as the tree knows them.
    row: tuple[Any, ...]


def interrupted_tasks(connection: Connection) -> list[InterruptedTask]:
    """Return every task in progress; for a start, when nobody runs any."""
    rows = fetch(
        connection,
        "SELECT r.public_id, t.id - r.first_task, t.start_seq, t.started_at,"
        " t.id, t.tree, t.kind, t.priority, max(t.due_at, r.accepted_at), r.acceptance,"
        " t.local_id, t.flags, t.executor, t.retry, t.timeout, t.attempt, t.failures,"
        " t.interruptions FROM tasks AS t INDEXED BY tasks_in_progress"
        " JOIN trees AS r ON r.id = t.tree WHERE t.state = 10",
    )
    return [InterruptedTask(row[0], row[1], row[2], row[3], tuple(row[4:])) for row in rows]


def give_back(connection: Connection, tasks: Iterable[tuple[int, int]]) -> None:
    """
    Give claimed tasks back that were never handed over, each (task, attempt).

    A commit that failed or whose end is unknown can leave such. The number of the attempt is
    spent; nothing else is counted.
    """
    rows = list(tasks)
    if rows:
        execute_many(
            connection,
            "UPDATE tasks SET state = CASE WHEN flags & 264 THEN 1 ELSE 2 END,"
            " due_at = CASE WHEN flags & 264 THEN due_at"
            " ELSE max(due_at, (SELECT accepted_at FROM trees WHERE id = tasks.tree)) END,"
            " acceptance = (SELECT acceptance FROM trees WHERE id = tasks.tree)"
            " WHERE id = ? AND attempt = ? AND state = 10",
            rows,
        )


def _expect_all(connection: Connection, statement: str, rows: list[tuple[object, ...]]) -> None:
    if rows and execute_many(connection, statement, rows) != len(rows):
        raise StaleOutcome
