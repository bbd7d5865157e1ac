"""The trees' rows as the scheduler's turns keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.store.statements import execute_many, fetch
from inboxd.store.tables import TreeMark

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Connection

__all__ = [
    "OpenTree",
    "TreeChange",
    "change_trees",
    "end_trees",
    "load_trees",
    "newly_accepted",
    "trees_to_end",
]

_COLUMNS = (
    "id, public_id, name, file_name, first_task, task_count, strict_priority, accepted_at,"
    " acceptance, started_at, open, failed, cancelled, marks, priority"
)


class OpenTree(msgspec.Struct):
    """What the scheduler's turns must know of a tree that has not ended; numbers are current."""

    id: int
    public_id: str
    name: str | None
    file_name: bytes | None
    first_task: int
    task_count: int
    strict: bool
    accepted_at: int
    acceptance: int
    started_at: int | None
    open: int
    failed: int
    cancelled: int
    #: TreeMark; 0: its tasks may start.
    marks: int
    #: Of all that has not started, until the rows say so; None: as the rows say.
    priority: int | None


class TreeChange(msgspec.Struct):
    """What one turn changes in a tree's counts; all are added, and below 0 for what runs again."""

    completed: int = 0
    failed: int = 0
    tolerated: int = 0
    cancelled: int = 0
    skipped: int = 0
    started: bool = False

    @property
    def ended(self) -> int:
        """How many tasks more have ended."""
        return self.completed + self.failed + self.tolerated + self.cancelled + self.skipped


def load_trees(connection: Connection, numbers: Iterable[int]) -> list[OpenTree]:
    """Return the accepted trees among *numbers*."""
    rows = fetch(
        connection,
        f"SELECT {_COLUMNS} FROM trees WHERE accepted_at IS NOT NULL"  # noqa: S608 - our own columns
        " AND id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(numbers)).decode(),),
    )
    return [_open_tree(row) for row in rows]


def newly_accepted(connection: Connection, *, after: int) -> list[OpenTree]:
    """Return the trees whose order of acceptance is above *after*, in that order."""
    rows = fetch(
        connection,
        f"SELECT {_COLUMNS} FROM trees WHERE acceptance > ? ORDER BY acceptance",  # noqa: S608 - our own columns
        (after,),
    )
    return [_open_tree(row) for row in rows]


def change_trees(
    connection: Connection, changes: Collection[tuple[int, TreeChange]], now: int
) -> None:
    """Add *changes*, each (tree, change), to the trees' counts; what starts, starts at *now*."""
    execute_many(
        connection,
        "UPDATE trees SET open = open - ?, completed = completed + ?, failed = failed + ?,"
        " tolerated = tolerated + ?, cancelled = cancelled + ?, skipped = skipped + ?,"
        " started_at = coalesce(started_at, ?), status = 'in_progress' WHERE id = ?",
        [
            (
                change.ended,
                change.completed,
                change.failed,
                change.tolerated,
                change.cancelled,
                change.skipped,
                now,
                tree,
            )
            for tree, change in changes
        ],
    )


def end_trees(connection: Connection, ended: Collection[tuple[int, str, int]]) -> None:
    """
    Record that trees ended, each (tree, status, when); a result is owed where a file asked.

    Their marks have done their work and go: a retry finds the tree as if nobody had touched it.
    """
    execute_many(
        connection,
        "UPDATE trees SET status = ?, ended_at = ?, owes_results = file_name IS NOT NULL,"
        " marks = 0, priority = NULL WHERE id = ? AND open = 0",
        [(status, ended_at, tree) for tree, status, ended_at in ended],
    )


def trees_to_end(connection: Connection) -> list[int]:
    """Return the trees all of whose tasks ended, but which are not recorded as ended."""
    rows = fetch(
        connection,
        "SELECT id FROM trees WHERE ended_at IS NULL AND accepted_at IS NOT NULL AND open = 0"  # noqa: S608 - a constant
        f" AND marks & {TreeMark.RETRIED} = 0",
    )
    return [row[0] for row in rows]


def _open_tree(row: tuple[Any, ...]) -> OpenTree:
    values = list(row)
    values[6] = bool(values[6])
    return OpenTree(*values)
