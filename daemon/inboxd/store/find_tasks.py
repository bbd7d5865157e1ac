"""
Tasks as programs look for them: by id over all trees, by filters, whole pages, with their results.

Every transaction is one page, so that no reader keeps the WAL from being reset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, case, func, or_, select

from inboxd.store.read_tasks import TASK_COLUMNS, view_of_row
from inboxd.store.statements import fetch
from inboxd.store.tables import STATUS_OF_STATE, task_details, tasks, trees
from inboxd.store.views import TaskDetails, TaskView

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Select

    from inboxd.store.reader import StoreReader
    from inboxd.store.views import TreeView
    from inboxd.task import TaskStatus

__all__ = [
    "FoundTask",
    "TaskFilter",
    "details_of_tasks",
    "matching_tasks",
    "newest_ids",
    "result_of",
    "task_of_tree",
    "tasks_by_number",
    "tasks_of_id",
    "tasks_of_tree",
]

#: Rows of one transaction: some tens of milliseconds.
_PAGE = 2_000

#: Numbers of one transaction where most rows are only passed over: some tens of milliseconds.
_PASS = 100_000

#: A result of more characters is read when it is asked for, and not with a whole page.
_SHORT_RESULT = 65_536


class FoundTask(msgspec.Struct, frozen=True, kw_only=True):
    """One task with what handles of it show."""

    view: TaskView
    #: Public.
    tree_id: str
    #: When its tree was received: microseconds since 1970, UTC.
    received_at: int
    #: The id of its parent.
    parent_id: str | None
    #: JSON; None: it has none, or it was too long to be read along.
    result: bytes | None
    #: False: it was too long.
    is_result_read: bool


class TaskFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What tasks are looked for; None: whatever it is."""

    statuses: frozenset[TaskStatus] | None = None
    name: str | None = None
    user_id: str | None = None
    executor: str | None = None
    parent_id: str | None = None
    #: The numbers of its tasks, from the first up to, not including, the last.
    numbers: tuple[int, int] | None = None


_parent = tasks.alias("parent")
_is_short = or_(tasks.c.result.is_(None), func.length(tasks.c.result) <= _SHORT_RESULT)

#: Of accepted trees alone, as with every reader.
_FOUND: Select[*tuple[Any, ...]] = (
    select(
        *TASK_COLUMNS,
        trees.c.first_task,
        trees.c.public_id,
        trees.c.received_at,
        _parent.c.local_id,
        case((_is_short, tasks.c.result)),
        _is_short,
    )
    .select_from(
        tasks.join(trees, trees.c.id == tasks.c.tree).outerjoin(
            _parent, _parent.c.id == tasks.c.parent
        )
    )
    .where(trees.c.accepted_at.is_not(None))
)
_BY_NUMBER = _FOUND.where(tasks.c.id.in_(bindparam("numbers", expanding=True))).order_by(tasks.c.id)
_BETWEEN = _FOUND.where(tasks.c.id >= bindparam("start"), tasks.c.id < bindparam("end")).order_by(
    tasks.c.id
)
_OF_TREE = _FOUND.where(tasks.c.tree == bindparam("tree"), tasks.c.local_id == bindparam("id"))
#: One look into the index for each tree: no index has the ids of all trees, which would cost every
#: task that is accepted.
_NUMBERS_OF_ID = (
    "SELECT task.id FROM trees CROSS JOIN tasks AS task INDEXED BY tasks_by_local_id"
    " ON task.tree = trees.id AND task.local_id = ?"
    " WHERE trees.accepted_at IS NOT NULL ORDER BY trees.id LIMIT ?"
)
_NEWEST_IDS = (
    select(tasks.c.local_id)
    .select_from(tasks.join(trees, trees.c.id == tasks.c.tree))
    .where(trees.c.accepted_at.is_not(None))
    .order_by(tasks.c.id.desc())
    .limit(bindparam("limit"))
)
_LAST = select(func.max(tasks.c.id))
_RESULT = select(tasks.c.result).where(tasks.c.id == bindparam("number"))

_DETAILS = select(
    task_details.c.task, task_details.c.inputs, task_details.c.params, task_details.c.other
).where(task_details.c.task.in_(bindparam("numbers", expanding=True)))


def tasks_by_number(reader: StoreReader, numbers: Sequence[int]) -> Iterator[FoundTask]:
    """Yield those of these tasks that there are, a page at a time, each page in their order."""
    for start in range(0, len(numbers), _PAGE):
        page = list(numbers[start : start + _PAGE])
        yield from _rows(reader, _BY_NUMBER, {"numbers": page})


def tasks_of_tree(reader: StoreReader, tree: TreeView) -> Iterator[FoundTask]:
    """Yield all tasks of a tree by position, a page at a time."""
    end = tree.first_task + tree.counts.total
    for start in range(tree.first_task, end, _PAGE):
        yield from _rows(reader, _BETWEEN, {"start": start, "end": min(start + _PAGE, end)})


def task_of_tree(reader: StoreReader, tree: TreeView, local_id: str) -> FoundTask | None:
    """Return the task of this id in a tree; None: it has none."""
    found = _rows(reader, _OF_TREE, {"tree": tree.number, "id": _storable(local_id)})
    return found[0] if found else None


