"""The statements that read trees. Each runs inside a transaction of its caller."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from inboxd.store.tables import TaskState, tasks, trees
from inboxd.store.views import Counts, TreeView
from inboxd.task import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Row, Select

__all__ = [
    "busiest_open",
    "count_open",
    "newest_named",
    "newest_names",
    "newest_trees",
    "oldest_open",
    "other_of",
    "owner_and_other",
    "running_by_tree",
    "tree_by_number",
    "tree_by_public_id",
    "trees_by_number",
    "trees_with_part",
]

_COLUMNS = (
    trees.c.id,
    trees.c.public_id,
    trees.c.name,
    trees.c.file_name,
    trees.c.status,
    trees.c.task_count,
    trees.c.open,
    trees.c.completed,
    trees.c.failed,
    trees.c.tolerated,
    trees.c.cancelled,
    trees.c.skipped,
    trees.c.strict_priority,
    trees.c.user_id,
    trees.c.received_at,
    trees.c.accepted_at,
    trees.c.started_at,
    trees.c.ended_at,
    trees.c.first_task,
)

#: A tree is seen from its acceptance on, never before.
_ACCEPTED: Select[*tuple[Any, ...]] = select(*_COLUMNS).where(trees.c.accepted_at.is_not(None))

_BY_PUBLIC_ID = _ACCEPTED.where(trees.c.public_id == bindparam("public_id"))
_BY_NUMBER = _ACCEPTED.where(trees.c.id == bindparam("number"))
_OTHER = select(trees.c.other).where(trees.c.id == bindparam("number"))
_OWNER = select(trees.c.owner).where(trees.c.id == bindparam("number"))
_BY_NUMBERS = _ACCEPTED.where(trees.c.id.in_(bindparam("numbers", expanding=True)))
_BY_NAME = _ACCEPTED.where(trees.c.name == bindparam("name")).order_by(trees.c.id.desc()).limit(1)
_BY_FILE_NAME = (
    _ACCEPTED.where(trees.c.file_name == bindparam("file_name"))
    .order_by(trees.c.id.desc())
    .limit(1)
)
#: Reads the index of the ids alone; who is accepted is asked of the few that match.
_NUMBERS_LIKE = select(trees.c.id).where(trees.c.public_id.like(bindparam("pattern")))
_NEWEST = _ACCEPTED.order_by(trees.c.id.desc()).limit(bindparam("limit"))
_NEWEST_NAMES = (
    select(trees.c.name, trees.c.file_name)
    .where(trees.c.accepted_at.is_not(None))
    .order_by(trees.c.id.desc())
    .limit(bindparam("limit"))
)
_OPEN = _ACCEPTED.where(trees.c.ended_at.is_(None))
_OLDEST_OPEN = _OPEN.order_by(trees.c.id).limit(bindparam("limit"))
_COUNT_OPEN = select(func.count()).select_from(
    select(trees.c.id)
    .where(trees.c.ended_at.is_(None), trees.c.accepted_at.is_not(None))
    .limit(bindparam("most"))
    .subquery()
)
#: The literal lets SQLite use the partial index of what is in progress; counted by it, not grouped,
#: since for the sake of GROUP BY it would pass over all tasks in the order of their trees.
_RUNNING_TREES = select(tasks.c.tree).where(
    tasks.c.state == bindparam("state", TaskState.IN_PROGRESS.value, literal_execute=True)
)

#: More candidates than these are not named to a person.
_MOST_CANDIDATES = 20


def tree_by_public_id(connection: Connection, public_id: str) -> TreeView | None:
    """Return the accepted tree of this id, or None."""
    return _first(connection, connection.execute(_BY_PUBLIC_ID, {"public_id": public_id}).all())


def tree_by_number(connection: Connection, number: int) -> TreeView | None:
    """Return the accepted tree of this internal number, or None."""
    return _first(connection, connection.execute(_BY_NUMBER, {"number": number}).all())


def other_of(connection: Connection, number: int) -> bytes | None:
    """Return the envelope's `metadata` and `x-…` as one JSON object, or None for none."""
    other = connection.execute(_OTHER, {"number": number}).scalar_one_or_none()
    if other is None:
        return None
    return other if isinstance(other, bytes) else str(other).encode()


def owner_and_other(connection: Connection, number: int) -> tuple[int | None, bytes | None]:
    """Return the uid of the file's owner, and what `other_of` gives."""
    owner = connection.execute(_OWNER, {"number": number}).scalar_one_or_none()
    return owner, other_of(connection, number)


def trees_by_number(connection: Connection, numbers: Iterable[int]) -> list[TreeView]:
    """Return those of these internal numbers that are accepted, in no order of meaning."""
    rows = connection.execute(_BY_NUMBERS, {"numbers": list(numbers)}).all()
    return _views(connection, rows)


