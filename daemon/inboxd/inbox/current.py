"""The inbox that is open at the moment: reopened by the intake, borrowed by the results' thread."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxd.inbox.directory import is_still, open_inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from inboxd.config.settings import InboxSettings
    from inboxd.inbox.directory import OpenInbox

__all__ = ["CurrentInbox", "ResultsDirectory"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsDirectory:
    """A descriptor of `results/` of one's own, and the group that may read what is put there."""

    descriptor: int
    group: int
    #: The inbox, as it was open then; of one's own too.
    inbox: int

    def is_current(self) -> bool:
        """Return whether `results` in the inbox is still this directory."""
        return is_still("results", self.inbox, self.descriptor)


class CurrentInbox:
    """Holds the inbox open, and opens it anew when its path leads elsewhere."""

    def __init__(self, settings: InboxSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._opened: OpenInbox | None = None
        #: Called, from any thread, when the inbox should be opened anew.
        self.look_wanted: Callable[[], None] = _nobody

    def open(self, *, make: bool = False) -> tuple[OpenInbox, bool]:
        """
        Return the inbox, and whether it was opened just now.

        Raises:
            ConfigurationError, InboxInUse, OSError: see `open_inbox`; then none is open.
        """
        opened = self._opened
        if opened is not None and opened.is_current():
            return opened, False
        if opened is not None and opened.is_at_path():
            _tell_exchanged(opened)
        self.close()  # first, or the lock would be in our own way
        opened = open_inbox(self._settings, make=make)
        with self._lock:
            self._opened = opened
        return opened, True

    def is_current(self) -> bool:
        """Return whether what is open is what is there; for the thread that calls `open`."""
        return self._opened is not None and self._opened.is_current()

    @contextlib.contextmanager
    def results(self) -> Generator[ResultsDirectory | None]:
        """
        Lend `results/` to another thread for the length of the block.

        None: nothing is open, or another directory has come to that name, or none is there; the
        intake opens it anew, and says that results are owed.
        """
        with contextlib.ExitStack() as borrowed:
            results: ResultsDirectory | None = None
            with self._lock:
                if self._opened is not None:
                    results = _borrow(self._opened, borrowed)
            if results is not None and not results.is_current():
                self.look_wanted()
                results = None
            yield results

    def close(self) -> None:
        """Close the inbox and give up its lock; may be called twice."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


def _borrow(opened: OpenInbox, borrowed: contextlib.ExitStack) -> ResultsDirectory:
    inbox = os.dup(opened.inbox)
    borrowed.callback(os.close, inbox)
    descriptor = os.dup(opened.results)
    borrowed.callback(os.close, descriptor)
    return ResultsDirectory(descriptor=descriptor, group=opened.group, inbox=inbox)


def _tell_exchanged(opened: OpenInbox) -> None:
    for name in opened.exchanged():
        logger.warning(
            "a directory of the inbox was moved away or exchanged; answers go to the one that"
            " is there now",
            extra={"event": "inbox_directory_exchanged", "path": str(opened.path / name)},
        )


def _nobody() -> None:
    """Want nothing: nobody looks yet."""
