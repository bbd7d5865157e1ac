"""
Which attempts the runner has, and which of these somebody asked to end.

What begins an attempt makes it known where it can be found, and then looks here; who asks writes
here, and then looks there. So an attempt on its way from one to the other is not missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inboxd.running.attempt import Attempt
    from inboxd.task import Outcome

__all__ = ["AskedEnds", "AttemptKey"]

#: The task's internal number, and the attempt's.
AttemptKey: TypeAlias = tuple[int, int]


class AskedEnds:
    """From any thread; each call is so short that the lock of the interpreter is enough."""

    __slots__ = ("_asked", "_here")

    def __init__(self) -> None:
        #: By the task's number, the attempt's that is not reported yet; there is one at the most.
        self._here: dict[int, int] = {}
        self._asked: set[AttemptKey] = set()

    def begin(self, attempts: Iterable[Attempt]) -> None:
        """Know attempts that are handed over; before anything else is done with them."""
        self._here.update([(attempt.task, attempt.number) for attempt in attempts])

    def ask(self, attempts: Iterable[AttemptKey]) -> frozenset[AttemptKey]:
        """Ask for the end of attempts; return those that are not over."""
        asked = frozenset(attempts)
        self._asked |= asked
        # Only now: one that ends meanwhile is taken out by `forget`, or here.
        here = frozenset(key for key in asked if self._here.get(key[0]) == key[1])
        self._asked -= asked - here
        return here

    def __bool__(self) -> bool:
        """Whether any is to end."""
        return bool(self._asked)

    def has(self, attempt: Attempt) -> bool:
        """Return whether an attempt is to end."""
        return bool(self._asked) and (attempt.task, attempt.number) in self._asked

    def forget(self, ended: Sequence[tuple[Attempt, Outcome, int]]) -> None:
        """
        Forget attempts that ended; before anybody hears of that, and so begins the next.

        Args:
            ended: as it is reported; each attempt once.
        """
        here = self._here
        for attempt, _, _ in ended:
            here.pop(attempt.task, None)
        if self._asked:
            for attempt, _, _ in ended:
                self._asked.discard((attempt.task, attempt.number))
