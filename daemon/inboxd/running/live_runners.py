"""
What the runners of one process share: that it is given orphans, and whether it is one runner's own.

The daemon has one runner, in a process that does nothing else. A session of the Python API runs in
the user's process, which has children of its own, and other sessions.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from inboxd.running.system_calls import be_subreaper, is_subreaper

__all__ = ["LiveRunners", "live_runners"]


class LiveRunners:
    """Counts the runners that live; from any thread."""

    def __init__(self) -> None:
        self.forget_all()

    def forget_all(self) -> None:
        """Begin anew, also in a forked child: it has no runner, and is no subreaper (prctl(2))."""
        #: A new one: the old may be held by a thread that a child does not have.
        self._lock = threading.Lock()
        self._count = 0
        self._made_subreaper = False

    def join(self) -> None:
        """
        Take note of a runner that starts; with the first the process becomes a subreaper.

        Raises:
            OSError: it cannot; the runner counts all the same.
        """
        with self._lock:
            self._count += 1
            if self._count == 1 and not is_subreaper():
                be_subreaper(is_one=True)
                self._made_subreaper = True

    def leave(self) -> None:
        """Take note of a runner that stopped; after the last the process is what it was before."""
        with self._lock:
            self._count -= 1
            if self._count == 0 and self._made_subreaper:
                self._made_subreaper = False
                be_subreaper(is_one=False)

    @property
    def are_several(self) -> bool:
        """Whether children may be another runner's."""
        return self._count > 1

    @property
    def made_subreaper(self) -> bool:
        """Whether nobody but us expects adopted children here."""
        return self._made_subreaper


#: Those of this process.
live_runners: Final = LiveRunners()

os.register_at_fork(after_in_child=live_runners.forget_all)