def tasks_of_id(reader: StoreReader, local_id: str, most: int) -> list[FoundTask]:
    """
    Return the tasks of this id in whatever trees, by arrival; one look into an index for each tree.

    Args:
        reader: of the store.
        local_id: the id of a task in its tree.
        most: no more than this are returned.
    """
    with reader.transaction() as connection:
        rows = fetch(connection, _NUMBERS_OF_ID, (_storable(local_id), most))
    return list(tasks_by_number(reader, [row[0] for row in rows]))


def newest_ids(reader: StoreReader, most: int) -> list[str]:
    """Return the ids of the newest tasks, for hints."""
    with reader.transaction() as connection:
        return [row[0] for row in connection.execute(_NEWEST_IDS, {"limit": most})]


def matching_tasks(
    reader: StoreReader, wanted: TaskFilter, *, after: int, limit: int
) -> list[FoundTask]:
    """
    Return the first tasks that a filter lets through, by the arrival of trees and by position.

    The cost is that of a pass over the tasks until enough are found, in short transactions.

    Args:
        reader: of the store.
        wanted: the filter.
        after: only tasks whose number is larger: the last one's of the page before; 0: from the
            beginning.
        limit: at most so many; > 0.
    """
    statement, values = _statement(wanted)
    start = after + 1
    if wanted.numbers is None:
        with reader.transaction() as connection:
            end = (connection.execute(_LAST).scalar_one() or 0) + 1
    else:
        start, end = max(start, wanted.numbers[0]), wanted.numbers[1]
    found: list[FoundTask] = []
    while start < end and len(found) < limit:
        stop = min(start + _PASS, end)
        between = {"start": start, "end": stop, "limit": limit - len(found)}
        found += _rows(reader, statement, {**values, **between})
        start = stop
    return found


def result_of(reader: StoreReader, number: int) -> bytes | None:
    """Return the result of a task as JSON; None: it has none."""
    with reader.transaction() as connection:
        value = connection.execute(_RESULT, {"number": number}).scalar()
    return None if value is None else value.encode()


def details_of_tasks(
    reader: StoreReader, numbers: Sequence[int]
) -> Iterator[tuple[int, TaskDetails]]:
    """Yield (number of the task, inputs, params and the like; no result) where there are some."""
    for start in range(0, len(numbers), _PAGE):
        with reader.transaction() as connection:
            page = {"numbers": list(numbers[start : start + _PAGE])}
            rows = connection.execute(_DETAILS, page).all()
        for number, inputs, params, other in rows:
            yield (
                number,
                TaskDetails(
                    inputs=_raw(inputs), params=_raw(params), other=_raw(other), result=None
                ),
            )


def _statement(wanted: TaskFilter) -> tuple[Select[*tuple[Any, ...]], dict[str, Any]]:
    """Return the statement of a filter, and its values but for `start`, `end` and `limit`."""
    conditions: list[ColumnElement[bool]] = []
    values: dict[str, Any] = {}
    if wanted.statuses is not None:
        conditions.append(tasks.c.state.in_(bindparam("states", expanding=True)))
        values["states"] = [
            state for state, status in STATUS_OF_STATE.items() if status in wanted.statuses
        ]
    if wanted.name is not None:
        # The name is null where it equals the id.
        conditions.append(func.coalesce(tasks.c.name, tasks.c.local_id) == bindparam("name"))
        values["name"] = _storable(wanted.name)
    if wanted.executor is not None:
        conditions.append(tasks.c.executor == bindparam("executor"))
        values["executor"] = _storable(wanted.executor)
    if wanted.parent_id is not None:
        conditions.append(_parent.c.local_id == bindparam("parent"))
        values["parent"] = _storable(wanted.parent_id)
    if wanted.user_id is not None:
        owned = select(task_details.c.task).where(
            task_details.c.task == tasks.c.id,
            func.json_extract(task_details.c.other, "$.user_id") == bindparam("user"),
        )
        conditions.append(owned.exists())
        values["user"] = _storable(wanted.user_id)
    return _BETWEEN.where(*conditions).limit(bindparam("limit")), values


def _rows(
    reader: StoreReader, statement: Select[*tuple[Any, ...]], values: dict[str, Any]
) -> list[FoundTask]:
    with reader.transaction() as connection:
        rows = connection.execute(statement, values).all()
    found: list[FoundTask] = []
    for row in rows:
        first_task, tree_id, received_at, parent_id, result, is_read = row[_COUNT:]
        found.append(
            FoundTask(
                view=view_of_row(row[:_COUNT], first_task),
                tree_id=tree_id,
                received_at=received_at,
                parent_id=parent_id,
                result=_raw(result),
                is_result_read=bool(is_read),
            )
        )
    return found


_COUNT = len(TASK_COLUMNS)


def _raw(value: str | None) -> bytes | None:
    return None if value is None else value.encode()


def _storable(text: str) -> str:
    """Return the text with halves of surrogate pairs replaced, which no text in the store has."""
    return text.encode("utf-8", "replace").decode("utf-8")
