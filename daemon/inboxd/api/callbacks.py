"""The callback of a caller that is told what happens to its tree."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from inboxd.api.events import TreeEvent

__all__ = ["OnEvent", "call"]

logger = logging.getLogger(__name__)

#: Is told events, in order; what it returns is awaited if that can be.
OnEvent: TypeAlias = "Callable[[TreeEvent], Awaitable[object] | object]"


async def call(on_event: OnEvent, event: TreeEvent) -> None:
    """
    Call it, and wait until it is through; what it raises stops nothing.

    That is logged, and given to the event loop as asyncio does with what nobody catches: so a
    program that set up no `logging` sees it on stderr.
    """
    try:
        answer = on_event(event)
        if inspect.isawaitable(answer):
            await answer
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # it is ours, and not of something that it awaits
        logger.exception(
            "on_event raised for %s; the tree runs on",
            type(event).__name__,
            extra={"event": "callback_failed"},
        )
        asyncio.get_running_loop().call_exception_handler(
            {
                "message": f"on_event raised for {type(event).__name__}; the tree runs on",
                "exception": error,
            }
        )
