"""Taking a tree back that was not accepted yet, in short transactions; the writer's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.store.statements import execute, fetch_one

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["withdraw_tree"]


def withdraw_tree(connection: Connection, public_id: str, *, most_tasks: int) -> int | None:
    """
    Delete some of a tree that is not accepted; call again until it says that it is done.

    Args:
        connection: in a transaction of the writer.
        public_id: of the tree, which need not be there.
        most_tasks: are deleted in this transaction.

    Returns:
        How many tasks were deleted, so that 0 means: it is gone. None: it is accepted, and nothing
        was deleted.
    """
    tree = fetch_one(
        connection,
        "SELECT id, first_task, first_task + task_count, accepted_at FROM trees"
        " WHERE public_id = ?",
        (public_id,),
    )
    if tree is None:
        return 0
    number: int
    first: int
    end: int
    number, first, end, accepted_at = tree
    if accepted_at is not None:
        return None
    begun = fetch_one(
        connection, "SELECT min(id) FROM tasks WHERE id >= ? AND id < ?", (first, end)
    )
    if begun is None or begun[0] is None:
        execute(connection, "DELETE FROM trees WHERE id = ?", (number,))
        return 0
    begin: int = begun[0]
    tasks = (begin, min(begin + most_tasks, end))
    execute(connection, "DELETE FROM edges WHERE dependency >= ? AND dependency < ?", tasks)
    execute(connection, "DELETE FROM task_details WHERE task >= ? AND task < ?", tasks)
    execute(connection, "DELETE FROM tasks WHERE id >= ? AND id < ?", tasks)
    return tasks[1] - tasks[0]
