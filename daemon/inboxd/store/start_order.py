"""
Where a task that may start stands in the order of starts, and what is before it.

The answer is that of one moment, read in one transaction by index ranges; counting stops at
`MOST_AHEAD`, so that a queue of a million costs no more than one of ten thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.store.acceptance import SMALL_TREE
from inboxd.store.claims import parked_levels, parked_tasks, ready_tasks
from inboxd.store.statements import fetch, fetch_one
from inboxd.store.tables import TaskState
from inboxd.task import PlaceKind

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["MOST_AHEAD", "Blocker", "Standing", "standing_of"]

#: So many tasks before it are counted.
MOST_AHEAD = 10_000

#: Of so many open trees the parked tasks are looked at, the oldest first.
_MOST_TREES = 1_000

#: Priority, due time, order of acceptance, number.
_Key = tuple[int, int, int, int]

_WHY = (
    "has priority {theirs}, and this one {own}",
    "was due earlier",
    "is of a tree that was accepted earlier",
    "stands before it in the file",
)


class Blocker(msgspec.Struct, frozen=True, kw_only=True):
    """A task that comes before another one."""

    tree_id: str
    #: In its file.
    id: str
    priority: int
    #: Why it comes first: a predicate, as in `has priority 0, and this one 2`.
    why: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a task that may start stands."""

    kind: PlaceKind
    #: Tasks before it that may start and need the same kind of place; at most `MOST_AHEAD`.
    ahead: int
    #: Tasks in progress on that kind of place.
    running: int
    #: The first task of the queue; None: this one is.
    first: Blocker | None
    #: A more urgent task of the same tree, which `strict_priority` waits for; None: there is none.
    strict: Blocker | None


class _Tree(msgspec.Struct, frozen=True):
    number: int
    public_id: str
    accepted_at: int
    acceptance: int
    #: What a person gave all of it, until the rows say so.
    given: int | None
    is_strict: int


_OWN = """
SELECT kind, coalesce(trees.priority, tasks.priority),
  CASE WHEN state = 1 THEN max(due_at, trees.accepted_at) ELSE due_at END,
  trees.acceptance, tasks.id, due_at, tasks.priority, state
FROM tasks JOIN trees ON trees.id = tasks.tree WHERE tasks.id = ?
"""
_READY_AHEAD = (
    "SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_ready WHERE state = 2 AND kind = ?"
    " AND (priority, due_at, acceptance, id) < (?, ?, ?, ?) LIMIT +?)"
)
_PARKED_AHEAD = (
    "SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_parked WHERE state = 1"
    " AND tree = ? AND kind = ? AND priority = ? AND (due_at, id) < (?, ?) LIMIT +?)"
)
_TREES = (
    "SELECT id, public_id, accepted_at, acceptance, priority, strict_priority FROM trees"
    " INDEXED BY trees_open WHERE ended_at IS NULL AND accepted_at IS NOT NULL AND marks = 0"
    " AND (task_count > ? OR strict_priority = 1) ORDER BY id LIMIT +?"
)
_RUNNING = "SELECT count(*) FROM tasks INDEXED BY tasks_in_progress WHERE state = 10 AND kind = ?"
#: More urgent tasks of a strict tree: in progress, or waiting for a retry.
_URGENT = (
    "SELECT local_id, priority, 'is in progress' FROM tasks INDEXED BY tasks_in_progress"
    " WHERE state = 10 AND tree = ? AND priority < ?"
    " UNION ALL SELECT local_id, priority, 'waits for a retry' FROM tasks INDEXED BY tasks_waiting"
    " WHERE state = 3 AND tree = ? AND attempt > 0 AND priority < ? ORDER BY 2 LIMIT 1"
)


