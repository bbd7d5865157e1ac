"""
What a session holds, and how it is let go: by `close`, when the session is forgotten, at exit.

It does not know the session, so that one that nobody has any more is collected though its threads
run. A forked child has none of the threads: there nothing is closed, and nothing is touched.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Final

from inboxd.api.private_directory import remove_directory
from inboxd.errors import SessionClosed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inboxd.api.watch import Watch
    from inboxd.engine import Engine

__all__ = ["Lifetime", "let_go"]

logger = logging.getLogger(__name__)

#: What plugins are owed of the trees that ended is told within this, when a session is closed.
_HOOK_SECONDS = 5.0

#: What has ended is given this long to be noticed: who saw in the store that a tree ended may close
#: its session before the scheduler's thread has put the last attempt away.
_NOTICE_SECONDS = 0.05

#: Those that are not over, also when nobody has their session any more.
_open: Final[set[Lifetime]] = set()


class Lifetime:
    """The engine of a session, who watches it, and the directory that goes with it."""

    def __init__(self, engine: Engine, watch: Watch, *, private: Path | None) -> None:
        """
        Take over what is open.

        Args:
            engine: that runs.
            watch: is told when all is over.
            private: a directory that is removed then; None: the store is kept.
        """
        self._engine = engine
        self._watch = watch
        self._private = private
        #: May be entered again by a signal handler that closes the session while it is closed.
        self._lock = threading.RLock()
        #: Why nothing can be asked of it any more; None: it lives.
        self.ended_by: str | None = None
        self._is_over = False
        _open.add(self)
        _close_at_exit_of_child()

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left to close here."""
        return self._is_over

    def check(self) -> None:
        """
        Make sure that it lives.

        Raises:
            SessionClosed: it does not; the text says why.
        """
        if self.ended_by is not None:
            raise SessionClosed(self.ended_by)

    def close(self, before_release: Callable[[], None] | None = None) -> None:
        """
        End what runs, and let everything go; return when it is done, also where others do it.

        What a second Ctrl-C cuts short is done by the next call, at the latest at exit.

        Args:
            before_release: is called when nothing runs any more and the store can still be read.
        """
        with self._lock:
            if self._is_over:
                return
            engine = self._engine
            try:
                engine.drain(max(engine.settings.run.drain_timeout_seconds, _NOTICE_SECONDS))
                engine.hook_thread.finish(_HOOK_SECONDS)
                if before_release is not None:
                    before_release()
            finally:
                self.ended_by = self.ended_by or "the session is closed"
                engine.cut()
                engine.close()
                self._watch.close(SessionClosed("the session was closed while its tree ran"))
            if self._private is not None:
                remove_directory(self._private)
            self._is_over = True
            _open.discard(self)

    def leave_to_parent(self) -> None:
        """
        Leave all as it is: this process is a forked child, and a copy.

        To close the copies of SQLite's connections would be a use of them, which is forbidden
        after a fork (sqlite.org/howtocorrupt.html, 2.6), and could wait for a lock whose holder is
        in the parent: so they outlive even the end of the interpreter.
        """
        self.ended_by = (
            "this process was forked from the one that has the session, which works on there;"
            " call create_session() here for one of its own"
        )
        self._is_over = True
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._engine))


def let_go(lifetime: Lifetime) -> None:
    """Close what no session has any more; at once, for the thread that calls may be its own."""
    if lifetime.is_over:
        return
    try:
        threading.Thread(target=lifetime.close, name="forgotten-session", daemon=True).start()
    except RuntimeError:  # no thread can be had: at exit, then
        logger.debug("a session that was not closed waits for the exit", exc_info=True)


def _close_all() -> None:
    """Close what is open when the interpreter ends; what is being closed is waited for."""
    for lifetime in list(_open):
        while not lifetime.is_over:
            try:
                lifetime.close()
            except KeyboardInterrupt:  # who is impatient cuts it short, and the rest is done
                continue
            except Exception:  # the others are closed all the same
                logger.exception("a session could not be closed", extra={"event": "session_error"})
                break


def _close_at_exit_of_child() -> None:
    """Have all closed at the end of a child of multiprocessing, which calls nothing of atexit."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        from multiprocessing import util

        util.Finalize(None, _close_all, exitpriority=0)


def _leave_all_to_parent() -> None:
    for lifetime in _open:
        lifetime.leave_to_parent()
    _open.clear()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_leave_all_to_parent)
