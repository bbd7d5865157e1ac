"""The statements that read tasks, attempts, edges; each in a transaction of its caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, func, select

from inboxd.store.tables import (
    STATUS_OF_STATE,
    TaskFlag,
    TaskState,
    attempts,
    edges,
    task_details,
    tasks,
    trees,
)
from inboxd.store.views import AttemptView, EdgeView, RunningTask, TaskDetails, TaskView
from inboxd.task import EdgeOn, RetryPolicy, TaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row, Select

    from inboxd.store.views import TreeView

__all__ = [
    "TASK_COLUMNS",
    "attempts_of",
    "count_edges",
    "details_of",
    "edges_from",
    "edges_to",
    "parents_between",
    "running",
    "task_by_id",
    "tasks_between",
    "tasks_by_number",
    "tasks_in_state",
    "tasks_named",
    "view_of_row",
]

#: What `view_of_row` takes, in this order.
TASK_COLUMNS = (
    tasks.c.id,
    tasks.c.tree,
    tasks.c.local_id,
    tasks.c.name,
    tasks.c.parent,
    tasks.c.state,
    tasks.c.priority,
    tasks.c.due_at,
    tasks.c.flags,
    tasks.c.executor,
    tasks.c.unmet,
    tasks.c.retry,
    tasks.c.timeout,
    tasks.c.attempt,
    tasks.c.failures,
    tasks.c.interruptions,
    tasks.c.start_seq,
    tasks.c.started_at,
    tasks.c.ended_at,
    tasks.c.error,
)

_TASKS: Select[*tuple[Any, ...]] = select(*TASK_COLUMNS)
_BY_ID = _TASKS.where(tasks.c.tree == bindparam("tree"), tasks.c.local_id == bindparam("id"))
_BY_NUMBERS = _TASKS.where(tasks.c.id.in_(bindparam("numbers", expanding=True))).order_by(
    tasks.c.id
)
#: A tree's tasks are one run of numbers, so its pages are ranges of the primary key.
_BETWEEN = _TASKS.where(tasks.c.id >= bindparam("start"), tasks.c.id < bindparam("end")).order_by(
    tasks.c.id
)
_NAMED = (
    _TASKS.where(
        tasks.c.id >= bindparam("start"),
        tasks.c.id < bindparam("end"),
        tasks.c.name == bindparam("name"),
    )
    .order_by(tasks.c.id)
    .limit(2)
)
_IN_STATE = _BETWEEN.where(tasks.c.state == bindparam("state")).limit(bindparam("limit"))
_PARENTS = (
    select(tasks.c.id, tasks.c.parent)
    .where(
        tasks.c.id >= bindparam("start"),
        tasks.c.id < bindparam("end"),
        tasks.c.parent.is_not(None),
    )
    .order_by(tasks.c.id)
)
_DETAILS = (
    select(task_details.c.inputs, task_details.c.params, task_details.c.other, tasks.c.result)
    .select_from(tasks.outerjoin(task_details, task_details.c.task == tasks.c.id))
    .where(tasks.c.id == bindparam("number"))
)
_ATTEMPTS = (
    select(
        attempts.c.number,
        attempts.c.start_seq,
        attempts.c.started_at,
        attempts.c.ended_at,
        attempts.c.outcome,
        attempts.c.error,
    )
    .where(attempts.c.task == bindparam("task"))
    .order_by(attempts.c.number)
)
_IN_PROGRESS = select(tasks.c.attempt, tasks.c.start_seq, tasks.c.started_at).where(
    tasks.c.id == bindparam("task"), tasks.c.state == TaskState.IN_PROGRESS.value
)
_EDGES_TO = (
    select(tasks.c.id, tasks.c.local_id, tasks.c.state, edges.c.holds_on)
    .select_from(edges.join(tasks, tasks.c.id == edges.c.dependency))
    .where(edges.c.dependant == bindparam("task"))
    .order_by(edges.c.dependency, edges.c.holds_on)
    .limit(bindparam("limit"))
)
_UNDECIDED_EDGES_TO = _EDGES_TO.where(tasks.c.state <= TaskState.IN_PROGRESS.value)
_EDGES_FROM = (
    select(tasks.c.id, tasks.c.local_id, tasks.c.state, edges.c.holds_on)
    .select_from(edges.join(tasks, tasks.c.id == edges.c.dependant))
    .where(edges.c.dependency == bindparam("task"))
    .order_by(edges.c.dependant, edges.c.holds_on)
    .limit(bindparam("limit"))
)
_COUNT_TO = select(func.count()).select_from(edges).where(edges.c.dependant == bindparam("task"))
_COUNT_FROM = select(func.count()).select_from(edges).where(edges.c.dependency == bindparam("task"))
#: The literal lets SQLite use the partial index of what is in progress.
_RUNNING = (
    select(
        tasks.c.id,
        tasks.c.tree,
        trees.c.public_id,
        trees.c.name,
        trees.c.file_name,
        tasks.c.local_id,
        (tasks.c.id - trees.c.first_task).label("position"),
        tasks.c.executor,
        tasks.c.attempt,
        tasks.c.started_at,
    )
    .select_from(tasks.join(trees, trees.c.id == tasks.c.tree))
    .where(tasks.c.state == bindparam("state", TaskState.IN_PROGRESS.value, literal_execute=True))
    .order_by(tasks.c.start_seq)
    .limit(bindparam("limit"))
)

_EDGE_ON: dict[int, EdgeOn] = dict(enumerate(EdgeOn))
#: Enums are slow to combine and to call, and a tree may have a million tasks.
_STATES = {state.value: state for state in TaskState}
_STATUSES = {state.value: STATUS_OF_STATE[state] for state in TaskState}
_JOIN_ANY = TaskFlag.JOIN_ANY
_ALLOW_FAILURE = TaskFlag.ALLOW_FAILURE
_AT_MOST_ONCE = TaskFlag.AT_MOST_ONCE
_STRICT = TaskFlag.STRICT
_HOLD = TaskFlag.HOLD
_RELEASED = TaskFlag.RELEASED
_HAS_DEPENDANTS = TaskFlag.HAS_DEPENDANTS
_decode_error = msgspec.json.Decoder(TaskError).decode
_decode_retry = msgspec.json.Decoder(RetryPolicy).decode


def task_by_id(connection: Connection, tree: TreeView, local_id: str) -> TaskView | None:
    """Return the task of this id in its file, or None."""
    rows = connection.execute(_BY_ID, {"tree": tree.number, "id": local_id}).all()
    return view_of_row(rows[0], tree.first_task) if rows else None


def tasks_named(connection: Connection, tree: TreeView, name: str) -> list[TaskView]:
    """Return the first two tasks of this `name` (one that differs from its id)."""
    values = {**_range(tree, 0, tree.counts.total), "name": name}
    return [view_of_row(row, tree.first_task) for row in connection.execute(_NAMED, values)]


def tasks_by_number(
    connection: Connection, tree: TreeView, numbers: list[int]
) -> dict[int, TaskView]:
    """Return those tasks of the tree by their internal numbers; ask for some hundreds at most."""
    rows = connection.execute(_BY_NUMBERS, {"numbers": numbers})
    return {row.id: view_of_row(row, tree.first_task) for row in rows if row.tree == tree.number}


def tasks_between(connection: Connection, tree: TreeView, start: int, end: int) -> list[TaskView]:
    """Return the tasks at the positions from *start* up to, not including, *end*."""
    rows = connection.execute(_BETWEEN, _range(tree, start, end))
    return [view_of_row(row, tree.first_task) for row in rows]


def tasks_in_state(
    connection: Connection, tree: TreeView, state: TaskState, start: int, end: int, limit: int
) -> list[TaskView]:
    """Return the first *limit* tasks in this state at these positions; passes over all of them."""
    values = {**_range(tree, start, end), "state": state.value, "limit": limit}
    return [view_of_row(row, tree.first_task) for row in connection.execute(_IN_STATE, values)]


def parents_between(
    connection: Connection, tree: TreeView, start: int, end: int
) -> list[tuple[int, int]]:
    """Return (position, position of its parent) of the tasks at these positions with a parent."""
    first = tree.first_task
    rows = connection.execute(_PARENTS, _range(tree, start, end))
    return [(number - first, parent - first) for number, parent in rows]


def details_of(connection: Connection, number: int) -> TaskDetails:
    """Return what is read of one task only: all None for a number that is no task's."""
    row = connection.execute(_DETAILS, {"number": number}).first()
    if row is None:
        return TaskDetails(inputs=None, params=None, other=None, result=None)
    return TaskDetails(
        inputs=_raw(row.inputs), params=_raw(row.params), other=_raw(row.other),
        result=_raw(row.result),
    )  # fmt: skip