def standing_of(connection: Connection, number: int, *, now: int) -> Standing | None:
    """
    Return how a task stands in the order of starts; None: it is not one that may start.

    Args:
        connection: in a transaction.
        number: of the task.
        now: microseconds since 1970, UTC.
    """
    row = fetch_one(connection, _OWN, (number,))
    if row is None or row[7] not in (TaskState.PARKED, TaskState.READY) or row[2] > now:
        return None
    kind, key, own_due, own_priority = row[0], (row[1], row[2], row[3], row[4]), row[5], row[6]
    trees = [_Tree(*each) for each in fetch(connection, _TREES, (SMALL_TREE, _MOST_TREES))]
    ahead: int = fetch(connection, _READY_AHEAD, (kind, *key, MOST_AHEAD))[0][0]
    for tree in trees:
        if ahead >= MOST_AHEAD:
            break
        is_own = tree.acceptance == key[2]
        ahead += _parked_ahead(
            connection, tree, kind, key, own=(own_priority, own_due) if is_own else None, now=now
        )
    return Standing(
        kind=PlaceKind(kind),
        ahead=min(ahead, MOST_AHEAD),
        running=fetch(connection, _RUNNING, (kind,))[0][0],
        first=_first(connection, trees, kind, key, now=now),
        strict=_strict_blocker(connection, trees, key, own_priority, now=now),
    )


def _parked_ahead(
    connection: Connection,
    tree: _Tree,
    kind: int,
    key: _Key,
    *,
    own: tuple[int, int] | None,
    now: int,
) -> int:
    """Count the parked tasks of a tree before the key; *own*: row priority and due, of its tree."""
    found = 0
    levels = [level for level in parked_levels(connection, tree.number) if level.due_at <= now]
    if tree.is_strict:  # a whole level is held back while a more urgent one is active
        levels = levels[:1]
    for level in levels:
        priority = level.priority if tree.given is None else tree.given
        if level.kind != kind or priority > key[0]:
            continue
        if priority < key[0]:
            end = (now + 1, 0)
        elif own is not None:
            end = (now + 1, 0) if level.priority < own[0] else (own[1], key[3])
            if level.priority > own[0]:
                continue
        elif tree.accepted_at > key[1]:
            continue
        else:  # those due earlier, and of the same time those of a tree accepted earlier
            end = (key[1] + (tree.acceptance < key[2]), 0)
            if tree.accepted_at == key[1] and tree.acceptance > key[2]:
                continue
        counted = (tree.number, kind, level.priority, *end, MOST_AHEAD - found)
        found += fetch(connection, _PARKED_AHEAD, counted)[0][0]
    return found


def _first(
    connection: Connection, trees: list[_Tree], kind: int, key: _Key, *, now: int
) -> Blocker | None:
    """Return the first task of the queue, unless it is the one of the key."""
    keyed: list[tuple[_Key, int, str]] = [
        ((one.priority, one.due_at, one.acceptance, one.id), one.tree, one.local_id)
        for one in ready_tasks(connection, kind, 1)
    ]
    for tree in trees:
        level = next(
            (one for one in parked_levels(connection, tree.number) if one.kind == kind), None
        )
        if level is None:
            continue
        priority = level.priority if tree.given is None else tree.given
        keyed += [
            ((priority, max(one.due_at, tree.accepted_at), tree.acceptance, one.id), one.tree,
             one.local_id)
            for one in parked_tasks(
                connection, tree.number, kind, level.priority, now=now, limit=1
            )
        ]  # fmt: skip
    first, number, local_id = min(keyed, default=(key, 0, ""))
    if first >= key:
        return None
    differs = next(index for index in range(4) if first[index] != key[index])
    row = fetch_one(connection, "SELECT public_id FROM trees WHERE id = ?", (number,))
    return Blocker(
        tree_id="" if row is None else row[0],
        id=local_id,
        priority=first[0],
        why=_WHY[differs].format(theirs=first[0], own=key[0]),
    )


def _strict_blocker(
    connection: Connection, trees: list[_Tree], key: _Key, own_priority: int, *, now: int
) -> Blocker | None:
    """Return a more urgent task of the same tree, when that has `strict_priority`."""
    tree = next((one for one in trees if one.acceptance == key[2] and one.is_strict), None)
    if tree is None or tree.given is not None:
        return None
    urgent = fetch_one(connection, _URGENT, (tree.number, own_priority) * 2)
    if urgent is not None:
        return Blocker(tree_id=tree.public_id, id=urgent[0], priority=urgent[1], why=urgent[2])
    for level in parked_levels(connection, tree.number):
        if level.priority < own_priority and level.due_at <= now:
            for one in parked_tasks(
                connection, tree.number, level.kind, level.priority, now=now, limit=1
            ):
                return Blocker(
                    tree_id=tree.public_id, id=one.local_id, priority=one.priority, why="is ready"
                )
    return None
