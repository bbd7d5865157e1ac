"""
Works for the scheduler's thread that record a drop: as a new tree, a duplicate, or a rejection.

Each may be run again after a commit whose end is unknown, so each looks first whether it is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.array.problem import Problem, ProblemCode, quoted
from inboxd.inbox.file_names import plain_answer_name
from inboxd.inbox.receipts import encode_problems
from inboxd.store.acceptance import (
    TreeHeader,
    accept_tree,
    insert_small_tree,
    insert_tasks,
    reserve_tree,
)
from inboxd.store.intake import (
    MOST_LISTED_TASKS,
    Drop,
    Duplicate,
    find_key_holder,
    find_recorded,
    find_reserved,
    has_task,
    record_drop,
    record_duplicate,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.array.check import CheckedArray
    from inboxd.inbox.claim import Claim
    from inboxd.inbox.read import Content
    from inboxd.store.intake import Connection, OwedReceipt
    from inboxd.task import TaskSpec

__all__ = [
    "Incoming",
    "Rejection",
    "accept_large",
    "accept_small",
    "incoming_tree",
    "insert_chunk",
    "reject",
    "reserve_large",
]


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A checked task array on its way into the store."""

    claim: str
    header: TreeHeader
    file_name: bytes
    sha256: str
    #: Their ids by position; empty for more than a receipt lists.
    task_ids: tuple[str, ...]
    #: Warnings, as the receipt will hold them.
    warnings: bytes
    #: Line and column of the `idempotency_key`; None without one.
    key_place: tuple[int, int] | None


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is rejected, whole."""

    claim: str
    file_name: bytes
    #: Microseconds since 1970, UTC.
    received_at: int
    #: None when it was not read.
    sha256: str | None
    #: Its errors, as the receipt will hold them.
    problems: bytes


def incoming_tree(
    claim: Claim, content: Content, checked: CheckedArray, *, tree_id: str, received_at: int
) -> Incoming:
    """Return the array as it goes into the store, under the public id *tree_id*."""
    listed = checked.task_count <= MOST_LISTED_TASKS
    return Incoming(
        claim=claim.key,
        file_name=claim.file_name,
        sha256=content.sha256,
        task_ids=tuple(checked.ids) if listed else (),
        warnings=encode_problems(checked.warnings),
        key_place=checked.key_place,
        header=TreeHeader(
            public_id=tree_id,
            name=checked.name,
            file_name=claim.file_name,
            sha256=content.sha256,
            owner=content.owner,
            idempotency_key=checked.idempotency_key,
            user_id=checked.user_id,
            other=checked.other,
            strict_priority=checked.strict_priority,
            task_count=checked.task_count,
            received_at=received_at,
        ),
    )


def reject(connection: Connection, rejection: Rejection) -> OwedReceipt:
    """Record a rejected file."""
    recorded = find_recorded(connection, rejection.claim)
    if recorded is not None:
        return recorded
    return record_drop(
        connection,
        Drop(
            claim=rejection.claim,
            file_name=rejection.file_name,
            answer_name=plain_answer_name(rejection.file_name),
            received_at=rejection.received_at,
            sha256=rejection.sha256,
            problems=rejection.problems,
        ),
    )


def accept_small(
    connection: Connection, incoming: Incoming, specs: Sequence[TaskSpec], now: int
) -> OwedReceipt:
    """Record a drop with all its tasks, ready to run; *now* is the time of acceptance."""
    done = _done_or_repeated(connection, incoming)
    if done is not None:
        return done
    tree = insert_small_tree(connection, incoming.header, specs, now)
    return _record_tree(connection, incoming, tree)


def reserve_large(connection: Connection, incoming: Incoming) -> int | OwedReceipt:
    """Return the number of the tree whose tasks may now come; a receipt when there is none."""
    done = _done_or_repeated(connection, incoming)
    if done is not None:
        return done
    tree = find_reserved(connection, incoming.header.public_id)
    return reserve_tree(connection, incoming.header) if tree is None else tree


def insert_chunk(connection: Connection, tree: int, specs: Sequence[TaskSpec]) -> None:
    """Insert some of the tasks of a large array."""
    if not has_task(connection, tree, specs[0].position):
        insert_tasks(connection, tree, specs)


def accept_large(connection: Connection, incoming: Incoming, tree: int, now: int) -> OwedReceipt:
    """Let a large array whose tasks are all there count, and record its drop."""
    # Somebody may have run an earlier tree with its key again meanwhile. Then this one never
    # counts, and goes at the next start.
    done = _done_or_repeated(connection, incoming)
    if done is not None:
        return done
    accept_tree(connection, tree, now)
    return _record_tree(connection, incoming, tree)


def _record_tree(connection: Connection, incoming: Incoming, tree: int) -> OwedReceipt:
    return record_drop(
        connection,
        Drop(
            claim=incoming.claim,
            file_name=incoming.file_name,
            answer_name=plain_answer_name(incoming.file_name),
            received_at=incoming.header.received_at,
            sha256=incoming.sha256,
            problems=incoming.warnings,
            tree=tree,
            tree_id=incoming.header.public_id,
            tree_name=incoming.header.name,
            task_count=incoming.header.task_count,
            task_ids=incoming.task_ids,
        ),
    )


def _done_or_repeated(connection: Connection, incoming: Incoming) -> OwedReceipt | None:
    recorded = find_recorded(connection, incoming.claim)
    header = incoming.header
    if recorded is not None or header.idempotency_key is None or header.owner is None:
        return recorded
    holder = find_key_holder(connection, header.owner, header.idempotency_key)
    if holder is None:
        return None
    if holder.sha256 == incoming.sha256:
        return record_duplicate(
            connection,
            Duplicate(
                claim=incoming.claim,
                file_name=incoming.file_name,
                answer_name=plain_answer_name(incoming.file_name),
                received_at=header.received_at,
                sha256=incoming.sha256,
                tree=holder.tree,
            ),
        )
    return reject(
        connection,
        Rejection(
            claim=incoming.claim,
            file_name=incoming.file_name,
            received_at=header.received_at,
            sha256=incoming.sha256,
            problems=encode_problems(
                [_conflict(header.idempotency_key, incoming.key_place, holder.tree_id)]
            ),
        ),
    )


def _conflict(key: str, place: tuple[int, int] | None, tree_id: str) -> Problem:
    line, column = place or (None, None)
    return Problem(
        code=ProblemCode.IDEMPOTENCY_CONFLICT,
        pointer="/idempotency_key",
        line=line,
        column=column,
        message=f"{quoted(key)} was used by tree {tree_id}, with other content",
        hint="use a new key for new content; a key is free again when its tree failed or was"
        " cancelled",
    )
