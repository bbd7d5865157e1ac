"""Store a checked array that came without a file: whole, or, a large one, in turns of its own."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import TYPE_CHECKING

from inboxd.api.awaiting import done_in_time, result_of
from inboxd.store.acceptance import (
    SMALL_TREE,
    accept_tree,
    insert_small_tree,
    insert_tasks,
    reserve_tree,
)
from inboxd.store.intake import find_reserved, has_task
from inboxd.store.withdrawal import withdraw_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inboxd.array.check import CheckedArray
    from inboxd.clock import Clock
    from inboxd.scheduling.scheduler import Scheduler
    from inboxd.store.acceptance import TreeHeader
    from inboxd.store.intake import Connection
    from inboxd.task import TaskSpec

__all__ = ["accept"]

logger = logging.getLogger(__name__)

#: As for files (`inbox.large`): no other work waits longer than 80 ms.
_TASKS_A_CHUNK = 500
#: Deleting is quicker: some 20 ms.
_TASKS_WITHDRAWN = 5_000


async def accept(
    scheduler: Scheduler, header: TreeHeader, checked: CheckedArray, *, clock: Clock
) -> None:
    """
    Accept a tree; return after the commit from which on it runs.

    Whatever ends it before that, a cancellation too, leaves nothing of the tree: what is in the
    store is deleted, and a tree whose acceptance was under way is cancelled.
    """
    acceptance = _Acceptance(scheduler, header, checked, clock)
    try:
        await acceptance.run()
    except GeneratorExit:
        # The coroutine is thrown away: nothing can be awaited any more.
        acceptance.withdraw()
        raise
    except BaseException:
        withdrawn = acceptance.withdraw()
        # A second cancellation, and the end of our patience, end this wait, not the withdrawal.
        if not await done_in_time(withdrawn):
            logger.warning(
                "the store cannot be written: a tree that was cancelled while it was accepted is"
                " withdrawn when it can be again",
                extra={"event": "withdrawal_waits", "tree": header.public_id},
            )
        raise


class _Acceptance:
    """
    One tree on its way in.

    Each work looks first what is there, since it may be run again after a commit whose end is
    unknown; and does nothing more once the tree is withdrawn.
    """

    def __init__(
        self, scheduler: Scheduler, header: TreeHeader, checked: CheckedArray, clock: Clock
    ) -> None:
        self._scheduler = scheduler
        self._header = header
        self._checked = checked
        self._clock = clock
        self._is_withdrawn = False

    async def run(self) -> None:
        """Bring it in."""
        if self._checked.task_count <= SMALL_TREE:
            await self._write(self._insert(list(self._checked.specs())))
            return
        await self._write(self._reserve)
        for specs in self._checked.batches(_TASKS_A_CHUNK):
            await self._write(self._chunk(specs))
        await self._write(self._accept)

    def withdraw(self) -> Future[None]:
        """Take it back; from the thread of the caller's loop, at once."""
        self._is_withdrawn = True
        over: Future[None] = Future()
        self._withdraw_some(over)
        return over

    async def _write(self, work: Callable[[Connection], None]) -> None:
        def unless_withdrawn(connection: Connection) -> None:
            if not self._is_withdrawn:
                work(connection)

        await result_of(self._scheduler.write(unless_withdrawn))

    def _insert(self, specs: list[TaskSpec]) -> Callable[[Connection], None]:
        def insert(connection: Connection) -> None:
            if find_reserved(connection, self._header.public_id) is None:
                insert_small_tree(connection, self._header, specs, self._clock.now_micros())

        return insert

    def _reserve(self, connection: Connection) -> None:
        if find_reserved(connection, self._header.public_id) is None:
            reserve_tree(connection, self._header)

    def _chunk(self, specs: Sequence[TaskSpec]) -> Callable[[Connection], None]:
        def insert(connection: Connection) -> None:
            tree = self._tree(connection)
            if not has_task(connection, tree, specs[0].position):
                insert_tasks(connection, tree, specs)

        return insert

    def _accept(self, connection: Connection) -> None:
        accept_tree(connection, self._tree(connection), self._clock.now_micros())

    def _tree(self, connection: Connection) -> int:
        tree = find_reserved(connection, self._header.public_id)
        assert tree is not None  # noqa: S101 - it was reserved in an earlier transaction
        return tree

    def _withdraw_some(self, over: Future[None]) -> None:
        """Delete a chunk; the next one is asked for on the scheduler's thread, after the commit."""
        public_id = self._header.public_id

        def work(connection: Connection) -> tuple[int | None, int | None]:
            deleted = withdraw_tree(connection, public_id, most_tasks=_TASKS_WITHDRAWN)
            return deleted, find_reserved(connection, public_id) if deleted is None else None

        def go_on(done: Future[tuple[int | None, int | None]]) -> None:
            if done.exception() is not None:  # the store is closed, or refuses
                over.set_result(None)
                return
            deleted, accepted = done.result()
            if accepted is not None:
                cancelled = self._scheduler.cancel_tree(accepted)
                cancelled.add_done_callback(lambda _: over.set_result(None))
            elif deleted:
                self._withdraw_some(over)
            else:
                over.set_result(None)

        self._scheduler.write(work).add_done_callback(go_on)
