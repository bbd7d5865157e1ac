"""
The `intake` table: what was dropped, what became of it, and which answers are still owed.

Every function runs inside a transaction of the writer. One claim has one row, whatever crashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection

from inboxd.clock import rfc3339_micros

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

__all__ = [
    "MOST_LISTED_TASKS",
    "Connection",
    "Drop",
    "Duplicate",
    "KeyHolder",
    "OwedReceipt",
    "OwedResult",
    "clear_moves",
    "clear_receipts",
    "clear_results",
    "find_key_holder",
    "find_recorded",
    "find_reserved",
    "has_task",
    "owed_receipts",
    "owed_results",
    "record_drop",
    "record_duplicate",
    "reopen_claims",
    "trees_owing_results",
]

#: A receipt lists the ids of at most so many tasks (contract, section 3).
MOST_LISTED_TASKS = 10_000

_encode = msgspec.json.encode

_MOVES = msgspec.json.Decoder(tuple[tuple[bytes, bytes], ...])

_OWED_RECEIPT = """
SELECT i.id, i.claim, i.file_name, i.answer_name, i.duplicate, i.received_at, i.sha256, i.receipt,
    i.moves, t.public_id, t.name, t.task_count, t.id
FROM intake AS i LEFT JOIN trees AS t ON t.id = i.tree
"""

_INSERT = """
INSERT INTO intake (claim, file_name, answer_name, tree, duplicate, received_at, sha256, receipt,
    moves, owes_receipt)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
RETURNING id
"""

_OWED_RESULT = """
SELECT t.id, i.id, i.claim, i.answer_name
FROM trees AS t JOIN intake AS i ON i.tree = t.id
WHERE t.id IN (SELECT value FROM json_each(?)) AND t.owes_results = 1
    AND i.result_written = 0 AND i.moves IS NULL
ORDER BY t.id, i.id
"""


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was taken, as it is recorded."""

    #: The uuid of its claim.
    claim: str
    #: The name as it was dropped.
    file_name: bytes
    #: What its answers' names are to begin with.
    answer_name: bytes
    #: Microseconds since 1970, UTC.
    received_at: int
    #: None when the file was not read.
    sha256: str | None
    #: JSON: the errors of a rejected file, the warnings of an accepted one.
    problems: bytes
    #: Its tree's internal number and public id; None: rejected.
    tree: int | None = None
    tree_id: str | None = None
    tree_name: str | None = None
    task_count: int = 0
    #: Their ids by position; empty for more than `MOST_LISTED_TASKS`.
    task_ids: tuple[str, ...] = ()


class Duplicate(msgspec.Struct, frozen=True, kw_only=True):
    """A drop that repeats an earlier one's `idempotency_key`; the first four are as in `Drop`."""

    claim: str
    file_name: bytes
    answer_name: bytes
    received_at: int
    sha256: str
    #: The tree of the first drop: its internal number.
    tree: int


class OwedReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded drop whose receipt is to be written and whose file is to be moved."""

    id: int
    claim: str
    file_name: bytes
    answer_name: bytes
    duplicate: bool
    received_at: int
    sha256: str | None
    #: JSON; see `Drop`.
    problems: bytes
    #: (from, to): answer names to be moved aside first, in this order.
    moves: tuple[tuple[bytes, bytes], ...]
    #: The tree's public id; None: rejected.
    tree_id: str | None
    tree_name: str | None
    task_count: int
    #: The ids of its tasks by position; empty for more than `MOST_LISTED_TASKS`.
    task_ids: tuple[str, ...]


class OwedResult(msgspec.Struct, frozen=True, kw_only=True):
    """One result file that is to be written: the tree's, for one of its drops."""

    tree: int
    #: The drop's row.
    id: int
    claim: str
    answer_name: bytes


class KeyHolder(msgspec.Struct, frozen=True):
    """The tree that holds an `idempotency_key`."""

    tree: int
    tree_id: str
    sha256: str | None


def find_key_holder(connection: Connection, owner: int, key: str) -> KeyHolder | None:
    """Return the tree that holds *key* for the user *owner*; None when the key is free."""
    row = connection.exec_driver_sql(
        "SELECT id, public_id, sha256 FROM trees WHERE owner = ? AND idempotency_key = ?"
        " AND accepted_at IS NOT NULL AND status NOT IN ('failed', 'cancelled')"
        " ORDER BY id DESC LIMIT 1",
        (owner, key),
    ).one_or_none()
    return None if row is None else KeyHolder(row[0], row[1], row[2])