def attempts_of(connection: Connection, number: int) -> list[AttemptView]:
    """Return the attempts of a task by their numbers, the one in progress last."""
    over = connection.execute(_ATTEMPTS, {"task": number})
    views = [
        AttemptView(
            number=row.number,
            start_seq=row.start_seq,
            started_at=row.started_at,
            ended_at=row.ended_at,
            outcome=row.outcome,
            error=_error(row.error),
        )
        for row in over
    ]
    row = connection.execute(_IN_PROGRESS, {"task": number}).first()
    if row is not None:
        views.append(
            AttemptView(
                number=row.attempt,
                start_seq=row.start_seq,
                started_at=row.started_at,
                ended_at=None,
                outcome=None,
                error=None,
            )
        )
    return views


def edges_to(
    connection: Connection, number: int, *, limit: int, undecided: bool = False
) -> list[EdgeView]:
    """Return the dependencies in order of position; *undecided*: those that have not ended."""
    statement = _UNDECIDED_EDGES_TO if undecided else _EDGES_TO
    return [_edge(row) for row in connection.execute(statement, {"task": number, "limit": limit})]


def edges_from(connection: Connection, number: int, *, limit: int) -> list[EdgeView]:
    """Return the tasks that depend on this one, in order of position."""
    return [_edge(row) for row in connection.execute(_EDGES_FROM, {"task": number, "limit": limit})]


