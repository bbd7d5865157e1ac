"""An attempt that the event loop awaits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inboxd.running.outcomes import CUT, timed_out

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable

    from inboxd.running.attempt import Attempt
    from inboxd.running.context import AttemptContext
    from inboxd.task import Outcome

__all__ = ["Awaited"]


class Awaited:
    """Its state; of the loop's thread."""

    __slots__ = (
        "attempt",
        "context",
        "is_asked_to_end",
        "is_over",
        "is_reported",
        "keeps_place",
        "limit",
        "timer",
        "value",
    )

    def __init__(
        self,
        attempt: Attempt,
        limit: float | None,
        context: AttemptContext,
        value: Awaitable[Any],
    ) -> None:
        self.attempt = attempt
        self.limit = limit
        self.context = context
        #: What is to be awaited, until that begins.
        self.value: Awaitable[Any] | None = value
        #: Ends the attempt at its time limit.
        self.timer: asyncio.TimerHandle | None = None
        #: Its time limit has passed.
        self.is_over = False
        #: Somebody asked for its end.
        self.is_asked_to_end = False
        self.is_reported = False
        #: It goes on though it was reported.
        self.keeps_place = False

    def cancel(self, task: asyncio.Task[None]) -> None:
        """Tell it to end."""
        self.context.cancelled = True
        task.cancel()

    def outcome_of_end(self) -> Outcome:
        """Return how an attempt ended that was cancelled, whatever it did then."""
        if self.is_over and self.limit is not None:
            return timed_out(self.limit)
        return CUT