def trees_with_part(connection: Connection, part: str, *, at_end: bool) -> list[TreeView]:
    """
    Return the accepted trees whose id holds *part*, at most 20 of them, newest first.

    *part* is of hexadecimal digits and hyphens.
    The cost is a pass over the index of all ids: about 10 ms for 100,000 trees.
    """
    pattern = f"%{part}" if at_end else f"%{part}%"
    numbers = list(connection.execute(_NUMBERS_LIKE, {"pattern": pattern}).scalars())
    numbers.sort(reverse=True)
    found: list[TreeView] = []
    for start in range(0, len(numbers), _MOST_CANDIDATES):
        some = trees_by_number(connection, numbers[start : start + _MOST_CANDIDATES])
        found += sorted(some, key=lambda tree: -tree.number)
        if len(found) >= _MOST_CANDIDATES:
            break
    return found[:_MOST_CANDIDATES]


def newest_named(connection: Connection, name: str, file_name: bytes) -> TreeView | None:
    """Return the newest accepted tree with this `name`, or from a file of this name."""
    rows = [
        *connection.execute(_BY_NAME, {"name": name}).all(),
        *connection.execute(_BY_FILE_NAME, {"file_name": file_name}).all(),
    ]
    return _first(connection, sorted(rows, key=lambda row: -int(row.id)))


def newest_names(connection: Connection, limit: int) -> list[tuple[str | None, bytes | None]]:
    """Return (name, file name) of the newest accepted trees, newest first."""
    return [
        (row.name, row.file_name) for row in connection.execute(_NEWEST_NAMES, {"limit": limit})
    ]


def newest_trees(
    connection: Connection, *, status: TaskStatus | None, limit: int, before: int | None
) -> list[TreeView]:
    """Return the newest accepted trees by arrival; *before*: only those with a smaller number."""
    statement = _NEWEST
    if status is not None:
        statement = statement.where(trees.c.status == status.value)
    if before is not None:
        statement = statement.where(trees.c.id < before)
    return _views(connection, connection.execute(statement, {"limit": limit}).all())


def oldest_open(connection: Connection, limit: int) -> list[TreeView]:
    """Return accepted trees that have not ended, oldest first."""
    return _views(connection, connection.execute(_OLDEST_OPEN, {"limit": limit}).all())


def count_open(connection: Connection, most: int) -> int:
    """Return how many accepted trees have not ended; counting stops at *most*."""
    return int(connection.execute(_COUNT_OPEN, {"most": most}).scalar_one())


def busiest_open(connection: Connection, running: Mapping[int, int], limit: int) -> list[TreeView]:
    """
    Return open trees, by their numbers: those with most in progress, then the oldest.

    Args:
        connection: in a transaction.
        running: what `running_by_tree` gave in it.
        limit: at most so many.
    """
    busiest = sorted(running, key=lambda number: (-running[number], number))[:limit]
    rows = [*connection.execute(_BY_NUMBERS, {"numbers": busiest}).all()]
    if len(busiest) < limit:
        # Of the oldest *limit*, at most len(busiest) are there already.
        rows += connection.execute(_OLDEST_OPEN, {"limit": limit}).all()
    found = {row.id: row for row in rows[:limit]}
    for row in rows:
        if len(found) == limit:
            break
        found.setdefault(row.id, row)
    return [_view(found[number], running.get(number, 0)) for number in sorted(found)]


def running_by_tree(connection: Connection) -> dict[int, int]:
    """Return how many tasks are in progress, by the tree's number; there is a place for each."""
    return Counter(connection.execute(_RUNNING_TREES).scalars())


def _first(connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]]) -> TreeView | None:
    return _views(connection, rows[:1])[0] if rows else None


def _views(connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[TreeView]:
    # What is in progress is counted only where something can be: an ended tree has nothing open.
    running = running_by_tree(connection) if any(row.open for row in rows) else {}
    return [_view(row, running.get(row.id, 0)) for row in rows]


def _view(row: Row[*tuple[Any, ...]], in_progress: int) -> TreeView:
    return TreeView(
        number=row.id,
        id=row.public_id,
        name=row.name,
        file_name=row.file_name,
        status=TaskStatus(row.status),
        counts=Counts(
            total=row.task_count,
            pending=row.open - in_progress,
            in_progress=in_progress,
            completed=row.completed,
            failed=row.failed + row.tolerated,
            cancelled=row.cancelled,
            skipped=row.skipped,
        ),
        tolerated=row.tolerated,
        strict_priority=bool(row.strict_priority),
        user_id=row.user_id,
        received_at=row.received_at,
        accepted_at=row.accepted_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        first_task=row.first_task,
    )
