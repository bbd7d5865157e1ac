"""Change what is kept of a task and never read; inside a transaction of the writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.errors import Conflict, NotFound
from inboxd.store.statements import execute, fetch_one
from inboxd.store.tables import STATUS_OF_STATE, TaskFlag
from inboxd.task import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

__all__ = ["change_labels"]


def change_labels(
    connection: Connection, task: int, labels: Mapping[str, Any], *, only_pending: bool
) -> None:
    """
    Change what people read of a task; may be done again.

    Args:
        connection: in a transaction of the writer.
        task: its internal number.
        labels: some of `description`, `metadata`, `user_id`; None: nothing any more.
        only_pending: refuse a task that is not.

    Raises:
        NotFound: there is no such task.
        Conflict: it is in progress, or has ended, and only a pending one was meant.
    """
    row = fetch_one(
        connection,
        "SELECT tasks.state, tasks.local_id, task_details.task, task_details.other FROM tasks"
        " LEFT JOIN task_details ON task_details.task = tasks.id WHERE tasks.id = ?",
        (task,),
    )
    if row is None:
        raise NotFound("the task is not in the store any more")
    state, local_id, has_details, written = row
    status = STATUS_OF_STATE[state]
    if only_pending and status is not TaskStatus.PENDING:
        raise Conflict(f"task {local_id} is {status}: it is changed only while it is pending")
    other = {} if written is None else msgspec.json.decode(written, type=dict[str, Any])
    for key, value in labels.items():
        other.pop(key, None)
        if value is not None:
            other[key] = value
    document = msgspec.json.encode(other).decode() if other else None
    if has_details is not None:
        execute(connection, "UPDATE task_details SET other = ? WHERE task = ?", (document, task))
    elif document is not None:
        execute(
            connection, "INSERT INTO task_details (task, other) VALUES (?, ?)", (task, document)
        )
        execute(
            connection,
            f"UPDATE tasks SET flags = flags | {TaskFlag.HAS_DETAILS} WHERE id = ?",  # noqa: S608 - a constant
            (task,),
        )
