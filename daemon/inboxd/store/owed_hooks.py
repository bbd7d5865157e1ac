"""Which plugins are still to be told that a tree ended; recorded in the commit that ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.store.statements import execute_many, fetch

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

__all__ = [
    "OwedHook",
    "clear_hooks",
    "count_owed_hooks",
    "newest_owed_hook",
    "next_owed_hooks",
    "owe_hooks",
]


class OwedHook(msgspec.Struct, frozen=True):
    """A plugin that is to be told of a tree."""

    #: Rises with every debt.
    id: int
    tree: int


def owe_hooks(
    connection: Connection, plugins: Collection[str], ended: Collection[tuple[int, int]]
) -> None:
    """Record that each of *plugins* is to be told of trees that ended, each (tree, when)."""
    execute_many(
        connection,
        "INSERT OR REPLACE INTO owed_hooks (plugin, tree, ended_at) VALUES (?, ?, ?)",
        [(plugin, tree, ended_at) for tree, ended_at in ended for plugin in plugins],
    )


def next_owed_hooks(
    connection: Connection, plugin: str, *, after: int, limit: int
) -> list[OwedHook]:
    """
    Return the first debts above the number *after*, in the order in which the trees ended.

    Left out are trees whose result files are still to be written, and those that run again.
    """
    rows = fetch(
        connection,
        "SELECT owed.id, owed.tree FROM owed_hooks AS owed JOIN trees ON trees.id = owed.tree"
        " WHERE owed.plugin = ? AND owed.id > ? AND trees.ended_at IS NOT NULL"
        " AND trees.owes_results = 0 ORDER BY owed.id LIMIT ?",
        (plugin, after, limit),
    )
    return [OwedHook(*row) for row in rows]


def newest_owed_hook(connection: Connection, plugin: str) -> int:
    """Return the number of the last of the debts that `next_owed_hooks` gives; 0: of none."""
    rows = fetch(
        connection,
        "SELECT owed.id FROM owed_hooks AS owed JOIN trees ON trees.id = owed.tree"
        " WHERE owed.plugin = ? AND trees.ended_at IS NOT NULL AND trees.owes_results = 0"
        " ORDER BY owed.id DESC LIMIT 1",
        (plugin,),
    )
    return rows[0][0] if rows else 0


def clear_hooks(connection: Connection, paid: Sequence[int]) -> None:
    """Record that the debts of these numbers are paid; a tree that ended anew has another one."""
    execute_many(connection, "DELETE FROM owed_hooks WHERE id = ?", [(number,) for number in paid])


def count_owed_hooks(connection: Connection) -> dict[str, int]:
    """Return how many trees each plugin is still to be told of."""
    rows = fetch(connection, "SELECT plugin, count(*) FROM owed_hooks GROUP BY plugin", ())
    return {row[0]: row[1] for row in rows}
