"""Readers of events, and of the ends of trees, on the control socket's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from typing import TYPE_CHECKING

from inboxd.control.answers import Refused
from inboxd.control.feed import FellBehind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from inboxd.control.feed import Feed

__all__ = ["Following"]

#: Events go on being kept after the last reader left, so that it finds all when it comes back.
KEEP_SECONDS = 300.0
#: Without an event a comment is sent after so long, so that a connection that broke is noticed.
_QUIET_SECONDS = 15.0
#: Events that are sent at a time; more wait in the ring, not in memory of the connection.
_BATCH = 500
#: News are gathered for so long.
_GATHER_SECONDS = 0.02
#: Readers at one time.
_MOST_READERS = 50

_RESET = b"event: reset\ndata: {}\n\n"


class Following:
    """All readers; made and used on the loop, but for what the feed calls."""

    def __init__(self, feed: Feed, loop: asyncio.AbstractEventLoop) -> None:
        self._feed = feed
        self._loop = loop
        self._news = asyncio.Event()
        self._is_told = threading.Event()
        self._waiting: Counter[str] = Counter()
        self._ends: dict[str, asyncio.Event] = {}
        self._is_closed = False
        self._keeping: asyncio.TimerHandle | None = None
        #: Readers of events now.
        self.readers = 0
        feed.on_news = self._tell_news
        feed.on_ends = lambda ended: self._call(lambda: self._see_ends(ended))

    def close(self) -> None:
        """End all readers; the feed keeps nothing any more."""
        self._is_closed = True
        if self._keeping is not None:
            self._keeping.cancel()
        self._feed.keep(is_kept=False)
        self._news.set()
        for ended in self._ends.values():
            ended.set()

    # Events --------------------------------------------------------------------------------------

    def events(self, tree_id: str | None, last: int | None) -> AsyncIterator[bytes]:
        """
        Return the events from now on, or after the one that was the last, as they are sent.

        Args:
            tree_id: only of this tree; None: all.
            last: the number of the last event that the reader has seen; None: it begins.

        Raises:
            Refused: there are too many readers.
        """
        if self.readers >= _MOST_READERS:
            raise Refused(503, f"{_MOST_READERS} read events already; try again later")
        if self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None
        self._feed.keep(is_kept=True)
        return self._sent(tree_id, self._feed.newest if last is None else last)

    async def _sent(self, tree_id: str | None, place: int) -> AsyncIterator[bytes]:
        self.readers += 1
        try:
            yield b"retry: 1000\n\n"
            while not self._is_closed:
                self._news.clear()
                self._is_told.clear()
                try:
                    entries = self._feed.after(place, _BATCH)
                except FellBehind:
                    yield _RESET
                    return
                if entries:
                    place = entries[-1].id
                    wanted = [one for one in entries if tree_id is None or one.tree_id == tree_id]
                    if wanted:
                        yield b"".join([one.text for one in wanted])
                    else:
                        await asyncio.sleep(0)
                    continue
                try:
                    async with asyncio.timeout(_QUIET_SECONDS):
                        await self._news.wait()
                    # More comes in the same turn or the next: to wake up for each would take the
                    # interpreter from the scheduler's thread.
                    await asyncio.sleep(_GATHER_SECONDS)
                except TimeoutError:
                    # With a place, so that who reads one quiet tree finds it again.
                    yield b"id: %d\n\n: quiet\n\n" % place
        finally:
            self.readers -= 1
            if not self.readers and not self._is_closed:
                self._keeping = self._loop.call_later(KEEP_SECONDS, self._stop_keeping)

    def _stop_keeping(self) -> None:
        self._keeping = None
        self._feed.keep(is_kept=False)

    def _tell_news(self) -> None:
        """From any thread, at once: wake the loop, unless it is on its way."""
        if not self._is_told.is_set():
            self._is_told.set()
            self._call(self._news.set)

    # Ends ----------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def end_of(self, tree_id: str) -> AsyncGenerator[asyncio.Event]:
        """Give what is set when a tree ends, from now on, or when the daemon does."""
        ended = self._ends.setdefault(tree_id, asyncio.Event())
        self._waiting[tree_id] += 1
        self._feed.awaited |= {tree_id}
        if self._is_closed:
            ended.set()
        try:
            yield ended
        finally:
            self._waiting[tree_id] -= 1
            if not self._waiting[tree_id]:
                del self._waiting[tree_id]
                self._ends.pop(tree_id, None)
                self._feed.awaited -= {tree_id}

    def _see_ends(self, ended: list[str]) -> None:
        for tree_id in ended:
            if tree_id in self._ends:
                self._ends[tree_id].set()

    def _call(self, what: Callable[[], object]) -> None:
        # The loop may be closed by now, at the end of the daemon.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what)
