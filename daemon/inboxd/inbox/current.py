"""The inbox that is open at the moment: reopened by the intake, borrowed by the results' thread."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxd.inbox.directory import open_inbox

if TYPE_CHECKING:
    from collections.abc import Generator

    from inboxd.config.settings import InboxSettings
    from inboxd.inbox.directory import OpenInbox

__all__ = ["CurrentInbox", "ResultsDirectory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsDirectory:
    """A descriptor of `results/` of one's own, and the group that may read what is put there."""

    descriptor: int
    group: int


class CurrentInbox:
    """Holds the inbox open, and opens it anew when its path leads elsewhere."""

    def __init__(self, settings: InboxSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._opened: OpenInbox | None = None

    def open(self, *, make: bool = False) -> tuple[OpenInbox, bool]:
        """
        Return the inbox, and whether it was opened just now.

        Raises:
            ConfigurationError, InboxInUse, OSError: see `open_inbox`; then none is open.
        """
        opened = self._opened
        if opened is not None and opened.is_current():
            return opened, False
        self.close()  # first, or the lock would be in our own way
        opened = open_inbox(self._settings, make=make)
        with self._lock:
            self._opened = opened
        return opened, True

    @contextlib.contextmanager
    def results(self) -> Generator[ResultsDirectory | None]:
        """Lend `results/` to another thread for the length of the block; None: nothing is open."""
        with self._lock:
            opened = self._opened
            descriptor = None if opened is None else os.dup(opened.results)
        if opened is None or descriptor is None:
            yield None
            return
        try:
            yield ResultsDirectory(descriptor=descriptor, group=opened.group)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Close the inbox and give up its lock; may be called twice."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()
