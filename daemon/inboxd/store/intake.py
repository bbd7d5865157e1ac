"""
The `intake` table: what was dropped, what became of it, and which answers are still owed.

Every function runs inside a transaction of the writer. One claim has one row, whatever crashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection

from inboxd.clock import rfc3339_micros
from inboxd.errors import StoreError
from inboxd.store.statements import execute, execute_many, fetch, fetch_one

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

#: A receipt lists the ids of at most so many tasks (docs/explanation/intake.md).
MOST_LISTED_TASKS = 10_000

_encode = msgspec.json.encode

#: Pairs (from, to) of answer names.
_Moves = tuple[tuple[bytes, bytes], ...]

_DECODER = msgspec.json.Decoder(_Moves)

_OWED_RECEIPT = """
SELECT i.id, i.claim, i.file_name, i.answer_name, i.duplicate, i.received_at, i.sha256, i.receipt,
    i.moves, t.public_id, t.name, t.task_count, t.id
FROM intake AS i LEFT JOIN trees AS t ON t.id = i.tree
"""

_INSERT = """
INSERT INTO intake (claim, file_name, answer_name, tree, duplicate, received_at, sha256, receipt,
    moves, owes_receipt)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (answer_name) DO NOTHING
RETURNING id
"""

_OWED_RESULT = """
SELECT t.id, i.id, i.claim, i.answer_name, t.ended_at
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
    moves: _Moves
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
    #: When the tree ended; one that is made to run again ends, and owes, another time.
    ended_at: int


class KeyHolder(msgspec.Struct, frozen=True):
    """The tree that holds an `idempotency_key`."""

    tree: int
    tree_id: str
    sha256: str | None


def find_key_holder(connection: Connection, owner: int, key: str) -> KeyHolder | None:
    """Return the tree that holds *key* for the user *owner*; None when the key is free."""
    row = fetch_one(
        connection,
        "SELECT id, public_id, sha256 FROM trees WHERE owner = ? AND idempotency_key = ?"
        " AND accepted_at IS NOT NULL AND status NOT IN ('failed', 'cancelled')"
        " ORDER BY id DESC LIMIT 1",
        (owner, key),
    )
    return None if row is None else KeyHolder(*row)


def find_recorded(connection: Connection, claim: str) -> OwedReceipt | None:
    """Return what the drop with this claim owes, or owed; None when it is not recorded."""
    if fetch_one(connection, "SELECT 1 FROM intake WHERE claim = ?", (claim,)) is None:
        return None
    return _read_owed(connection, f"{_OWED_RECEIPT} WHERE i.claim = ?", (claim,))[0]


def reopen_claims(connection: Connection, claims: Collection[str]) -> set[str]:
    """
    Return those of *claims* that are recorded; they owe their receipts, again if need be.

    For files that lie in `.claimed/` at start: the receipt is written, the file moved, once more.
    """
    rows = fetch(
        connection,
        "UPDATE intake SET owes_receipt = 1 WHERE claim IN (SELECT value FROM json_each(?))"
        " RETURNING claim",
        (_encode(list(claims)).decode(),),
    )
    return {row[0] for row in rows}


def find_reserved(connection: Connection, tree_id: str) -> int | None:
    """Return the internal number of a tree by its public id, accepted or not; None: not there."""
    row = fetch_one(connection, "SELECT id FROM trees WHERE public_id = ?", (tree_id,))
    return None if row is None else row[0]


def has_task(connection: Connection, tree: int, position: int) -> bool:
    """Return whether the task at *position* of a tree is stored."""
    row = fetch_one(
        connection,
        "SELECT 1 FROM tasks WHERE id = (SELECT first_task FROM trees WHERE id = ?) + ?"
        " AND tree = ?",
        (tree, position, tree),
    )
    return row is not None


