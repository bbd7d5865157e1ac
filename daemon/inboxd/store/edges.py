"""What the decision of edges reads and writes; the decision itself is in `readiness`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.known_as import called
from inboxd.store.statements import execute_many, fetch
from inboxd.store.tables import TaskState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

__all__ = [
    "BlockedTask",
    "CascadingTask",
    "blocked_tasks",
    "cascading_tasks",
    "count_down",
    "edges_from",
    "known_by",
    "mark_cascading",
    "note_gravity",
    "skip_tasks",
]


class BlockedTask(msgspec.Struct, frozen=True):
    """A task some of whose edges are undecided."""

    id: int
    tree: int
    local_id: str
    flags: int
    unmet: int
    undecided: int
    #: Of the edges decided so far (`join: any`), and the cause's number.
    gravity: int
    gravest: int | None


class CascadingTask(msgspec.Struct, frozen=True):
    """A task that ended in an earlier turn, which had no room for all its edges."""

    id: int
    tree: int
    state: int
    gravity: int
    gravest: int | None
    #: Edges to dependants up to this number are decided.
    cascade: int


def edges_from(
    connection: Connection, ended: Collection[tuple[int, int]], limit: int
) -> list[tuple[int, int, int]]:
    """
    Return edges of tasks that ended.

    Args:
        connection: in a transaction.
        ended: (task, after) each: only its edges to dependants with a higher number than *after*.
        limit: at most so many edges.

    Returns:
        (dependency, dependant, holds_on) in the order of *ended*, then of dependants.
    """
    rows = fetch(
        connection,
        "SELECT e.dependency, e.dependant, e.holds_on FROM json_each(?) AS j CROSS JOIN edges AS e"
        " WHERE e.dependency = j.value ->> 0 AND e.dependant > j.value ->> 1 LIMIT +?",
        (msgspec.json.encode(list(ended)).decode(), limit),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def count_down(
    connection: Connection,
    rows: Sequence[tuple[int, int, int, int]],
    *,
    now: int,
) -> None:
    """
    Count down blocked tasks for edges that hold, and let those go that may start.

    A task with `hold` that no person has released goes no further than to be held.

    Args:
        connection: in a transaction of the writer.
        rows: (edges that hold, accepted_at, acceptance, task) each; the middle two are its tree's.
        now: microseconds since 1970, UTC: a task due later waits.
    """
    execute_many(
        connection,
        "UPDATE tasks SET unmet = max(unmet - ?1, 0), undecided = max(undecided - ?1, 0),"
        " due_at = CASE WHEN due_at > ?2 THEN due_at WHEN flags & 264 THEN 0 ELSE ?2 END,"
        " acceptance = ?3,"
        " state = CASE WHEN unmet > ?1 THEN 0 WHEN flags & 3072 = 1024 THEN 5"
        " WHEN flags & 264 = 256 THEN 1 WHEN due_at > ?4 THEN 3"
        " WHEN flags & 8 THEN 1 ELSE 2 END"
        " WHERE id = ?5 AND state = 0",
        [
            (count, accepted_at, acceptance, now, task)
            for count, accepted_at, acceptance, task in rows
        ],
    )


def blocked_tasks(connection: Connection, tasks: Collection[int]) -> list[BlockedTask]:
    """Return those of *tasks* that are still blocked."""
    rows = fetch(
        connection,
        "SELECT id, tree, local_id, flags, unmet, undecided, gravity, gravest FROM tasks"
        " WHERE state = 0 AND id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(tasks)).decode(),),
    )
    return [BlockedTask(*row) for row in rows]


def note_gravity(connection: Connection, rows: Sequence[tuple[int, int, int | None, int]]) -> None:
    """Keep, for `join: any`, (edges decided, gravity, cause, task) of edges that do not hold."""
    execute_many(
        connection,
        "UPDATE tasks SET undecided = undecided - ?, gravity = ?, gravest = ?"
        " WHERE id = ? AND state = 0",
        list(rows),
    )


def skip_tasks(
    connection: Connection, rows: Sequence[tuple[int, int | None, str, int, int]]
) -> None:
    """Skip blocked tasks: (gravity, cause, error, ended_at, task) each."""
    execute_many(
        connection,
        f"UPDATE tasks SET state = {TaskState.SKIPPED.value}, gravity = ?, gravest = ?,"  # noqa: S608 - a constant
        " error = ?, ended_at = ? WHERE id = ? AND state = 0",
        list(rows),
    )


def known_by(connection: Connection, tasks: Collection[int]) -> dict[int, tuple[str, str]]:
    """Return of *tasks*, by number, the ids in their files and what people know them by."""
    rows = fetch(
        connection,
        "SELECT id, local_id, name FROM tasks WHERE id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(tasks)).decode(),),
    )
    return {row[0]: (row[1], called(row[1], row[2])) for row in rows}


def mark_cascading(connection: Connection, rows: Sequence[tuple[int | None, int]]) -> None:
    """Keep how far the edges of ended tasks are decided: (cascade, task), None for all."""
    execute_many(connection, "UPDATE tasks SET cascade = ? WHERE id = ?", list(rows))


def cascading_tasks(
    connection: Connection, limit: int, *, frozen: Collection[int] = ()
) -> list[CascadingTask]:
    """
    Return ended tasks with edges that are still to be decided.

    Args:
        connection: in a transaction.
        limit: at most so many tasks.
        frozen: trees in which no edges are decided now.
    """
    rows = fetch(
        connection,
        "SELECT id, tree, state, gravity, gravest, cascade FROM tasks INDEXED BY tasks_cascading"
        " WHERE cascade IS NOT NULL AND tree NOT IN (SELECT value FROM json_each(?))"
        " ORDER BY id LIMIT +?",
        (msgspec.json.encode(list(frozen)).decode(), limit),
    )
    return [CascadingTask(*row) for row in rows]
