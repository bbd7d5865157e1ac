"""
The live view of `inboxd run` on a terminal: what happened scrolls by, what goes on stays in place.

It reads the store and is told events; nothing waits for it, and nothing depends on it. A terminal
that is stopped (Ctrl-S) stops the view's thread alone.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, TextIO

from rich.live import Live
from rich.text import Text

from inboxd.cli.render.console import make_console
from inboxd.cli.render.event_lines import event_lines, last_lines
from inboxd.cli.render.live_screen import Tally, live_screen, rows_for, summary_line
from inboxd.clock import SystemClock
from inboxd.errors import InboxdError, StoreError
from inboxd.events import DrainBegan, FileRejected, FileTaken, TaskProgress, TreeEnded
from inboxd.logs import PlainFormatter
from inboxd.store.reader import StoreReader
from inboxd.store.views import Overview
from inboxd.task import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rich.console import Console

    from inboxd.clock import Clock
    from inboxd.events import Event

__all__ = ["LiveView", "can_show_live_view"]

#: Never more than four refreshes a second. Without events: two while something runs, for its
#: elapsed time; one while a tree is open (a retry may start); one in five seconds otherwise.
_FASTEST_SECONDS = 0.25
_RUNNING_SECONDS = 0.5
_OPEN_SECONDS = 1.0
_IDLE_SECONDS = 5.0

#: Events that wait to be shown; of more the oldest are only counted.
_MOST_WAITING = 2_000

#: Running tasks whose progress is kept; the screen shows the ten that began first.
_MOST_PROGRESS = 10_000

#: Open trees are counted up to here at each refresh: about 3 ms.
_MOST_OPEN = 10_000

#: How long `stop` waits for the last refresh; a stopped terminal takes none.
_STOP_SECONDS = 2.0

_NOTHING = Overview(open_trees=0, running=0, trees=(), running_tasks=())


def can_show_live_view(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether the stream is a terminal on which lines can be drawn anew."""
    environ = os.environ if environ is None else environ
    return stream.isatty() and environ.get("TERM", "") not in ("", "dumb", "unknown")


class LiveView:
    """Shows a running daemon on a terminal, from `start` to `stop`; each may be called twice."""

    def __init__(
        self,
        *,
        store_url: str,
        state: Path,
        inbox: Path,
        console: Console | None = None,
        clock: Clock | None = None,
    ) -> None:
        """
        Prepare the view.

        Args:
            store_url: the store, which must exist when `start` is called.
            state: the state directory, where the logs of attempts are.
            inbox: shown to people.
            console: the terminal; stderr unless given.
            clock: the time to count from.
        """
        self._store_url = store_url
        self._state = state
        self._inbox = inbox
        self._console = make_console(sys.stderr) if console is None else console
        self._clock = SystemClock() if clock is None else clock
        self._lock = threading.Lock()
        self._events: deque[Event] = deque(maxlen=_MOST_WAITING)
        self._records: deque[Text] = deque(maxlen=_MOST_WAITING)
        self._tally = Tally()
        #: The newest of each running task, by the ids of tree and task.
        self._progress: dict[tuple[str, str], TaskProgress] = {}
        self._stopping = False
        #: Why the store cannot be read now.
        self._problem: str | None = None
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        #: Takes the warnings and errors of the log, which are shown among the events.
        self.handler: logging.Handler = _RecordHandler(self._show_record)

    def start(self) -> None:
        """Begin to show; returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="live-view", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Show what there is for the last time, and leave the terminal as it was."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def note(self, event: Event) -> None:
        """Take an event, from any thread; returns at once and never raises."""
        with self._lock:
            if isinstance(event, TaskProgress):
                if len(self._progress) >= _MOST_PROGRESS:
                    self._progress.pop(next(iter(self._progress)))
                self._progress[event.tree_id, event.task_id] = event
                return  # shown when the screen is drawn anew, twice a second while tasks run
            self._events.append(event)
            self._tally = _tallied(self._tally, event)
            if isinstance(event, DrainBegan):
                self._stopping = True
        self._wake.set()

    def _show_record(self, text: Text) -> None:
        with self._lock:
            self._records.append(text)
        self._wake.set()

    def _run(self) -> None:
        try:
            with StoreReader(self._store_url) as reader:
                overview = self._show(reader)
        except InboxdError as error:
            self._console.print(Text(f"no live view: {error}", "red"), soft_wrap=True)
            return
        with self._lock:
            tally = self._tally
        self._console.print(summary_line(overview, tally))

    def _show(self, reader: StoreReader) -> Overview:
        """Refresh until the view is stopped, and return what went on at the end."""
        with Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live:
            while True:
                is_last = self._stop.is_set()
                overview = self._refresh(reader, live)
                if is_last:
                    return overview
                # The first event is shown at once, what follows within the next quarter second.
                self._stop.wait(_FASTEST_SECONDS)
                self._wake.wait(_patience(overview) - _FASTEST_SECONDS)
                self._wake.clear()

    def _refresh(self, reader: StoreReader, live: Live) -> Overview:
        with self._lock:
            events, records, tally = list(self._events), list(self._records), self._tally
            self._events.clear()
            self._records.clear()
            stopping = self._stopping
            progress = dict(self._progress)
        now = self._clock.now_micros()
        trees, tasks = rows_for(self._console.height)
        try:
            overview = reader.overview(trees=trees, tasks=tasks, most_open=_MOST_OPEN)
            self._problem = None
        except StoreError as error:
            overview = _NOTHING
            if self._problem != str(error):  # once, not at each refresh
                self._problem = str(error)
                records.append(Text(self._problem, "red"))
        lines = event_lines(
            events, now=now, log_tail=lambda failed: last_lines(self._state, failed)
        )
        above = [*lines, *records]
        if above:
            # At one go: each print draws everything below it anew.
            self._console.print(Text("\n").join(above), soft_wrap=True)
        screen = live_screen(
            overview,
            tally,
            inbox=self._inbox,
            stopping=stopping,
            now=now,
            trees=trees,
            tasks=tasks,
            progress=progress,
        )
        live.update(screen, refresh=True)
        return overview


def _patience(overview: Overview) -> float:
    if overview.running:
        return _RUNNING_SECONDS
    return _OPEN_SECONDS if overview.open_trees else _IDLE_SECONDS


def _tallied(tally: Tally, event: Event) -> Tally:
    taken = tally.taken + isinstance(event, FileTaken)
    rejected = tally.rejected + isinstance(event, FileRejected)
    ended, unsuccessful = tally.ended, tally.unsuccessful
    if isinstance(event, TreeEnded):
        ended += 1
        unsuccessful += event.status is not TaskStatus.COMPLETED
    return Tally(taken=taken, rejected=rejected, ended=ended, unsuccessful=unsuccessful)


#: Warnings of the log that come as events too.
_TOLD_BY_EVENTS = frozenset({"file_rejected", "tree_ended"})


class _RecordHandler(logging.Handler):
    """Hands warnings and errors on as text; what is less is told by events."""

    def __init__(self, show: Callable[[Text], None]) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(PlainFormatter())
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", None) in _TOLD_BY_EVENTS:
            return
        style = "bold red" if record.levelno >= logging.ERROR else "yellow"
        try:
            self._show(Text(self.format(record), style))
        except Exception:
            self.handleError(record)
