"""
Attempts whose inputs refer to results, before they run: one thread fills them in, in order.

It waits for the store and may take seconds for a hostile expression, which neither the event loop
nor the scheduler does. Attempts without references never come here.
"""

from __future__ import annotations

import logging
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from inboxd.errors import StoreError
from inboxd.running.inputs import prepare
from inboxd.running.outcomes import CUT, raised
from inboxd.task import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inboxd.array.catalog import Catalog
    from inboxd.clock import Clock
    from inboxd.running.attempt import Attempt
    from inboxd.store.reader import StoreReader
    from inboxd.task import Outcome

__all__ = ["FillingAttempts"]

logger = logging.getLogger(__name__)

#: So long a stop waits for what is being filled in; the thread ends with the process at the latest.
_JOIN_SECONDS = 10.0


class FillingAttempts:
    """Fills in inputs and hands the attempts on; the thread starts with the first of them."""

    def __init__(
        self,
        *,
        reader: StoreReader | None,
        catalog_of: Callable[[str], Catalog],
        hand_on: Callable[[Sequence[Attempt]], None],
        report: Callable[[Sequence[tuple[Attempt, Outcome, int]]], None],
        clock: Clock,
    ) -> None:
        """
        Args:
            reader: of the store; None: there is none, and what refers to it fails.
            catalog_of: gives what an executor takes; called once for each, when first needed.
            hand_on: is given attempts that are ready to run; from the thread.
            report: is told what cannot run.
            clock: for the times of outcomes.
        """
        self._reader = reader
        self._catalog_of = catalog_of
        #: By the executor's name.
        self._catalogs: dict[str, Catalog] = {}
        self._hand_on = hand_on
        self._report = report
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Attempt | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        #: By the task's number.
        self._held: dict[int, Attempt] = {}
        self._is_cut = False

    def begin(self, attempt: Attempt) -> None:
        """Take an attempt over; from any thread, at once."""
        with self._lock:
            self._held[attempt.task] = attempt
            if self._thread is None and not self._is_cut:
                self._thread = threading.Thread(target=self._serve, name="fill-inputs", daemon=True)
                self._thread.start()
        self._queue.put(attempt)
        if self._thread is None:
            self._cut_queue()

    def cut(self) -> None:
        """Report what is not handed on yet as cut."""
        self._is_cut = True

    def stop(self) -> None:
        """Cut, and return when nothing more is handed on."""
        self.cut()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(_JOIN_SECONDS)
            if thread.is_alive():
                logger.error("filling in inputs does not end", extra={"event": "filling_stuck"})
        self._cut_queue()

    def running(self) -> list[Attempt]:
        """Return the attempts that are here; from any thread."""
        with self._lock:
            return list(self._held.values())

    def _serve(self) -> None:
        while (attempt := self._queue.get()) is not None:
            ready = self._prepared(attempt)
            with self._lock:
                self._held.pop(attempt.task, None)
            if self._is_cut:
                self._report([(attempt, CUT, self._clock.now_micros())])
            elif isinstance(ready, Failed):
                self._report([(attempt, ready, self._clock.now_micros())])
            else:
                self._hand_on([ready])

    def _prepared(self, attempt: Attempt) -> Attempt | Failed:
        if self._is_cut:
            return attempt
        if self._reader is None:
            return raised(StoreError("there is no store here to read results from"))
        try:
            if attempt.executor not in self._catalogs:
                self._catalogs[attempt.executor] = self._catalog_of(attempt.executor)
            return prepare(attempt, self._reader, self._catalogs[attempt.executor])
        except Exception as error:  # the outer door of one attempt
            logger.warning(
                "inputs are not filled in",
                exc_info=True,
                extra={
                    "event": "inputs_not_filled",
                    "tree": attempt.tree_id,
                    "task": attempt.task_id,
                    "attempt": attempt.number,
                },
            )
            return raised(error)

    def _cut_queue(self) -> None:
        """Report what nobody will fill in any more."""
        try:
            while True:
                attempt = self._queue.get_nowait()
                if attempt is not None:
                    with self._lock:
                        self._held.pop(attempt.task, None)
                    self._report([(attempt, CUT, self._clock.now_micros())])
        except Empty:
            return
