"""What the intake needs of the scheduler's thread, which alone writes the store."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from concurrent.futures import Future

    from inboxd.store.intake import Connection

__all__ = ["WriteUnfinished", "Writer", "result_of"]

T = TypeVar("T")

#: How long a stop waits for a write that was handed over; what is not written then is done again
#: at the next start.
_STOP_PATIENCE_SECONDS = 10.0

_LOOK_AT_STOP_SECONDS = 0.5


class Writer(Protocol):
    """Runs works in the transactions of the scheduler's turns."""

    def write(self, work: Callable[[Connection], T]) -> Future[T]:
        """
        Have *work* run in the next turn's transaction, in a savepoint of its own.

        Args:
            work: short (under 20 ms); may be run again when a commit fails or its end is unknown,
                so it looks at what is there first.

        Returns:
            Resolved after the commit, or with what *work* raised.
        """
        ...


class WriteUnfinished(Exception):
    """A stop was asked for, and the store did not get to the write in time."""


def result_of(future: Future[T], stopping: threading.Event) -> T:
    """
    Wait for a write and return what it gave.

    Raises:
        WriteUnfinished: *stopping* is set, and the write does not come to an end.
        Exception: what the write raised.
    """
    patience = _STOP_PATIENCE_SECONDS
    while not concurrent.futures.wait((future,), timeout=_LOOK_AT_STOP_SECONDS).done:
        if stopping.is_set():
            patience -= _LOOK_AT_STOP_SECONDS
            if patience <= 0:
                raise WriteUnfinished
    return future.result()
