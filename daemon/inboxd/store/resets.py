"""What a person's retry reads and writes: which tasks run again, and their rows set back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.store.statements import execute_many, fetch, fetch_one
from inboxd.store.tables import TaskFlag, TaskState
from inboxd.task import TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

__all__ = [
    "EdgeToReset",
    "ResetRow",
    "TaskToReset",
    "dependants_of",
    "edges_to_reset",
    "has_tolerated",
    "key_holder",
    "mark_to_reset",
    "reset_tasks",
    "tasks_to_reset",
    "unsuccessful_tasks",
]


class TaskToReset(msgspec.Struct, frozen=True):
    """A task that runs again, as it stands."""

    id: int
    #: TaskState.
    state: int
    flags: int
    due_at: int
    failures: int


class EdgeToReset(msgspec.Struct, frozen=True):
    """An edge to a task that runs again, and how its dependency stands."""

    dependency: int
    dependant: int
    #: EdgeOn by its number.
    holds_on: int
    #: Of the dependency: TaskState, flags, and where a skip of it began.
    state: int
    flags: int
    gravity: int
    gravest: int | None
    #: Its edges to dependants up to this number are decided; None: all are.
    cascade: int | None


class ResetRow(msgspec.Struct, frozen=True):
    """What a task is set back to: the columns in the order of the statement."""

    state: int
    due_at: int
    flags: int
    unmet: int
    undecided: int
    gravity: int
    gravest: int | None
    ended_at: int | None
    error: str | None
    cascade: int | None
    task: int


def unsuccessful_tasks(
    connection: Connection, first: int, end: int, *, cut: bool = False
) -> list[int]:
    """
    Return what failed without `allow_failure`, or was cancelled, of a range of tasks.

    Args:
        connection: in a transaction.
        first: the first task.
        end: the one after the last.
        cut: also what was interrupted in spite of its `allow_failure`.
    """
    interrupted = f"error ->> 'code' = '{TaskErrorCode.INTERRUPTED}'"
    rows = fetch(
        connection,
        f"SELECT id FROM tasks WHERE id >= ? AND id < ? AND (state = {TaskState.CANCELLED.value}"  # noqa: S608 - constants
        f" OR (state = {TaskState.FAILED.value} AND (flags & {TaskFlag.ALLOW_FAILURE} = 0"
        f" OR (? AND {interrupted}))))",
        (first, end, int(cut)),
    )
    return [row[0] for row in rows]


def has_tolerated(connection: Connection, tree: int) -> bool:
    """Return whether a task of the tree failed whose failure is allowed."""
    row = fetch_one(connection, "SELECT tolerated > 0 FROM trees WHERE id = ?", (tree,))
    return row is not None and bool(row[0])


def dependants_of(
    connection: Connection, tasks: Collection[tuple[int, int]], limit: int
) -> list[tuple[int, int]]:
    """
    Return (dependency, dependant) of edges from *tasks*, in their order, then of dependants.

    Args:
        connection: in a transaction.
        tasks: (task, after) each: only its dependants with a higher number than *after*.
        limit: at most so many edges.
    """
    rows = fetch(
        connection,
        "SELECT e.dependency, e.dependant FROM json_each(?) AS j CROSS JOIN edges AS e"
        " WHERE e.dependency = j.value ->> 0 AND e.dependant > j.value ->> 1 LIMIT +?",
        (msgspec.json.encode(list(tasks)).decode(), limit),
    )
    return [(row[0], row[1]) for row in rows]


def mark_to_reset(connection: Connection, tasks: Sequence[int]) -> None:
    """Mark tasks that are to be set back; edges of theirs are decided when they end anew."""
    execute_many(
        connection,
        f"UPDATE tasks SET flags = flags | {TaskFlag.TO_RESET}, cascade = NULL WHERE id = ?",  # noqa: S608 - constants
        [(task,) for task in tasks],
    )


def tasks_to_reset(connection: Connection, first: int, end: int) -> list[TaskToReset]:
    """Return the marked ones of the tasks *first* <= number < *end*, in order."""
    rows = fetch(
        connection,
        "SELECT id, state, flags, due_at, failures FROM tasks"  # noqa: S608 - constants
        f" WHERE id >= ? AND id < ? AND flags & {TaskFlag.TO_RESET} ORDER BY id",
        (first, end),
    )
    return [TaskToReset(*row) for row in rows]


def edges_to_reset(
    connection: Connection, tasks: Collection[tuple[int, int]], limit: int
) -> list[EdgeToReset]:
    """
    Return edges to *tasks*, in their order, then of dependencies.

    Args:
        connection: in a transaction.
        tasks: (task, after) each: only edges from dependencies with a higher number than *after*.
        limit: at most so many edges.
    """
    rows = fetch(
        connection,
        "SELECT e.dependency, e.dependant, e.holds_on, d.state, d.flags, d.gravity, d.gravest,"
        " d.cascade FROM json_each(?) AS j CROSS JOIN edges AS e INDEXED BY edges_by_dependant"
        " CROSS JOIN tasks AS d"
        " WHERE e.dependant = j.value ->> 0 AND e.dependency > j.value ->> 1"
        " AND d.id = e.dependency LIMIT +?",
        (msgspec.json.encode(list(tasks)).decode(), limit),
    )
    return [EdgeToReset(*row) for row in rows]


def reset_tasks(connection: Connection, rows: Sequence[ResetRow]) -> None:
    """Set tasks back: fresh retries, no result, edges as decided anew; attempts' numbers go on."""
    execute_many(
        connection,
        "UPDATE tasks SET state = ?, due_at = ?, flags = ?, unmet = ?, undecided = ?, gravity = ?,"
        " gravest = ?, ended_at = ?, error = ?, cascade = ?, failures = 0, interruptions = 0,"
        " start_seq = NULL, started_at = NULL, result = NULL WHERE id = ?",
        [
            (
                row.state,
                row.due_at,
                row.flags,
                row.unmet,
                row.undecided,
                row.gravity,
                row.gravest,
                row.ended_at,
                row.error,
                row.cascade,
                row.task,
            )
            for row in rows
        ],
    )


def key_holder(connection: Connection, tree: int) -> str | None:
    """Return the public id of another tree that holds this one's `idempotency_key`, or None."""
    row = fetch_one(
        connection,
        "SELECT other.public_id FROM trees AS own JOIN trees AS other"
        " ON other.idempotency_key = own.idempotency_key AND other.owner IS own.owner"
        " WHERE own.id = ? AND own.idempotency_key IS NOT NULL AND other.id <> own.id"
        " AND other.accepted_at IS NOT NULL AND other.status NOT IN ('failed', 'cancelled')"
        " ORDER BY other.id DESC LIMIT 1",
        (tree,),
    )
    return None if row is None else row[0]