def record_drop(connection: Connection, drop: Drop) -> OwedReceipt:
    """Record a drop and what it owes; an earlier drop with its answers' name stands aside."""
    values = (
        drop.claim,
        drop.file_name,
        drop.answer_name,
        drop.tree,
        0,
        drop.received_at,
        drop.sha256,
        drop.problems.decode(),
    )
    number, moves = _insert(connection, drop.answer_name, values)
    return OwedReceipt(
        id=number,
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
    values = (
        drop.claim,
        drop.file_name,
        drop.answer_name,
        drop.tree,
        1,
        drop.received_at,
        drop.sha256,
        "[]",
    )
    number, _ = _insert(connection, drop.answer_name, values)
    execute(
        connection,
        "UPDATE trees SET owes_results = 1 WHERE id = ? AND ended_at IS NOT NULL",
        (drop.tree,),
    )
    return _read_owed(connection, f"{_OWED_RECEIPT} WHERE i.id = ?", (number,))[0]


def owed_receipts(connection: Connection, *, after: int, limit: int) -> list[OwedReceipt]:
    """Return the next *limit* drops that owe a receipt, above the number *after*, in order."""
    return _read_owed(
        connection,
        f"{_OWED_RECEIPT} WHERE i.owes_receipt = 1 AND i.id > ? ORDER BY i.id LIMIT ?",
        (after, limit),
    )


def clear_moves(connection: Connection, drops: Iterable[int]) -> None:
    """Record that the earlier answers stand aside: the names are the drops' own from now on."""
    execute_many(
        connection,
        "UPDATE intake SET moves = NULL WHERE id = ?",
        [(number,) for number in drops],
    )


def clear_receipts(connection: Connection, drops: Iterable[int]) -> None:
    """Record that the receipts are on disk and the files moved."""
    execute_many(
        connection,
        "UPDATE intake SET owes_receipt = 0 WHERE id = ?",
        [(number,) for number in drops],
    )


def trees_owing_results(connection: Connection, *, after: int, limit: int) -> list[int]:
    """Return the first *limit* trees above the number *after* that owe result files."""
    rows = fetch(
        connection,
        "SELECT id FROM trees WHERE owes_results = 1 AND id > ? ORDER BY id LIMIT ?",
        (after, limit),
    )
    return [row[0] for row in rows]


def owed_results(connection: Connection, trees: Sequence[int]) -> list[OwedResult]:
    """
    Return the result files that *trees* owe, with the names of this moment.

    Left out are those of drops whose names are not free yet: their moves come first.
    """
    rows = fetch(connection, _OWED_RESULT, (_encode(trees).decode(),))
    return [
        OwedResult(tree=row[0], id=row[1], claim=row[2], answer_name=row[3], ended_at=row[4])
        for row in rows
    ]


def clear_results(
    connection: Connection, written: Iterable[OwedResult], trees: Iterable[int]
) -> None:
    """
    Record that result files are on disk; those of *trees* that owe no other owe none now.

    What was made to run again meanwhile owes another.
    """
    execute_many(
        connection,
        "UPDATE intake SET result_written = 1 WHERE id = ?"
        " AND EXISTS (SELECT 1 FROM trees WHERE id = ? AND ended_at = ?)",
        [(result.id, result.tree, result.ended_at) for result in written],
    )
    execute_many(
        connection,
        "UPDATE trees SET owes_results = 0 WHERE id = ? AND NOT EXISTS"
        " (SELECT 1 FROM intake WHERE tree = trees.id AND result_written = 0)",
        [(number,) for number in trees],
    )


def _insert(
    connection: Connection, answer_name: bytes, values: tuple[object, ...]
) -> tuple[int, _Moves]:
    """Insert a row, first without looking whether an earlier one has its name: most have not."""
    row = fetch_one(connection, _INSERT, (*values, None))
    if row is not None:
        return row[0], ()
    moves = _stand_aside(connection, answer_name)
    row = fetch_one(connection, _INSERT, (*values, _encode(moves).decode()))  # bytes as base64
    if row is None:
        raise StoreError(f"the name of answers {answer_name!r} does not come free")
    return row[0], moves


def _stand_aside(connection: Connection, name: bytes) -> _Moves:
    """Give the drop whose answers have this name another one, by its tree or its time."""
    row = fetch_one(
        connection,
        "SELECT i.id, CASE WHEN i.duplicate THEN NULL ELSE t.public_id END, i.received_at"
        " FROM intake AS i LEFT JOIN trees AS t ON t.id = i.tree WHERE i.answer_name = ?",
        (name,),
    )
    if row is None:
        return ()
    aside = wanted = b".".join((name, str(row[1] or rfc3339_micros(row[2])).encode()))
    number = 1
    while _is_taken(connection, aside):
        number += 1
        aside = wanted + f"-{number}".encode()
    execute(connection, "UPDATE intake SET answer_name = ? WHERE id = ?", (aside, row[0]))
    return ((name, aside),)


def _is_taken(connection: Connection, name: bytes) -> bool:
    return fetch_one(connection, "SELECT 1 FROM intake WHERE answer_name = ?", (name,)) is not None


def _read_owed(
    connection: Connection, statement: str, parameters: tuple[int | str, ...]
) -> list[OwedReceipt]:
    return [_owed_receipt(connection, row) for row in fetch(connection, statement, parameters)]


def _owed_receipt(connection: Connection, row: tuple[Any, ...]) -> OwedReceipt:
    return OwedReceipt(
        id=row[0],
        claim=row[1],
        file_name=row[2],
        answer_name=row[3],
        duplicate=bool(row[4]),
        received_at=row[5],
        sha256=row[6],
        problems=row[7].encode(),
        moves=() if row[8] is None else _DECODER.decode(row[8]),
        tree_id=row[9],
        tree_name=row[10],
        task_count=row[11] or 0,
        task_ids=_task_ids(connection, row[12], row[11]),
    )


def _task_ids(connection: Connection, tree: int | None, task_count: int | None) -> tuple[str, ...]:
    if tree is None or not task_count or task_count > MOST_LISTED_TASKS:
        return ()
    rows = fetch(
        connection,
        "SELECT local_id FROM tasks WHERE id >= (SELECT first_task FROM trees WHERE id = ?)"
        " AND id < (SELECT first_task + task_count FROM trees WHERE id = ?) ORDER BY id",
        (tree, tree),
    )
    return tuple(row[0] for row in rows)
