"""How far attempts are, as they say themselves: the newest of each, told now and then."""

from __future__ import annotations

import contextlib
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from inboxd.events import TaskProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inboxd.clock import Clock
    from inboxd.running.attempt import Attempt

__all__ = ["Progress", "ProgressBoard", "Said", "progress_of"]

#: A fraction and a message as somebody gave them, for `progress_of`.
Said: TypeAlias = tuple[object, object]

#: One line on a terminal; more is of no use to people.
_LONGEST_MESSAGE = 200
#: An attempt's progress is told so often at the most.
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


@dataclass(slots=True)
class _Newest:
    """The newest progress of one attempt."""

    attempt: Attempt
    progress: Progress
    told_at: float
    is_told: bool


class ProgressBoard:
    """The newest progress of each attempt that runs; from any thread."""

    def __init__(self, clock: Clock, tell: Callable[[TaskProgress], None] | None = None) -> None:
        """
        Args:
            clock: monotonic seconds.
            tell: gets an attempt's progress at most once a second, the newest a second later if
                nothing follows it; returns at once.
        """
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        #: By the task's number.
        self._newest: dict[int, _Newest] = {}
        #: Whether `_tell_rest` is going to be called.
        self._is_timed = False

    def note(self, attempt: Attempt, fraction: object, message: object = "") -> None:
        """Take note of what an attempt said; never raises for what that is."""
        progress = progress_of(fraction, message)
        now = self._clock.monotonic()
        with self._lock:
            newest = self._newest.get(attempt.task)
            if newest is None or newest.attempt.number < attempt.number:
                newest = _Newest(attempt, progress, -math.inf, is_told=False)
                self._newest[attempt.task] = newest
            elif newest.attempt.number > attempt.number:
                return  # a thread of an earlier attempt that has not returned
            is_due = now - newest.told_at >= _TELL_SECONDS
            newest.progress, newest.is_told = progress, is_due
            if is_due:
                newest.told_at = now
            elif self._tell is not None and not self._is_timed:
                self._tell_later(newest.told_at + _TELL_SECONDS - now)
        if is_due and self._tell is not None:
            self._tell(_event(attempt, progress))

    def of(self, attempt: Attempt) -> Progress | None:
        """Return the newest progress of an attempt; None: it said nothing."""
        return self.newest_of(attempt.task, attempt.number)

    def newest_of(self, task: int, number: int) -> Progress | None:
        """Return the newest progress of an attempt by its task's number and its own; None: none."""
        newest = self._newest.get(task)
        is_its = newest is not None and newest.attempt.number == number
        return newest.progress if newest is not None and is_its else None

    def forget(self, attempts: Iterable[Attempt]) -> None:
        """Forget attempts that ended; costs nothing while nobody says anything."""
        if not self._newest:
            return
        with self._lock:
            for attempt in attempts:
                newest = self._newest.get(attempt.task)
                if newest is not None and newest.attempt.number == attempt.number:
                    del self._newest[attempt.task]

    def _tell_later(self, seconds: float) -> None:
        """Have `_tell_rest` called; the lock is held."""
        timer = threading.Timer(max(0.01, seconds), self._tell_rest)
        timer.name, timer.daemon = "progress", True
        # Without a thread it is told with the next that the attempt says.
        with contextlib.suppress(RuntimeError):
            timer.start()
            self._is_timed = True

    def _tell_rest(self) -> None:
        """Tell what came too soon after what was told, and still is the newest."""
        now = self._clock.monotonic()
        events: list[TaskProgress] = []
        with self._lock:
            self._is_timed = False
            rest = [one for one in self._newest.values() if not one.is_told]
            for one in rest:
                if now - one.told_at >= _TELL_SECONDS:
                    one.is_told, one.told_at = True, now
                    events.append(_event(one.attempt, one.progress))
            left = [one.told_at for one in rest if not one.is_told]
            if left:
                self._tell_later(min(left) + _TELL_SECONDS - now)
        for event in events:
            if self._tell is not None:
                self._tell(event)


def _event(attempt: Attempt, progress: Progress) -> TaskProgress:
    return TaskProgress(
        tree_id=attempt.tree_id,
        task_id=attempt.task_id,
        attempt=attempt.number,
        fraction=progress.fraction,
        message=progress.message,
    )
