"""
How a tree comes into the store. Every function runs inside a transaction of the writer.

A small tree arrives whole and ready in one call. The rows of a large one arrive parked, chunk by
chunk, in transactions of their own; `accept_tree`, one UPDATE of one row, makes it count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.errors import StoreError
from inboxd.store.statements import execute, execute_many, fetch, fetch_one
from inboxd.store.tables import TaskFlag, TaskState
from inboxd.task import Delivery, EdgeOn, Join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from inboxd.task import RetryPolicy, TaskSpec

__all__ = [
    "SMALL_TREE",
    "TreeHeader",
    "accept_tree",
    "delete_unaccepted_trees",
    "insert_small_tree",
    "insert_tasks",
    "reserve_tree",
]

#: A tree of at most this many tasks is inserted ready, in one transaction: some 20 ms.
SMALL_TREE = 2_000

#: EdgeOn by its number in `edges.holds_on`.
EDGE_ONS = (EdgeOn.SUCCESS, EdgeOn.FAILURE, EdgeOn.END)

_EDGE_NUMBERS = {on: number for number, on in enumerate(EDGE_ONS)}

_INSERT_TREE = """
INSERT INTO trees (public_id, name, file_name, sha256, owner, idempotency_key, user_id, other,
    strict_priority, first_task, task_count, received_at, open, accepted_at, acceptance)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?,
    (SELECT coalesce((SELECT first_task + task_count FROM trees ORDER BY id DESC LIMIT 1), 1)),
    ?, ?, ?, ?, ?)
RETURNING id, first_task
"""

_INSERT_TASK = """
INSERT INTO tasks (id, tree, local_id, name, parent, state, kind, priority, due_at, acceptance,
    flags, executor, unmet, undecided, retry, timeout, attempt)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
