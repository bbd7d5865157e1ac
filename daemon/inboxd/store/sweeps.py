"""The `sweeps` table: what persons asked for of whole trees and the turns do in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.store.statements import execute, execute_many, fetch, fetch_one
from inboxd.store.tables import SweepKind, TreeMark

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

__all__ = [
    "SweepRow",
    "delete_sweep",
    "drop_unanswered_retries",
    "insert_sweep",
    "load_sweeps",
    "save_sweeps",
]


class SweepRow(msgspec.Struct):
    """How far one sweep is; see `tables.sweeps`."""

    id: int
    tree: int
    #: SweepKind.
    kind: int
    phase: int
    next: int
    value: int | None


def load_sweeps(connection: Connection) -> list[SweepRow]:
    """Return all sweeps that are not done, in the order of the requests."""
    rows = fetch(connection, "SELECT id, tree, kind, phase, next, value FROM sweeps ORDER BY id")
    return [SweepRow(*row) for row in rows]


def insert_sweep(
    connection: Connection, *, tree: int, kind: int, first: int, value: int | None
) -> SweepRow:
    """Record a request, to be begun at the task of the number *first*."""
    row = fetch_one(
        connection,
        "INSERT INTO sweeps (tree, kind, next, value) VALUES (?, ?, ?, ?) RETURNING id",
        (tree, kind, first, value),
    )
    assert row is not None  # noqa: S101 - an INSERT that does not raise returns its row
    return SweepRow(row[0], tree, kind, 0, first, value)


def save_sweeps(connection: Connection, sweeps: Collection[SweepRow]) -> None:
    """Record how far sweeps are, in the transaction of what was done."""
    execute_many(
        connection,
        "UPDATE sweeps SET phase = ?, next = ? WHERE id = ?",
        [(sweep.phase, sweep.next, sweep.id) for sweep in sweeps],
    )


def delete_sweep(connection: Connection, sweep: int) -> None:
    """Record that a sweep is done."""
    execute(connection, "DELETE FROM sweeps WHERE id = ?", (sweep,))


def drop_unanswered_retries(connection: Connection) -> None:
    """Forget retries that a person asked for and was not answered: nothing was set back yet."""
    execute(
        connection,
        f"UPDATE trees SET marks = marks & ~{TreeMark.RETRIED} WHERE id IN"  # noqa: S608 - constants
        f" (SELECT tree FROM sweeps WHERE kind = {SweepKind.RETRY.value} AND phase = 0)",
    )
    execute(connection, "DELETE FROM sweeps WHERE kind = ? AND phase = 0", (SweepKind.RETRY.value,))
