"""
Copies of a worker process, which an executor makes by fork: they are not workers.

A copy that comes back out of the executor would say how an attempt ended that is not its own, and
take the next one. So it loses the connection when it is made, and ends where it would come back.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from inboxd.running.worker_failures import failed_attempt

if TYPE_CHECKING:
    import socket

__all__ = ["WorkerProcess"]


class WorkerProcess:
    """The process that is the worker; made in it, before anything of the executor runs."""

    def __init__(self, own: socket.socket) -> None:
        """
        Args:
            own: its end of the connection, which copies lose. Those of `multiprocessing` do too:
                they are made by `os.fork`. One that C code makes keeps it until `end_copy`.
        """
        self._pid = os.getpid()
        os.register_at_fork(after_in_child=own.close)

    def end_copy(self, error: BaseException | None = None) -> None:
        """
        End this process if it is a copy; else do nothing.

        Args:
            error: what the executor raised in it; it is written to the attempt's log.
        """
        if os.getpid() == self._pid:
            return
        status = 1
        # Nothing of the worker's is tidied up here: it is the worker's.
        with contextlib.suppress(BaseException):
            status = _status(error)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BaseException):
                stream.flush()
        os._exit(status)


def _status(error: BaseException | None) -> int:
    """Return the exit status of a program that ended so (sys.exit)."""
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if error.code is None:
            return 0
        if isinstance(error.code, int):
            return error.code & 0xFF
    failed_attempt(error)
    return 1
