"""How far attempts are, as they say themselves: the newest of each, told now and then."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import msgspec

from inboxd.events import TaskProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inboxd.clock import Clock
    from inboxd.running.attempt import Attempt

__all__ = ["Progress", "ProgressBoard", "progress_of"]

#: One line on a terminal; more is of no use to people.
_LONGEST_MESSAGE = 200
#: An attempt's progress is told so often at the most; the newest is kept all the same.
_TELL_SECONDS = 1.0


class Progress(msgspec.Struct, frozen=True):
    """How far an attempt is."""

    #: 0 to 1; None: not known.
    fraction: float | None
    #: For people, bounded; may hold any character.
    message: str = ""


def progress_of(fraction: object, message: object = "") -> Progress:
    """Return progress from what somebody said, which may be anything; never raises."""
    number: float | None = None
    if isinstance(fraction, int | float) and not isinstance(fraction, bool):
        try:
            number = float(fraction)
        except OverflowError:
            number = 1.0 if fraction > 0 else 0.0
        number = None if math.isnan(number) else min(1.0, max(0.0, number))
    text = ""
    if message is not None:
        try:
            text = message if isinstance(message, str) else str(message)
        except Exception:  # the text of a foreign object
            text = ""
    return Progress(number, text[:_LONGEST_MESSAGE])


class ProgressBoard:
    """The newest progress of each attempt that runs; from any thread."""

    def __init__(self, clock: Clock, tell: Callable[[TaskProgress], None] | None = None) -> None:
        """
        Args:
            clock: monotonic seconds.
            tell: gets an attempt's progress at most once a second; returns at once.
        """
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        #: By the task's number: the attempt's, what it said, when it was told.
        self._newest: dict[int, tuple[int, Progress, float]] = {}

    def note(self, attempt: Attempt, fraction: object, message: object = "") -> None:
        """Take note of what an attempt said; never raises for what that is."""
        progress = progress_of(fraction, message)
        now = self._clock.monotonic()
        with self._lock:
            number, _, told_at = self._newest.get(attempt.task, (0, None, -math.inf))
            if number > attempt.number:
                return  # a thread of an earlier attempt that has not returned
            is_due = number != attempt.number or now - told_at >= _TELL_SECONDS
            self._newest[attempt.task] = (attempt.number, progress, now if is_due else told_at)
        if is_due and self._tell is not None:
            self._tell(
                TaskProgress(
                    tree_id=attempt.tree_id,
                    task_id=attempt.task_id,
                    attempt=attempt.number,
                    fraction=progress.fraction,
                    message=progress.message,
                )
            )

    def of(self, attempt: Attempt) -> Progress | None:
        """Return the newest progress of an attempt; None: it said nothing."""
        number, progress, _ = self._newest.get(attempt.task, (0, None, 0.0))
        return progress if number == attempt.number else None

    def forget(self, attempts: Iterable[Attempt]) -> None:
        """Forget attempts that ended; costs nothing while nobody says anything."""
        if not self._newest:
            return
        with self._lock:
            for attempt in attempts:
                number = self._newest.get(attempt.task, (0,))[0]
                if number == attempt.number:
                    del self._newest[attempt.task]
