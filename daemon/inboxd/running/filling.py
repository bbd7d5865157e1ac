"""
Attempts whose inputs refer to results, before they run: one thread fills them in.

The most urgent first, by priority and then in the order of their starts. It waits for the store,
which neither the event loop nor the scheduler does; more threads would not help, as they would
share one interpreter. An attempt's time limit begins when it comes here, and ends it here as well.
Attempts without references never come.
"""

from __future__ import annotations

import logging
import threading
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from inboxd.errors import StoreError
from inboxd.running.ended_results import EndedResults
from inboxd.running.inputs import prepare
from inboxd.running.outcomes import CUT, raised, timed_out
from inboxd.task import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from inboxd.array.catalog import Catalog
    from inboxd.clock import Clock
    from inboxd.running.asked_ends import AttemptKey
    from inboxd.running.attempt import Attempt
    from inboxd.store.reader import StoreReader
    from inboxd.task import Outcome

__all__ = ["FillingAttempts"]

logger = logging.getLogger(__name__)

#: So long a stop waits for what is being filled in; the thread ends with the process at the latest.
_JOIN_SECONDS = 10.0
#: After so long without work the results that are kept decoded are given back.
_IDLE_SECONDS = 10.0
#: What took less than this of an attempt's time limit is not taken off it: it is as long as the
#: file says, in messages too.
_UNCOUNTED_SECONDS = 0.1
#: The heap of time limits may hold this many of attempts that are gone.
_SPARE_DEADLINES = 100


class _Waiting(NamedTuple):
    """An attempt that waits to be filled in, or is being filled in."""

    attempt: Attempt
    #: Seconds.
    limit: float | None
    #: On the monotonic clock.
    begun_at: float

    @property
    def deadline(self) -> float | None:
        return None if self.limit is None else self.begun_at + self.limit

    def is_late(self, now: float) -> bool:
        """Return whether its time limit has passed."""
        return self.deadline is not None and now >= self.deadline

    def with_time_left(self, filled: Attempt, now: float) -> Attempt:
        """Return the attempt with what is left of its time limit."""
        if self.limit is None or now - self.begun_at < _UNCOUNTED_SECONDS:
            return filled
        return msgspec.structs.replace(filled, timeout_seconds=self.begun_at + self.limit - now)