def find_recorded(connection: Connection, claim: str) -> OwedReceipt | None:
    """Return what the drop with this claim owes, or owed; None when it is not recorded."""
    owed = _read_owed(connection, f"{_OWED_RECEIPT} WHERE i.claim = ?", (claim,))
    return owed[0] if owed else None


def reopen_claims(connection: Connection, claims: Collection[str]) -> set[str]:
    """
    Return those of *claims* that are recorded; their receipts are owed, again if need be.

    For files that lie in `.claimed/` at start: the receipt is written, the file moved, once more.
    """
    rows = connection.exec_driver_sql(
        "UPDATE intake SET owes_receipt = 1 WHERE claim IN (SELECT value FROM json_each(?))"
        " RETURNING claim",
        (_encode(list(claims)).decode(),),
    ).fetchall()
    return {row[0] for row in rows}


def find_reserved(connection: Connection, tree_id: str) -> int | None:
    """Return the internal number of a tree by its public id, accepted or not; None: not there."""
    number: int | None = connection.exec_driver_sql(
        "SELECT id FROM trees WHERE public_id = ?", (tree_id,)
    ).scalar()
    return number


def has_task(connection: Connection, tree: int, position: int) -> bool:
    """Return whether the task at *position* of a tree is stored."""
    return (
        connection.exec_driver_sql(
            "SELECT 1 FROM tasks WHERE id = (SELECT first_task FROM trees WHERE id = ?) + ?"
            " AND tree = ?",
            (tree, position, tree),
        ).first()
        is not None
    )


def record_drop(connection: Connection, drop: Drop) -> OwedReceipt:
    """Record a drop and what it owes; an earlier drop with its answers' name stands aside."""
    moves = _stand_aside(connection, drop.answer_name)
    row = connection.exec_driver_sql(
        _INSERT,
        (
            drop.claim,
            drop.file_name,
            drop.answer_name,
            drop.tree,
            0,
            drop.received_at,
            drop.sha256,
            drop.problems.decode(),
            _encode_moves(moves),
        ),
    ).one()
    return OwedReceipt(
        id=row[0],
        claim=drop.claim,
        file_name=drop.file_name,
        answer_name=drop.answer_name,
        duplicate=False,
        received_at=drop.received_at,
        sha256=drop.sha256,
        problems=drop.problems,
        moves=moves,
        tree_id=drop.tree_id,
        tree_name=drop.tree_name,
        task_count=drop.task_count,
        task_ids=drop.task_ids,
    )


def record_duplicate(connection: Connection, drop: Duplicate) -> OwedReceipt:
    """Record a drop that makes no tree; the result of one that has ended is owed at once."""
    moves = _stand_aside(connection, drop.answer_name)
    row = connection.exec_driver_sql(
        _INSERT,
        (
            drop.claim,
            drop.file_name,
            drop.answer_name,
            drop.tree,
            1,
            drop.received_at,
            drop.sha256,
            "[]",
            _encode_moves(moves),
        ),
    ).one()
    connection.exec_driver_sql(
        "UPDATE trees SET owes_results = 1 WHERE id = ? AND ended_at IS NOT NULL", (drop.tree,)
    )
    return _read_owed(connection, f"{_OWED_RECEIPT} WHERE i.id = ?", (row[0],))[0]


def owed_receipts(connection: Connection, limit: int) -> list[OwedReceipt]:
    """Return the first *limit* drops that owe a receipt, in the order they were recorded."""
    return _read_owed(
        connection, f"{_OWED_RECEIPT} WHERE i.owes_receipt = 1 ORDER BY i.id LIMIT ?", (limit,)
    )


def clear_moves(connection: Connection, drops: Iterable[int]) -> None:
    """Record that the earlier answers stand aside: the names are the drops' own from now on."""
    connection.exec_driver_sql(
        "UPDATE intake SET moves = NULL WHERE id = ?", [(number,) for number in drops]
    )


def clear_receipts(connection: Connection, drops: Iterable[int]) -> None:
    """Record that the receipts are on disk and the files moved."""
    connection.exec_driver_sql(
        "UPDATE intake SET owes_receipt = 0 WHERE id = ?", [(number,) for number in drops]
    )


