"""
What waits to be read by one reader of a tree's events.

The scheduler's thread only appends, and never waits for a reader. What waits is bounded: when too
much does, all of it is let go, and the reader looks in the store how the tasks are instead. So a
reader that falls far behind misses starts and retries, and never the end of a task.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from inboxd.running.attempt import Attempt
from inboxd.scheduling.turn import EndedTree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inboxd.api.entry import TaskEntry
    from inboxd.events import TaskProgress
    from inboxd.store.outcomes import AttemptEnd, RequeuedTask

__all__ = ["MOST_WAITING", "Item", "RecordedEnd", "Said", "Subscription", "Taken"]

#: As for the hooks' thread: some seconds of the most that the scheduler does.
MOST_WAITING: Final = 100_000
#: The inputs and results that wait with them.
MOST_BYTES: Final = 64 * 1024 * 1024


class RecordedEnd(NamedTuple):
    """An attempt whose end was recorded."""

    attempt: Attempt
    end: AttemptEnd | RequeuedTask
    #: Microseconds since 1970, UTC.
    recorded_at: int


@dataclass(slots=True)
class Said:
    """What an attempt said of its progress; replaced while it waits."""

    newest: TaskProgress


#: A start, an end, progress, the end of all.
Item: TypeAlias = Attempt | RecordedEnd | Said | EndedTree


class Taken(NamedTuple):
    """What a reader gets at a time."""

    items: list[Item]
    #: Something was let go before these: the store says how the tasks are.
    is_behind: bool


class Subscription:
    """The queue of one reader; all but `wait` may be called from any thread."""

    def __init__(
        self, *, is_behind: bool, most_waiting: int = MOST_WAITING, most_bytes: int = MOST_BYTES
    ) -> None:
        """
        Args:
            is_behind: something was before: the tree is in the store already.
            most_waiting: so many items may wait.
            most_bytes: so much may they hold.
        """
        self._lock = threading.Lock()
        self._most_waiting = most_waiting
        self._most_bytes = most_bytes
        self._items: list[Item] = []
        self._bytes = 0
        #: By the task's id.
        self._said: dict[str, Said] = {}
        self._is_behind = is_behind
        self._error: BaseException | None = None
        self._wake: Callable[[], None] | None = None
        #: The drafts by position, once they are one tree; None: the tree was in the store.
        self.entries: Sequence[TaskEntry] | None = None
        #: False: the drafts are not known to be in the store, and nothing is given out.
        self._is_open = is_behind
        #: Nobody reads it any more. Set without the lock, by the collector of garbage too.
        self.is_dropped = False
        #: A person made something run again, so tasks may have ended twice.
        self.was_retried = False

    # The drafts become a tree --------------------------------------------------------------------

    def bind(self, entries: Sequence[TaskEntry]) -> None:
        """Take what is about to be accepted: its tasks by position."""
        self.entries = entries

    def open(self) -> None:
        """Give out what came since `bind`, and what comes: the tree was accepted."""
        with self._lock:
            self._is_open = True
            self._notify()

    def clear(self) -> None:
        """Forget what came since `bind`: the tree was withdrawn."""
        with self._lock:
            self._items.clear()
            self._said.clear()
            self._is_behind = False

    # What is told --------------------------------------------------------------------------------

    def add(self, item: Attempt | RecordedEnd | EndedTree) -> None:
        """Append an item; at once."""
        size = 0
        if isinstance(item, Attempt):
            size = len(item.inputs or b"") + len(item.params or b"")
        elif isinstance(item, RecordedEnd):
            size = len(item.end.result or "")
        with self._lock:
            if self.is_dropped:
                self._items.clear()
                return
            if isinstance(item, RecordedEnd):
                self._said.pop(item.attempt.task_id, None)
            self._append(item, size)

    def say(self, event: TaskProgress) -> None:
        """Append progress, or replace what waits of the same attempt."""
        with self._lock:
            if self.is_dropped:
                return
            said = self._said.get(event.task_id)
            if said is not None and said.newest.attempt == event.attempt:
                said.newest = event
                return
            said = self._said[event.task_id] = Said(event)
            self._append(said, 0)

    def close(self, error: BaseException) -> None:
        """Have the reader told, after what waits, that nothing more comes."""
        with self._lock:
            self._error = self._error or error
            self._is_open = True
            self._notify()

    def _append(self, item: Item, size: int) -> None:
        if len(self._items) >= self._most_waiting or self._bytes + size > self._most_bytes:
            self._items.clear()
            self._said.clear()
            self._bytes = 0
            self._is_behind = True
        self._items.append(item)
        self._bytes += size
        if self._is_open:
            self._notify()

    def _notify(self) -> None:
        if self._wake is not None:
            self._wake()
            self._wake = None

    # The reader ----------------------------------------------------------------------------------

    def take(self) -> Taken | None:
        """
        Return what waits, and forget it; None: nothing does.

        Raises:
            BaseException: nothing waits, and nothing more comes.
        """
        with self._lock:
            if self._is_open and (self._items or self._is_behind):
                taken = Taken(self._items, self._is_behind)
                self._items, self._bytes, self._is_behind = [], 0, False
                self._said.clear()
                return taken
            if self._error is not None:
                raise self._error
            return None

    async def wait(self) -> None:
        """
        Return when `take` may have something.

        Raises:
            RuntimeError: somebody else waits.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()

        def set_it() -> None:
            if not waiter.done():
                waiter.set_result(None)

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(set_it)

        with self._lock:
            if self._wake is not None:
                raise RuntimeError("these events are being read already: each reader needs its own")
            if self._error is not None or (self._is_open and (self._items or self._is_behind)):
                return
            self._wake = wake
        try:
            await waiter
        finally:
            with self._lock:
                if self._wake is wake:
                    self._wake = None