def count_edges(connection: Connection, number: int) -> tuple[int, int]:
    """Return how many edges lead to the task's dependencies, and how many come from dependants."""
    to = connection.execute(_COUNT_TO, {"task": number}).scalar_one()
    return int(to), int(connection.execute(_COUNT_FROM, {"task": number}).scalar_one())


def running(connection: Connection, limit: int) -> list[RunningTask]:
    """Return the tasks in progress over all trees, those that started first first."""
    return [
        RunningTask(
            number=row.id,
            tree=row.tree,
            tree_id=row.public_id,
            tree_name=row.name,
            file_name=row.file_name,
            task_id=row.local_id,
            position=row.position,
            executor=row.executor,
            attempt=row.attempt,
            started_at=row.started_at,
        )
        for row in connection.execute(_RUNNING, {"limit": limit})
    ]


def _range(tree: TreeView, start: int, end: int) -> dict[str, Any]:
    end = min(end, tree.counts.total)
    return {"start": tree.first_task + start, "end": tree.first_task + end}


def view_of_row(row: Sequence[Any], first_task: int) -> TaskView:
    """Return the view of a row of `TASK_COLUMNS`, of the tree that begins at *first_task*."""
    (
        number, tree, local_id, name, parent, state, priority, due_at, flags, executor, unmet,
        retry, timeout, attempt, failures, interruptions, start_seq, started_at, ended_at, error,
    ) = row  # fmt: skip
    return TaskView(
        number=number,
        tree=tree,
        position=number - first_task,
        id=local_id,
        name=local_id if name is None else name,
        parent=parent,
        status=_STATUSES[state],
        state=_STATES[state],
        executor=executor,
        priority=priority,
        due_at=due_at,
        join_any=flags & _JOIN_ANY != 0,
        allow_failure=flags & _ALLOW_FAILURE != 0,
        at_most_once=flags & _AT_MOST_ONCE != 0,
        hold=flags & _HOLD != 0,
        is_released=flags & _RELEASED != 0,
        strict=flags & _STRICT != 0,
        has_dependants=flags & _HAS_DEPENDANTS != 0,
        unmet=unmet,
        retry=None if retry is None else _decode_retry(retry),
        timeout_seconds=timeout,
        attempts=attempt,
        failures=failures,
        interruptions=interruptions,
        start_seq=start_seq,
        started_at=started_at,
        ended_at=ended_at,
        error=_error(error),
    )


def _edge(row: Row[*tuple[Any, ...]]) -> EdgeView:
    return EdgeView(
        number=row.id, id=row.local_id, status=_STATUSES[row.state],
        on=_EDGE_ON[row.holds_on],
    )  # fmt: skip


def _error(value: str | None) -> TaskError | None:
    return None if value is None else _decode_error(value)


def _raw(value: str | None) -> bytes | None:
    return None if value is None else value.encode()
