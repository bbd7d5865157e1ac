"""Store a large array: its tasks in turns of their own, so that the scheduler goes on meanwhile."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from inboxd.failpoints import failpoint
from inboxd.inbox.accept import accept_large, insert_chunk, reserve_large
from inboxd.inbox.writer import result_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from inboxd.array.check import CheckedArray
    from inboxd.clock import Clock
    from inboxd.inbox.accept import Incoming
    from inboxd.inbox.writer import Writer
    from inboxd.store.intake import Connection, OwedReceipt
    from inboxd.task import TaskSpec

__all__ = ["store_large"]

#: Tasks that are stored in one turn. Measured on two busy cores: with 500 no other work waited
#: longer than 80 ms, with 2,000 up to 170 ms; the array took as long.
_TASKS_A_CHUNK = 500

#: Chunks that are under way at one time: one is written, the next one decoded.
_CHUNKS_AHEAD = 2


def store_large(
    incoming: Incoming,
    checked: CheckedArray,
    *,
    writer: Writer,
    clock: Clock,
    stopping: threading.Event,
) -> OwedReceipt:
    """
    Store all tasks of an array, none of which counts before the last transaction, and record it.

    Raises:
        WriteUnfinished: a stop came in between; what is there goes at the next start.
        Exception: the store could not be written.
    """
    reserved = result_of(
        writer.write(lambda connection: reserve_large(connection, incoming)), stopping
    )
    if not isinstance(reserved, int):
        return reserved
    failpoint("after_reserve")
    tree: int = reserved
    chunks: deque[Future[None]] = deque()
    for specs in checked.batches(_TASKS_A_CHUNK):
        if len(chunks) >= _CHUNKS_AHEAD:
            result_of(chunks.popleft(), stopping)
            failpoint("after_chunk")
        chunks.append(writer.write(_chunk_work(tree, specs)))
    for chunk in chunks:
        result_of(chunk, stopping)
    failpoint("before_commit")
    accepted = writer.write(
        lambda connection: accept_large(connection, incoming, tree, clock.now_micros())
    )
    return result_of(accepted, stopping)


def _chunk_work(tree: int, specs: Sequence[TaskSpec]) -> Callable[[Connection], None]:
    return lambda connection: insert_chunk(connection, tree, specs)
