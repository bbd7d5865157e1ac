"""Store a checked array that came without a file: whole, or, a large one, in turns of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inboxd.store.acceptance import (
    SMALL_TREE,
    accept_tree,
    insert_small_tree,
    insert_tasks,
    reserve_tree,
)
from inboxd.store.intake import find_reserved, has_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inboxd.array.check import CheckedArray
    from inboxd.clock import Clock
    from inboxd.scheduling.scheduler import Scheduler
    from inboxd.store.acceptance import TreeHeader
    from inboxd.store.intake import Connection
    from inboxd.task import TaskSpec

__all__ = ["accept"]

#: As for files (`inbox.large`): no other work waits longer than 80 ms.
_TASKS_A_CHUNK = 500


async def accept(
    scheduler: Scheduler, header: TreeHeader, checked: CheckedArray, *, clock: Clock
) -> None:
    """
    Accept a tree; return after the commit from which on it runs.

    Each work looks first what is there, since it may be run again after a commit whose end is
    unknown.
    """
    if checked.task_count <= SMALL_TREE:
        specs = list(checked.specs())

        def insert(connection: Connection) -> None:
            if find_reserved(connection, header.public_id) is None:
                insert_small_tree(connection, header, specs, clock.now_micros())

        await asyncio.wrap_future(scheduler.write(insert))
        return

    def reserve(connection: Connection) -> int:
        found = find_reserved(connection, header.public_id)
        return reserve_tree(connection, header) if found is None else found

    tree = await asyncio.wrap_future(scheduler.write(reserve))
    for specs in checked.batches(_TASKS_A_CHUNK):
        await asyncio.wrap_future(scheduler.write(_chunk(tree, specs)))
    await asyncio.wrap_future(
        scheduler.write(lambda connection: accept_tree(connection, tree, clock.now_micros()))
    )


def _chunk(tree: int, specs: Sequence[TaskSpec]) -> Callable[[Connection], None]:
    def insert(connection: Connection) -> None:
        if not has_task(connection, tree, specs[0].position):
            insert_tasks(connection, tree, specs)

    return insert
