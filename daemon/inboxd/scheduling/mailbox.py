"""
What other threads hand to the scheduler's thread: outcomes, works to write, places that are kept.

They only append and wake; what is appended before a turn begins is in that turn.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from inboxd.errors import InboxdError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from inboxd.running.attempt import Attempt
    from inboxd.task import Outcome

__all__ = ["EndedAttempt", "Mailbox", "StoreClosed", "Work"]

T = TypeVar("T")

#: An attempt, how it ended, and when (microseconds since 1970, UTC).
EndedAttempt = tuple["Attempt", "Outcome", int]


class StoreClosed(InboxdError):
    """The scheduler stopped before the work was committed; nothing of it was kept."""


@dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """Something to write in a turn's transaction, in a savepoint of its own."""

    #: May be run again after a commit that failed or whose end is unknown, so it looks first.
    run: Callable[[Connection], T]
    future: Future[T]


class Mailbox:
    """The queues between the threads and the turns."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """*wake* makes a turn come soon; it may be called from any thread."""
        self._wake = wake
        self._outcomes: deque[EndedAttempt] = deque()
        self._works: deque[Work[Any]] = deque()
        self._kept: deque[tuple[int, int]] = deque()
        self._closed = False

    def add_outcomes(self, ended: Sequence[EndedAttempt]) -> None:
        """Hand over attempts that ended."""
        self._outcomes.extend(ended)
        self._wake()

    def keep_places(self, kind: int, change: int) -> None:
        """
        Report that an attempt keeps its place beyond its outcome (+1), or has left it (-1).

        The +1 comes before the outcome is handed over.
        """
        self._kept.append((kind, change))
        if change < 0:
            self._wake()

    def write(self, work: Callable[[Connection], T]) -> Future[T]:
        """
        Have *work* run in the next turn's transaction.

        Args:
            work: short (under 20 ms); does nothing but use its connection; may be run again
                when a commit fails, so it looks at what is there first.

        Returns:
            Resolved after the commit. Its exception is what *work* raised, or `StoreClosed`.
        """
        future: Future[T] = Future()
        if self._closed:
            future.set_exception(StoreClosed("the daemon is stopping; nothing was written"))
            return future
        self._works.append(Work(work, future))
        self._wake()
        return future

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits for a turn."""
        return not (self._outcomes or self._works or self._kept)

    @property
    def has_works(self) -> bool:
        """Whether works wait for a turn."""
        return bool(self._works)

    def take_outcomes(self) -> list[EndedAttempt]:
        """Take all that is there; for the scheduler's thread only."""
        taken: list[EndedAttempt] = []
        while self._outcomes:
            taken.append(self._outcomes.popleft())
        return taken

    def give_outcomes_back(self, outcomes: Sequence[EndedAttempt]) -> None:
        """Put outcomes back at the front, in their order, after a turn that failed."""
        self._outcomes.extendleft(reversed(outcomes))

    def take_work(self) -> Work[Any] | None:
        """Take the next work; for the scheduler's thread only."""
        return self._works.popleft() if self._works else None

    def give_works_back(self, works: Sequence[Work[Any]]) -> None:
        """Put works back at the front, in their order, after a turn that failed."""
        self._works.extendleft(reversed(works))

    def take_kept(self) -> list[tuple[int, int]]:
        """Take the (kind, change) of places kept; after the outcomes, which come later."""
        taken: list[tuple[int, int]] = []
        while self._kept:
            taken.append(self._kept.popleft())
        return taken

    def close(self) -> None:
        """Refuse works from now on, and those that wait."""
        self._closed = True
        while self._works:
            work = self._works.popleft()
            work.future.set_exception(StoreClosed("the daemon is stopping; nothing was written"))
