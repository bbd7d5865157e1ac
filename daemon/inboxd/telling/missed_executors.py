"""
Tasks that name an executor that nobody registered: the plugins are asked whether they make it.

Not on the scheduler's thread, which puts such tasks aside: they come back when it is there.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from inboxd.errors import StoreError
from inboxd.store.waiting_executors import task_waiting_for, waiting_executors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from inboxd.plugins.live_executors import LiveExecutors
    from inboxd.store.reader import StoreReader

__all__ = ["MissedExecutors"]

logger = logging.getLogger(__name__)


class MissedExecutors:
    """Has executors made for tasks that are stored already; each name is asked for once a run."""

    def __init__(self, executors: LiveExecutors, reader: StoreReader) -> None:
        """
        Args:
            executors: that there are.
            reader: the store; used by several threads.
        """
        self._executors = executors
        self._reader = reader
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._asking = 0

    @property
    def is_idle(self) -> bool:
        """Whether no plugin is being asked; what one made was told to the scheduler before."""
        return self._asking == 0

    def ask_for_all(self) -> None:
        """Have those made that tasks of an earlier run wait for; returns when that is done."""
        if not self._executors.may_grow:
            return
        with self._reader.transaction() as connection:
            names = waiting_executors(connection)
        self._ask(self._new(names))

    def want(self, names: Collection[str]) -> None:
        """Have these made, on a thread of its own; from any thread, at once."""
        if not self._executors.may_grow:
            return
        new = self._new(names)
        if new:
            with self._lock:
                self._asking += 1
            thread = threading.Thread(
                target=self._ask_beside, args=(new,), name="resolver", daemon=True
            )
            thread.start()

    def _new(self, names: Iterable[str]) -> list[str]:
        with self._lock:
            new = [name for name in dict.fromkeys(names) if name not in self._asked]
            self._asked.update(new)
        return new

    def _ask_beside(self, names: Iterable[str]) -> None:
        try:
            self._ask(names)
        finally:
            with self._lock:
                self._asking -= 1

    def _ask(self, names: Iterable[str]) -> None:
        try:
            for name in names:
                with self._reader.transaction() as connection:
                    task = task_waiting_for(connection, name)
                if task is not None:
                    self._executors.resolve(name, task)
        except StoreError:
            logger.warning(
                "executors that tasks wait for cannot be looked for; the next start does it",
                exc_info=True,
                extra={"event": "executors_not_asked"},
            )
