"""Awaiting what another thread gives, from whatever event loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["done_in_time", "result_of"]

T = TypeVar("T")

#: Who is cancelled waits so long for what must be committed first: it takes milliseconds, unless
#: the store cannot be written, as on a full disk.
_PATIENCE_SECONDS = 5.0


async def result_of(future: Future[T]) -> T:
    """
    Return what a future of another thread gives, or raise what it raises.

    Unlike `asyncio.wrap_future`, cancelling the wait leaves the future alone, since the scheduler's
    thread commits the work all the same and then says so; and a loop that was closed meanwhile
    is no error for the thread that says so.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def tell(_: Future[T]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    await waiter
    return future.result()


async def done_in_time(future: Future[T]) -> bool:
    """
    Wait for a future of another thread, but not for ever; return whether it is done.

    For who must go on after a cancellation, also when the store cannot be written now. What the
    future gives, or raises, is left in it; another cancellation ends the wait.
    """
    waiter = asyncio.ensure_future(result_of(future))
    try:
        await asyncio.wait({waiter}, timeout=_PATIENCE_SECONDS)
    finally:
        waiter.cancel()
    return future.done()