def trees_owing_results(connection: Connection, *, after: int, limit: int) -> list[int]:
    """Return the first *limit* trees above the number *after* that owe result files."""
    rows = connection.exec_driver_sql(
        "SELECT id FROM trees WHERE owes_results = 1 AND id > ? ORDER BY id LIMIT ?",
        (after, limit),
    )
    return [row[0] for row in rows]


def owed_results(connection: Connection, trees: Sequence[int]) -> list[OwedResult]:
    """
    Return the result files that *trees* owe, with the names of this moment.

    Left out are those of drops whose names are not free yet: their moves come first.
    """
    rows = connection.exec_driver_sql(_OWED_RESULT, (_encode(trees).decode(),))
    return [OwedResult(tree=row[0], id=row[1], claim=row[2], answer_name=row[3]) for row in rows]


def clear_results(
    connection: Connection, written: Iterable[OwedResult], trees: Sequence[int]
) -> None:
    """Record that result files are on disk; those of *trees* that owe no other owe none now."""
    numbers = [(result.id,) for result in written]
    if numbers:
        connection.exec_driver_sql("UPDATE intake SET result_written = 1 WHERE id = ?", numbers)
    _clear_paid_trees(connection, trees)


def _clear_paid_trees(connection: Connection, trees: Sequence[int]) -> None:
    connection.exec_driver_sql(
        "UPDATE trees SET owes_results = 0 WHERE id = ? AND NOT EXISTS"
        " (SELECT 1 FROM intake WHERE tree = trees.id AND result_written = 0)",
        [(number,) for number in trees],
    )


def _stand_aside(connection: Connection, name: bytes) -> tuple[tuple[bytes, bytes], ...]:
    row = connection.exec_driver_sql(
        "SELECT i.id, CASE WHEN i.duplicate THEN NULL ELSE t.public_id END, i.received_at"
        " FROM intake AS i LEFT JOIN trees AS t ON t.id = i.tree WHERE i.answer_name = ?",
        (name,),
    ).one_or_none()
    if row is None:
        return ()
    aside = wanted = b".".join((name, str(row[1] or rfc3339_micros(row[2])).encode()))
    number = 1
    while _is_taken(connection, aside):
        number += 1
        aside = wanted + f"-{number}".encode()
    connection.exec_driver_sql("UPDATE intake SET answer_name = ? WHERE id = ?", (aside, row[0]))
    return ((name, aside),)


def _is_taken(connection: Connection, name: bytes) -> bool:
    return (
        connection.exec_driver_sql("SELECT 1 FROM intake WHERE answer_name = ?", (name,)).first()
        is not None
    )


def _read_owed(
    connection: Connection, statement: str, parameters: tuple[int | str, ...]
) -> list[OwedReceipt]:
    rows = connection.exec_driver_sql(statement, parameters).fetchall()
    return [_owed_receipt(connection, row) for row in rows]


def _owed_receipt(connection: Connection, row: Any) -> OwedReceipt:
    return OwedReceipt(
        id=row[0],
        claim=row[1],
        file_name=row[2],
        answer_name=row[3],
        duplicate=bool(row[4]),
        received_at=row[5],
        sha256=row[6],
        problems=row[7].encode(),
        moves=_decode_moves(row[8]),
        tree_id=row[9],
        tree_name=row[10],
        task_count=row[11] or 0,
        task_ids=_task_ids(connection, row[12], row[11]),
    )


def _task_ids(connection: Connection, tree: int | None, task_count: int | None) -> tuple[str, ...]:
    if tree is None or not task_count or task_count > MOST_LISTED_TASKS:
        return ()
    rows = connection.exec_driver_sql(
        "SELECT local_id FROM tasks WHERE id >= (SELECT first_task FROM trees WHERE id = ?)"
        " AND id < (SELECT first_task + task_count FROM trees WHERE id = ?) ORDER BY id",
        (tree, tree),
    )
    return tuple(row[0] for row in rows)


def _encode_moves(moves: Sequence[tuple[bytes, bytes]]) -> str | None:
    return _encode(moves).decode() if moves else None  # bytes as base64


def _decode_moves(text: str | None) -> tuple[tuple[bytes, bytes], ...]:
    return () if text is None else _MOVES.decode(text)
