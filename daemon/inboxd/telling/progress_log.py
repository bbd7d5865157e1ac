"""Progress of attempts as lines of the daemon's log: seldom enough for a person to read them."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.events import TaskProgress

__all__ = ["ProgressLog"]

logger = logging.getLogger(__name__)

#: Of one task a line in so many seconds, and of all tasks together one in so many.
_TASK_SECONDS = 10.0
_ANY_SECONDS = 0.5
#: Tasks whose last line is remembered; of more, the memory begins anew.
_MOST_TASKS = 1_000


class ProgressLog:
    """Writes the lines; from any thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        #: When a line of a task was written, by (tree, task).
        self._written: dict[tuple[str, str], float] = {}
        self._last = float("-inf")

    def note(self, event: TaskProgress) -> None:
        """Write a line, unless there was one of late."""
        if not self._is_due(event):
            return
        percent = "" if event.fraction is None else f" {event.fraction:.0%}"
        message = f" {escaped(event.message)}" if event.message else ""
        logger.info(
            "%s in %s:%s%s",
            event.task_id,
            event.tree_id[-8:],
            percent,
            message,
            extra={
                "event": "task_progress",
                "tree": event.tree_id,
                "task": event.task_id,
                "attempt": event.attempt,
                **({} if event.fraction is None else {"fraction": round(event.fraction, 4)}),
            },
        )

    def _is_due(self, event: TaskProgress) -> bool:
        key, now = (event.tree_id, event.task_id), self._monotonic()
        with self._lock:
            if now - self._last < _ANY_SECONDS:
                return False
            if now - self._written.get(key, float("-inf")) < _TASK_SECONDS:
                return False
            if len(self._written) >= _MOST_TASKS:
                self._written.clear()
            self._last = self._written[key] = now
            return True