"""

_INSERT_DETAILS = (
    "INSERT INTO task_details (task, inputs, params, other, reads) VALUES (?, ?, ?, ?, ?)"
)

_INSERT_EDGE = "INSERT INTO edges (dependency, dependant, holds_on) VALUES (?, ?, ?)"

_LAST_ACCEPTANCE = (
    "SELECT acceptance, accepted_at FROM trees WHERE acceptance IS NOT NULL"
    " ORDER BY acceptance DESC LIMIT 1"
)


class TreeHeader(msgspec.Struct, frozen=True, kw_only=True):
    """A tree as it comes in, without its tasks."""

    public_id: str
    task_count: int
    #: Microseconds since 1970, UTC.
    received_at: int
    name: str | None = None
    #: The name of the file as it was dropped; None when it came another way.
    file_name: bytes | None = None
    sha256: str | None = None
    #: The uid of the file's owner.
    owner: int | None = None
    idempotency_key: str | None = None
    user_id: str | None = None
    #: JSON object with `metadata` and `x-…` of the envelope.
    other: bytes | None = None
    strict_priority: bool = False


def reserve_tree(connection: Connection, header: TreeHeader) -> int:
    """Insert the row of a tree that is not accepted yet, and return its internal number."""
    return _insert_tree(connection, header, accepted_at=None, acceptance=None)[0]


def insert_tasks(connection: Connection, tree: int, specs: Sequence[TaskSpec]) -> None:
    """Insert a chunk of the tasks of a large tree, parked; at most `SMALL_TREE` of them."""
    row = fetch_one(
        connection,
        "SELECT first_task, strict_priority FROM trees WHERE id = ? AND accepted_at IS NULL",
        (tree,),
    )
    if row is None:
        raise StoreError(f"tree {tree} is accepted or gone: it takes no more tasks")
    _insert_specs(
        connection, tree, specs, first=row[0], strict=bool(row[1]), accepted_at=None, acceptance=0
    )


def accept_tree(connection: Connection, tree: int, now: int) -> None:
    """
    Accept a tree whose rows are all there: from the commit on it runs.

    Args:
        connection: in a transaction of the writer.
        tree: its internal number.
        now: microseconds since 1970, UTC; the time of acceptance unless an earlier tree has that
            or a later one, since acceptance times only rise.
    """
    acceptance, accepted_at = _next_acceptance(connection, now)
    execute(
        connection,
        "UPDATE trees SET accepted_at = ?, acceptance = ? WHERE id = ? AND accepted_at IS NULL",
        (accepted_at, acceptance, tree),
    )


def insert_small_tree(
    connection: Connection, header: TreeHeader, specs: Sequence[TaskSpec], now: int
) -> int:
    """Insert and accept a tree of at most `SMALL_TREE` tasks, and return its internal number."""
    acceptance, accepted_at = _next_acceptance(connection, now)
    tree, first = _insert_tree(connection, header, accepted_at=accepted_at, acceptance=acceptance)
    _insert_specs(
        connection, tree, specs, first=first, strict=header.strict_priority,
        accepted_at=accepted_at, acceptance=acceptance,
    )  # fmt: skip
    return tree


def delete_unaccepted_trees(connection: Connection) -> int:
    """Delete what a crash left of trees that were never accepted; return how many trees."""
    rows = fetch(
        connection,
        "SELECT id, first_task, first_task + task_count FROM trees"
        " WHERE ended_at IS NULL AND accepted_at IS NULL",
    )
    for tree, first, end in rows:
        tasks = (first, end)
        execute(connection, "DELETE FROM edges WHERE dependency >= ? AND dependency < ?", tasks)
        execute(connection, "DELETE FROM task_details WHERE task >= ? AND task < ?", tasks)
        execute(connection, "DELETE FROM tasks WHERE id >= ? AND id < ?", tasks)
        execute(connection, "DELETE FROM trees WHERE id = ?", (tree,))
    return len(rows)


def _insert_tree(
    connection: Connection, header: TreeHeader, *, accepted_at: int | None, acceptance: int | None
) -> tuple[int, int]:
    row = fetch_one(
        connection,
        _INSERT_TREE,
        (
            header.public_id,
            header.name,
            header.file_name,
            header.sha256,
            header.owner,
            header.idempotency_key,
            header.user_id,
            _text(header.other),
            int(header.strict_priority),
            header.task_count,
            header.received_at,
            header.task_count,
            accepted_at,
            acceptance,
        ),
    )
    assert row is not None  # noqa: S101 - an INSERT that does not raise returns its row
    return row[0], row[1]


def _next_acceptance(connection: Connection, now: int) -> tuple[int, int]:
    last = fetch_one(connection, _LAST_ACCEPTANCE)
    if last is None:
        return 1, now
    return last[0] + 1, max(now, last[1] + 1)


def _insert_specs(
    connection: Connection,
    tree: int,
    specs: Sequence[TaskSpec],
    *,
    first: int,
    strict: bool,
    accepted_at: int | None,
    acceptance: int,
) -> None:
    tasks: list[tuple[object, ...]] = []
    details: list[tuple[object, ...]] = []
    edges: list[tuple[int, int, int]] = []
    for spec in specs:
        number = first + spec.position
        has_details = not (spec.inputs is None and spec.params is None and spec.other is None)
        tasks.append(
            (
                number,
                tree,
                spec.id,
                None if spec.name == spec.id else spec.name,
                None if spec.parent is None else first + spec.parent,
                _first_state(spec, strict=strict, accepted_at=accepted_at),
                int(spec.kind),
                spec.priority,
                _due_at(spec, strict=strict, accepted_at=accepted_at),
                acceptance,
                _flags(spec, strict=strict, has_details=has_details)
                | (TaskFlag.BY_LEVEL if accepted_at is None else 0),
                spec.executor,
                _unmet(spec),
                len(spec.edges) if spec.join is Join.ANY else 0,
                _retry(spec.retry),
                spec.timeout_seconds,
            )
        )
        if has_details:
            details.append(
                (number, *map(_text, (spec.inputs, spec.params, spec.other, spec.reads)))
            )
        for edge in spec.edges:
            edges.append((first + edge.dependency, number, _EDGE_NUMBERS[edge.on]))
    execute_many(connection, _INSERT_TASK, tasks)
    if details:
        execute_many(connection, _INSERT_DETAILS, details)
    if edges:
        execute_many(connection, _INSERT_EDGE, edges)


def _unmet(spec: TaskSpec) -> int:
    if not spec.edges:
        return 0
    return 1 if spec.join is Join.ANY else len(spec.edges)


def _first_state(spec: TaskSpec, *, strict: bool, accepted_at: int | None) -> int:
    if spec.edges:
        return int(TaskState.BLOCKED)
    if spec.hold:
        return int(TaskState.HELD)
    if accepted_at is None:
        return int(TaskState.PARKED)
    if (spec.not_before_micros or 0) > accepted_at:
        return int(TaskState.WAITING)
    return int(TaskState.PARKED if strict else TaskState.READY)


def _due_at(spec: TaskSpec, *, strict: bool, accepted_at: int | None) -> int:
    not_before = spec.not_before_micros or 0
    if accepted_at is None:
        return not_before
    if strict:
        return not_before if not_before > accepted_at else 0
    return max(accepted_at, not_before)


def _flags(spec: TaskSpec, *, strict: bool, has_details: bool) -> int:
    flags = 0
    if spec.join is Join.ANY:
        flags |= TaskFlag.JOIN_ANY
    if spec.allow_failure:
        flags |= TaskFlag.ALLOW_FAILURE
    if spec.delivery is Delivery.AT_MOST_ONCE:
        flags |= TaskFlag.AT_MOST_ONCE
    if strict:
        flags |= TaskFlag.STRICT
    if spec.hold:
        flags |= TaskFlag.HOLD
    if spec.has_dependants:
        flags |= TaskFlag.HAS_DEPENDANTS
    if has_details:
        flags |= TaskFlag.HAS_DETAILS
    if spec.reads is not None:
        flags |= TaskFlag.HAS_REFERENCES
    return flags


def _retry(policy: RetryPolicy | None) -> str | None:
    if policy is None or policy.limit == 0:
        return None
    return msgspec.json.encode(policy).decode()


def _text(document: bytes | None) -> str | None:
    return None if document is None else document.decode()