class FillingAttempts:
    """Fills in inputs and hands the attempts on; the thread starts with the first of them."""

    def __init__(
        self,
        *,
        reader: StoreReader | None,
        catalog_of: Callable[[str], Catalog],
        hand_on: Callable[[Sequence[Attempt]], None],
        report: Callable[[Sequence[tuple[Attempt, Outcome, int]]], None],
        default_timeout_seconds: float | None,
        clock: Clock,
    ) -> None:
        """
        Args:
            reader: of the store; None: there is none, and what refers to it fails.
            catalog_of: gives what an executor takes; called once for each, when first needed.
            hand_on: is given attempts that are ready to run; from the thread.
            report: is told what cannot run.
            default_timeout_seconds: the time limit of attempts that say none; None: no limit.
            clock: for time limits, and the times of outcomes.
        """
        self._reader = reader
        self._catalog_of = catalog_of
        #: By the executor's name.
        self._catalogs: dict[str, Catalog] = {}
        self._hand_on = hand_on
        self._report = report
        self._clock = clock
        self._results = None if reader is None else EndedResults(reader)
        self._default_timeout_seconds = default_timeout_seconds
        #: For all that follows.
        self._changed = threading.Condition()
        #: A heap by (priority, start_seq).
        self._queue: list[tuple[int, int, _Waiting]] = []
        #: A heap of (deadline, start_seq), also of attempts that are gone.
        self._deadlines: list[tuple[float, int]] = []
        self._thread: threading.Thread | None = None
        #: By start_seq: what waits, and what is being filled in.
        self._held: dict[int, _Waiting] = {}
        self._is_stopped = False
        self._is_cut = False

    def begin(self, attempt: Attempt) -> None:
        """Take an attempt over; its time limit begins; from any thread, at once."""
        limit = attempt.timeout_seconds
        if limit is None:
            limit = self._default_timeout_seconds
        one = _Waiting(attempt, limit, self._clock.monotonic())
        with self._changed:
            self._held[attempt.start_seq] = one
            heappush(self._queue, (attempt.priority, attempt.start_seq, one))
            if one.deadline is not None:
                heappush(self._deadlines, (one.deadline, attempt.start_seq))
            if self._thread is None and not self._is_cut:
                self._thread = threading.Thread(target=self._serve, name="fill-inputs", daemon=True)
                self._thread.start()
            self._changed.notify()
        if self._thread is None:
            self._cut_queue()

    def forget(self, executor: str) -> None:
        """Ask anew what an executor takes when it is next needed; from any thread."""
        self._catalogs.pop(executor, None)

    def end(self, asked: Collection[AttemptKey]) -> None:
        """Report those of some attempts that are here as cut; from any thread, at once."""
        with self._changed:
            held = [
                one
                for one in self._held.values()
                if (one.attempt.task, one.attempt.number) in asked
            ]
            for one in held:
                del self._held[one.attempt.start_seq]
        for one in held:
            self._end(one.attempt, CUT)

    def cut(self) -> None:
        """Report what is not handed on yet as cut."""
        self._is_cut = True

    def stop(self) -> None:
        """Cut, and return when nothing more is handed on."""
        self.cut()
        with self._changed:
            thread, self._thread = self._thread, None
            self._is_stopped = True
            self._changed.notify()
        if thread is not None:
            thread.join(_JOIN_SECONDS)
            if thread.is_alive():
                logger.error("filling in inputs does not end", extra={"event": "filling_stuck"})
        self._cut_queue()

    def running(self) -> list[Attempt]:
        """Return the attempts that are here; from any thread."""
        with self._changed:
            return [one.attempt for one in self._held.values()]

    def _serve(self) -> None:
        while self._wait():
            for late in self._take_late():
                self._end(late.attempt, CUT if self._is_cut else timed_out(late.limit or 0.0))
            one = self._take_first()
            if one is None:
                continue
            ready = self._prepared(one.attempt)
            with self._changed:
                is_wanted = self._held.pop(one.attempt.start_seq, None) is not None
            if not is_wanted:
                continue  # it was ended meanwhile
            if self._is_cut:
                self._end(one.attempt, CUT)
            elif isinstance(ready, Failed):
                self._end(one.attempt, ready)
            elif one.is_late(self._clock.monotonic()):
                self._end(one.attempt, timed_out(one.limit or 0.0))
            else:
                self._hand_on([one.with_time_left(ready, self._clock.monotonic())])

    def _wait(self) -> bool:
        """Return when there is something to fill in, or False after the stop."""
        with self._changed:
            while not self._queue and not self._is_stopped:
                if not self._changed.wait(_IDLE_SECONDS) and self._results is not None:
                    self._results.forget()
            return bool(self._queue) and not self._is_stopped

    def _take_late(self) -> list[_Waiting]:
        """Take out what waited past its time limit, whatever is before it."""
        late: list[_Waiting] = []
        with self._changed:
            now = self._clock.monotonic()
            while self._deadlines and self._deadlines[0][0] <= now:
                _, start_seq = heappop(self._deadlines)
                if start_seq in self._held:
                    late.append(self._held.pop(start_seq))
            if len(self._deadlines) > 2 * len(self._held) + _SPARE_DEADLINES:
                self._deadlines = [one for one in self._deadlines if one[1] in self._held]
                heapify(self._deadlines)
        return late

    def _take_first(self) -> _Waiting | None:
        """Return the most urgent attempt, which stays held; None: there is none left."""
        with self._changed:
            while self._queue:
                _, start_seq, one = heappop(self._queue)
                if start_seq in self._held:
                    return one
        return None

    def _end(self, attempt: Attempt, outcome: Outcome) -> None:
        self._report([(attempt, outcome, self._clock.now_micros())])

    def _prepared(self, attempt: Attempt) -> Attempt | Failed:
        if self._is_cut:
            return attempt
        if self._reader is None or self._results is None:
            return raised(StoreError("there is no store here to read results from"))
        try:
            catalog = self._catalogs.get(attempt.executor)
            if catalog is None:
                catalog = self._catalogs[attempt.executor] = self._catalog_of(attempt.executor)
            return prepare(attempt, self._reader, self._results, catalog)
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
        while (one := self._take_first()) is not None:
            with self._changed:
                self._held.pop(one.attempt.start_seq, None)
            self._end(one.attempt, CUT)
