"""
The watch on the inbox: the only door to watchdog.

Its events only say "look now"; and which names were moved in or closed shortens a wait. It stands
on watchdog's reader of one inotify instance, `InotifyFD`, and not on an `Observer`, because that

- holds every event back by 0.5 s after a file was renamed out, which is what a claim does;
- keeps an unbounded queue, and walks its pending events once more for each file moved in;
- tells nobody of an overflow, and goes on as if alive when the directory is gone.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask

from inboxd.inbox.file_names import is_candidate, is_misplaced_answer
from inboxd.inbox.settle import Hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchdog.observers.inotify_c import InotifyEvent, WatchDescriptor

__all__ = ["Watcher"]

logger = logging.getLogger(__name__)

#: Names with a hint at one time; past it all are dropped, which costs their files `settle`.
_MOST_HINTS = 65_536

_MADE_WHOLE = InotifyConstants.IN_MOVED_TO | InotifyConstants.IN_CLOSE_WRITE
_CHANGED = InotifyConstants.IN_CREATE | InotifyConstants.IN_MODIFY
_GONE = (
    InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_UNMOUNT
    | InotifyConstants.IN_IGNORED
)
#: Not IN_MOVED_FROM: our own claims would wake us.
_MASK = Mask(
    _MADE_WHOLE
    | _CHANGED
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_EXCL_UNLINK
)


class _Arrivals:
    """What the events said since it was last asked; its methods run on watchdog's thread."""

    def __init__(self, wake: threading.Event, suffixes: Sequence[bytes]) -> None:
        self._wake = wake
        self._suffixes = tuple(suffixes)
        self._lock = threading.Lock()
        self._hints: dict[bytes, Hint] = {}
        #: The directory that was watched is gone or has another path.
        self.is_gone = False

    def on_event(self, event: InotifyEvent) -> None:
        mask = event.mask
        if mask & _GONE:
            self.is_gone = True
            self._wake.set()
        elif mask & InotifyConstants.IN_ATTRIB:
            # The directory's own rights changed. That it is removed gives no event at all while we
            # hold it open (measured on Linux 6.18); the intake looks for that by itself.
            if not event.name:
                self._wake.set()
        elif not mask & InotifyConstants.IN_ISDIR:
            if is_candidate(event.name, self._suffixes):
                self._note(event.name, mask)
            elif is_misplaced_answer(event.name):
                self._wake.set()  # to be reported

    def _note(self, name: bytes, mask: int) -> None:
        hint = Hint.WHOLE if mask & _MADE_WHOLE else Hint.CHANGED
        with self._lock:
            if len(self._hints) >= _MOST_HINTS:
                self._hints.clear()
            self._hints[name] = hint
        if not mask & InotifyConstants.IN_MODIFY:
            # A file that is being written to is looked at again when it may have rested.
            self._wake.set()

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        del wd
        self.is_gone = True
        self._wake.set()

    def on_queue_overflow(self) -> None:
        self._wake.set()

    def take(self) -> dict[bytes, Hint]:
        """Return the newest hint for each name since the last call."""
        with self._lock:
            hints, self._hints = self._hints, {}
        return hints


class Watcher:
    """Watches one directory at a time; when that is not possible it says why, and looks go on."""

    def __init__(self, wake: threading.Event, suffixes: Sequence[bytes]) -> None:
        self._wake = wake
        self._suffixes = tuple(suffixes)
        self._reader: InotifyFD | None = None
        self._arrivals = _Arrivals(wake, self._suffixes)
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why events do not come; None while they do."""
        return self._problem

    def is_watching(self) -> bool:
        """Return whether events of the directory come."""
        return self._reader is not None and self._reader.is_alive() and not self._arrivals.is_gone

    def watch(self, directory: int) -> bool:
        """Watch the open *directory* from now on; return whether it works."""
        self.stop()
        arrivals = _Arrivals(self._wake, self._suffixes)
        try:
            reader = InotifyFD()
        except OSError as error:
            return self._failed(error)
        reader.name = "inbox-watch"
        reader.start()
        try:
            # By its descriptor: the path may lead elsewhere by now (proc_pid_fd(5)).
            path = f"/proc/self/fd/{directory}".encode()
            watch = reader.add_callback(path, _MASK, arrivals, CallbackId(id(arrivals)))
            if watch < 0:  # watchdog is silent about EACCES
                raise PermissionError("the inbox may not be read")
        except OSError as error:
            _end(reader)
            return self._failed(error)
        self._reader, self._arrivals = reader, arrivals
        if self._problem is not None:
            logger.info("the inbox is watched again", extra={"event": "inbox_watched_again"})
        self._problem = None
        return True

    def take(self) -> dict[bytes, Hint]:
        """Return the newest hint for each name since the last call."""
        return self._arrivals.take()

    def stop(self) -> None:
        """Watch nothing from now on; may be called twice."""
        reader, self._reader = self._reader, None
        if reader is not None:
            _end(reader)

    def _failed(self, error: OSError) -> bool:
        problem = f"{error.strerror or error}"
        if problem != self._problem:
            logger.warning(
                "the inbox cannot be watched; it is looked through at short intervals instead"
                " (see fs.inotify in `sysctl -a`)",
                extra={"event": "inbox_not_watched", "reason": problem},
            )
        self._problem = problem
        return False


def _end(reader: InotifyFD) -> None:
    reader.stop()
    reader.join()
