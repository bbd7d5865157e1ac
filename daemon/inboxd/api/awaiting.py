"""Awaiting what another thread gives, from whatever event loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["result_of"]

T = TypeVar("T")


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
