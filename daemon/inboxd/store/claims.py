"""
Which tasks may be claimed, in the order of starts, and the claim itself.

The ready index holds exactly what may be claimed, so no statement here scans past anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.store.statements import execute, execute_many, fetch, fetch_one
from inboxd.task import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Connection

__all__ = [
    "Candidate",
    "ParkedLevel",
    "WokenTask",
    "claim",
    "next_waiting_due",
    "parked_levels",
    "parked_tasks",
    "put_aside",
    "ready_tasks",
    "restore_executors",
    "retrying_strict",
    "start_seq_mark",
    "task_inputs",
    "trees_with_parked_tasks",
    "wake_waiting",
]

_COLUMNS = (
    "id, tree, kind, priority, due_at, acceptance, local_id, flags, executor, retry, timeout,"
    " attempt, failures, interruptions"
)


class Candidate(msgspec.Struct):
    """A task that may start, with all that a claim and the end of its attempt need of it."""

    id: int
    tree: int
    kind: int
    priority: int
    due_at: int
    acceptance: int
    local_id: str
    flags: int
    executor: str
    #: RetryPolicy as JSON.
    retry: str | None
    #: Seconds.
    timeout: float | None
    #: Of its newest attempt so far.
    attempt: int
    failures: int
    interruptions: int


class ParkedLevel(msgspec.Struct, frozen=True):
    """The parked tasks of one tree with one priority and kind of place; due_at of the first."""

    kind: int
    priority: int
    due_at: int


class WokenTask(msgspec.Struct, frozen=True):
    """A waiting task whose time has come."""

    id: int
    tree: int
    priority: int
    flags: int
    attempt: int


def ready_tasks(connection: Connection, kind: int, limit: int) -> list[Candidate]:
    """Return the first *limit* ready tasks of a kind, in the order of starts."""
    rows = fetch(
        connection,
        f"SELECT {_COLUMNS} FROM tasks INDEXED BY tasks_ready WHERE state = 2 AND kind = ?"  # noqa: S608 - our own columns
        " ORDER BY priority, due_at, acceptance, id LIMIT +?",
        (kind, limit),
    )
    return [Candidate(*row) for row in rows]


def parked_tasks(
    connection: Connection, tree: int, kind: int, priority: int, *, now: int, limit: int
) -> list[Candidate]:
    """Return the first parked tasks of one level that are due, by (due time, position)."""
    rows = fetch(
        connection,
        f"SELECT {_COLUMNS} FROM tasks INDEXED BY tasks_parked WHERE state = 1 AND tree = ?"  # noqa: S608 - our own columns
        " AND kind = ? AND priority = ? AND due_at <= ? ORDER BY due_at, id LIMIT +?",
        (tree, kind, priority, now, limit),
    )
    return [Candidate(*row) for row in rows]


def parked_levels(connection: Connection, tree: int) -> list[ParkedLevel]:
    """Return the levels of a tree that have parked tasks; one index look-up a level."""
    levels: list[ParkedLevel] = []
    for kind in PlaceKind:
        priority = -1
        # A comparison of the pair (kind, priority) would scan the rest of the level.
        while row := fetch_one(
            connection,
            "SELECT priority, due_at FROM tasks INDEXED BY tasks_parked"
            " WHERE state = 1 AND tree = ? AND kind = ? AND priority > ?"
            " ORDER BY priority, due_at LIMIT 1",
            (tree, kind.value, priority),
        ):
            priority = row[0]
            levels.append(ParkedLevel(kind.value, priority, row[1]))
    return levels


def trees_with_parked_tasks(connection: Connection, small: int) -> list[int]:
    """Return the open trees of which parked tasks may start: large and strict ones, not closed."""
    rows = fetch(
        connection,
        "SELECT id FROM trees WHERE ended_at IS NULL AND accepted_at IS NOT NULL AND marks = 0"
        " AND (task_count > ? OR strict_priority = 1)",
        (small,),
    )
    return [row[0] for row in rows]


def claim(connection: Connection, rows: Sequence[tuple[int, int, int, int]]) -> int:
    """
    Record the start of attempts, each (start_seq, started_at, task, attempt before it).

    Returns:
        How many tasks were claimed: all, unless the store is not what the turn believes.
    """
    return execute_many(
        connection,
        "UPDATE tasks SET state = 10, attempt = attempt + 1, start_seq = ?, started_at = ?,"
        " ended_at = NULL WHERE id = ? AND attempt = ? AND state IN (1, 2)",
        list(rows),
    )


def task_inputs(
    connection: Connection, tasks: Collection[int]
) -> dict[int, tuple[str | None, str | None]]:
    """Return (inputs, params), JSON objects, of those of *tasks* that have any."""
    rows = fetch(
        connection,
        "SELECT task, inputs, params FROM task_details"
        " WHERE task IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(tasks)).decode(),),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def wake_waiting(connection: Connection, *, now: int, limit: int) -> list[WokenTask]:
    """Release waiting tasks that are due, at most *limit*, the earliest first."""
    rows = fetch(
        connection,
        "UPDATE tasks SET state = CASE WHEN flags & 264 THEN 1 ELSE 2 END WHERE id IN"
        " (SELECT id FROM tasks INDEXED BY tasks_waiting WHERE state = 3 AND due_at <= ?"
        " ORDER BY due_at, id LIMIT +?) RETURNING id, tree, priority, flags, attempt",
        (now, limit),
    )
    return [WokenTask(*row) for row in rows]


def next_waiting_due(connection: Connection) -> int | None:
    """Return the earliest due time of the waiting tasks; microseconds since 1970, UTC."""
    row = fetch_one(
        connection,
        "SELECT due_at FROM tasks INDEXED BY tasks_waiting WHERE state = 3 ORDER BY due_at LIMIT 1",
    )
    return None if row is None else row[0]


def retrying_strict(connection: Connection) -> list[tuple[int, int, int]]:
    """Return (tree, priority, count) of the tasks of strict trees that wait for a retry."""
    rows = fetch(
        connection,
        "SELECT tree, priority, count(*) FROM tasks INDEXED BY tasks_waiting"
        " WHERE state = 3 AND attempt > 0 AND flags & 8 GROUP BY tree, priority",
    )
    return [(row[0], row[1], row[2]) for row in rows]


def put_aside(connection: Connection, tasks: Iterable[int]) -> None:
    """Put claimable tasks aside whose executor nobody offers."""
    execute_many(
        connection,
        "UPDATE tasks SET state = 4 WHERE id = ? AND state IN (1, 2)",
        [(task,) for task in tasks],
    )


def restore_executors(connection: Connection, executors: Collection[str]) -> int:
    """Bring tasks back that were put aside and whose executor is there again; return how many."""
    return execute(
        connection,
        "UPDATE tasks SET state = CASE WHEN flags & 264 OR acceptance = 0 THEN 1 ELSE 2 END"
        " WHERE state = 4 AND executor IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(executors)).decode(),),
    )


def start_seq_mark(connection: Connection, mark: int | None = None) -> int:
    """Return the number that no start has reached; with *mark*, move it there first."""
    if mark is not None:
        execute(
            connection,
            "INSERT INTO meta (key, value) VALUES ('start_seq', ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (mark,),
        )
        return mark
    row = fetch_one(connection, "SELECT value FROM meta WHERE key = 'start_seq'")
    return 0 if row is None else row[0]
