"""
What persons change of trees and tasks: marks, cancellations, priorities.

Every function runs inside a transaction of the writer. Those that take a range of tasks cost some
microseconds a row, so callers give them small trees, or chunks of large ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.store.statements import execute, execute_many, fetch, fetch_one
from inboxd.store.tables import TaskFlag, TaskState, TreeMark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = [
    "SteeredTask",
    "cancel_tasks",
    "cancelled_in_progress",
    "close_tasks",
    "drop_cascades",
    "find_task",
    "is_paused",
    "left_over_trees",
    "mark_left_over",
    "mark_released",
    "open_tasks",
    "prioritise_tasks",
    "reopen_tree",
    "request_cancel",
    "retrying_of",
    "set_marks",
    "set_paused",
    "set_priorities",
    "set_tree_priority",
    "tree_ended_at",
    "tree_marks",
    "tree_public_id",
]


class SteeredTask(msgspec.Struct, frozen=True):
    """What the request of a person must know of a task."""

    id: int
    tree: int
    local_id: str
    #: TaskState.
    state: int
    flags: int
    priority: int
    attempt: int


def find_task(connection: Connection, task: int) -> SteeredTask | None:
    """Return a task by its number, None when there is none."""
    row = fetch_one(
        connection,
        "SELECT id, tree, local_id, state, flags, priority, attempt FROM tasks WHERE id = ?",
        (task,),
    )
    return None if row is None else SteeredTask(*row)


def tree_ended_at(connection: Connection, tree: int) -> int | None:
    """Return when a tree ended (microseconds since 1970, UTC); None: it has not."""
    row = fetch_one(connection, "SELECT ended_at FROM trees WHERE id = ?", (tree,))
    return None if row is None else row[0]


def tree_marks(connection: Connection, tree: int) -> int:
    """Return the marks (`TreeMark`) of a tree; 0: none, or no such tree."""
    row = fetch_one(connection, "SELECT marks FROM trees WHERE id = ?", (tree,))
    return 0 if row is None else row[0]


def tree_public_id(connection: Connection, tree: int) -> str | None:
    """Return the public id of a tree; None: there is no such tree."""
    row = fetch_one(connection, "SELECT public_id FROM trees WHERE id = ?", (tree,))
    return None if row is None else row[0]


def set_marks(connection: Connection, tree: int, marks: int) -> None:
    """Give a tree these marks (`TreeMark`), and no others."""
    execute(connection, "UPDATE trees SET marks = ? WHERE id = ?", (marks, tree))


def close_tasks(connection: Connection, first: int, end: int) -> None:
    """Take the tasks *first* <= number < *end*, of one tree, out of the ready index."""
    execute(
        connection,
        f"UPDATE tasks SET flags = flags | {TaskFlag.BY_LEVEL},"  # noqa: S608 - constants
        # Due since its tree's acceptance is 0, as in every row that is parked.
        " due_at = CASE WHEN state IN (2, 3) AND due_at <= (SELECT accepted_at FROM trees"
        " WHERE trees.id = tasks.tree) THEN 0 ELSE due_at END,"
        " state = CASE WHEN state IN (2, 3) THEN 1 ELSE state END"
        f" WHERE id >= ? AND id < ? AND state <= {TaskState.IN_PROGRESS.value}",
        (first, end),
    )


def open_tasks(connection: Connection, first: int, end: int, *, now: int) -> None:
    """
    Let the tasks *first* <= number < *end*, of one small tree, start again when they may.

    Those of a strict tree stay parked, but for those that wait for a retry.
    """
    execute(
        connection,
        f"UPDATE tasks SET flags = flags & ~{TaskFlag.BY_LEVEL},"  # noqa: S608 - constants
        " acceptance = CASE WHEN state = 1 THEN (SELECT acceptance FROM trees"
        " WHERE trees.id = tasks.tree) ELSE acceptance END,"
        " due_at = CASE WHEN state = 1 AND flags & 8 = 0 THEN max(due_at, (SELECT accepted_at"
        " FROM trees WHERE trees.id = tasks.tree)) ELSE due_at END,"
        " state = CASE WHEN state <> 1 THEN state WHEN due_at > ? THEN 3"
        " WHEN flags & 8 THEN 1 ELSE 2 END"
        f" WHERE id >= ? AND id < ? AND state <= {TaskState.IN_PROGRESS.value}",
        (now, first, end),
    )


def retrying_of(connection: Connection, tree: int) -> dict[int, int]:
    """Return by priority how many tasks of a strict tree wait for a retry."""
    rows = fetch(
        connection,
        "SELECT priority, count(*) FROM tasks INDEXED BY tasks_waiting"
        " WHERE state = 3 AND tree = ? AND attempt > 0 GROUP BY priority",
        (tree,),
    )
    return {row[0]: row[1] for row in rows}


def cancel_tasks(connection: Connection, first: int, end: int, *, error: str, now: int) -> int:
    """
    Cancel what neither ended nor is in progress of the tasks *first* <= number < *end*.

    Args:
        connection: in a transaction of the writer.
        first, end: numbers.
        error: TaskError as JSON.
        now: microseconds since 1970, UTC.

    Returns:
        How many were cancelled.
    """
    return execute(
        connection,
        f"UPDATE tasks SET state = {TaskState.CANCELLED.value}, error = ?, ended_at = ?,"  # noqa: S608 - constants
        " result = NULL"
        f" WHERE id >= ? AND id < ? AND state < {TaskState.IN_PROGRESS.value}",
        (error, now, first, end),
    )


def request_cancel(connection: Connection, task: int) -> None:
    """Record that a task in progress is to end as `cancelled`, whatever its attempt reports."""
    execute(
        connection,
        f"UPDATE tasks SET flags = flags | {TaskFlag.CANCEL_REQUESTED}"  # noqa: S608 - constants
        f" WHERE id = ? AND state = {TaskState.IN_PROGRESS.value}",
        (task,),
    )


def mark_released(
    connection: Connection, task: int, *, accepted_at: int, acceptance: int, now: int
) -> None:
    """
    Release a task that is pending; one that is held may start from its due time on.

    Args:
        connection: in a transaction of the writer.
        task: its number; it has `hold`.
        accepted_at, acceptance: its tree's.
        now: microseconds since 1970, UTC: a task due later waits.
    """
    execute(
        connection,
        f"UPDATE tasks SET flags = flags | {TaskFlag.RELEASED},"  # noqa: S608 - constants
        # A held one goes where its last edge would have sent it: see `edges.count_down`.
        " due_at = CASE WHEN state <> 5 OR due_at > ?1 THEN due_at WHEN flags & 264 THEN 0"
        " ELSE ?1 END, acceptance = CASE WHEN state = 5 THEN ?2 ELSE acceptance END,"
        " state = CASE WHEN state <> 5 THEN state WHEN flags & 264 = 256 THEN 1"
        " WHEN due_at > ?3 THEN 3 WHEN flags & 8 THEN 1 ELSE 2 END"
        f" WHERE id = ?4 AND state < {TaskState.IN_PROGRESS.value}",
        (accepted_at, acceptance, now, task),
    )


def cancelled_in_progress(connection: Connection) -> set[int]:
    """Return the tasks in progress that are to end as `cancelled`."""
    rows = fetch(
        connection,
        "SELECT id FROM tasks INDEXED BY tasks_in_progress"  # noqa: S608 - a constant
        f" WHERE state = 10 AND flags & {TaskFlag.CANCEL_REQUESTED}",
    )
    return {row[0] for row in rows}


def drop_cascades(connection: Connection, tree: int) -> None:
    """Leave the edges of a tree undecided that earlier turns left so: all of it is cancelled."""
    execute(
        connection,
        "UPDATE tasks SET cascade = NULL WHERE id IN (SELECT id FROM tasks"
        " INDEXED BY tasks_cascading WHERE cascade IS NOT NULL AND tree = ?)",
        (tree,),
    )


def is_paused(connection: Connection) -> bool:
    """Return whether a person paused everything."""
    row = fetch_one(connection, "SELECT value FROM meta WHERE key = 'paused'")
    return row is not None and bool(row[0])


def set_paused(connection: Connection, *, paused: bool) -> None:
    """Record that everything is paused, or is not."""
    execute(
        connection,
        "INSERT INTO meta (key, value) VALUES ('paused', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (int(paused),),
    )


def set_tree_priority(connection: Connection, tree: int, priority: int | None) -> None:
    """Give all of a tree that has not started a priority at once; None: as the rows say."""
    execute(connection, "UPDATE trees SET priority = ? WHERE id = ?", (priority, tree))


def prioritise_tasks(connection: Connection, first: int, end: int, *, priority: int) -> int:
    """
    Give those of the tasks *first* <= number < *end* a priority that are not started.

    Returns:
        How many.
    """
    return execute(
        connection,
        "UPDATE tasks SET priority = ?"  # noqa: S608 - constants
        f" WHERE id >= ? AND id < ? AND state < {TaskState.IN_PROGRESS.value}",
        (priority, first, end),
    )


def set_priorities(connection: Connection, rows: Sequence[tuple[int, int]]) -> None:
    """Write the priority with which tasks start, (priority, task) each."""
    execute_many(connection, "UPDATE tasks SET priority = ? WHERE id = ?", list(rows))


def mark_left_over(connection: Connection, small_tree: int) -> int:
    """
    Mark every tree that has not ended as left over by an earlier process.

    Args:
        connection: in a transaction of the writer; before the first turn.
        small_tree: the tasks of trees with at most so many are taken out of the ready index; to
            close a larger one takes no more than its mark.

    Returns:
        How many trees are left over.
    """
    rows = fetch(
        connection,
        f"UPDATE trees SET marks = marks | {TreeMark.LEFT_OVER}"  # noqa: S608 - constants
        " WHERE ended_at IS NULL AND accepted_at IS NOT NULL"
        " RETURNING first_task, task_count",
    )
    for first, count in rows:
        if count <= small_tree:
            close_tasks(connection, first, first + count)
    return len(rows)


def left_over_trees(connection: Connection) -> list[tuple[int, int, int, int]]:
    """Return (tree, marks, first task, count of tasks) of the trees that are left over."""
    rows = fetch(
        connection,
        "SELECT id, marks, first_task, task_count FROM trees"  # noqa: S608 - constants
        f" WHERE ended_at IS NULL AND accepted_at IS NOT NULL AND marks & {TreeMark.LEFT_OVER}",
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def reopen_tree(connection: Connection, tree: int) -> None:
    """Make a tree that ended one that has not: it owes its answers anew when it ends again."""
    execute(
        connection,
        "UPDATE trees SET ended_at = NULL, status = 'in_progress', owes_results = 0"
        " WHERE id = ? AND ended_at IS NOT NULL",
        (tree,),
    )
    execute(connection, "UPDATE intake SET result_written = 0 WHERE tree = ?", (tree,))
