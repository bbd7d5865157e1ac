"""
`TaskJobStore`: the task table as an APScheduler job store.

`get_due_jobs` is one turn. The claim has recorded everything before the loop sees a job, so there
is nothing to add, update or remove, and nothing here raises into the loop.
"""

# APScheduler 3 ships no types; it is met in this package alone.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportIncompatibleMethodOverride=false, reportUnknownVariableType=false
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.jobstores.base import BaseJobStore

from inboxd.scheduling.jobs import AttemptJob

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.clock import Clock
    from inboxd.scheduling.jobs import AttemptExecutor
    from inboxd.scheduling.turns import Turns

__all__ = ["TaskJobStore"]

logger = logging.getLogger(__name__)

#: The scheduler looks at the clock at least so often, so that a step of the wall clock is noticed.
_TICK_MICROS = 30_000_000


class TaskJobStore(BaseJobStore):  # type: ignore[misc] # APScheduler 3 has no types
    """The view of the task table that APScheduler's loop works from."""

    def __init__(
        self,
        turns: Turns,
        executor: AttemptExecutor,
        *,
        clock: Clock,
        after_turn: Callable[[], None],
    ) -> None:
        """
        Args:
            turns: what a turn does.
            executor: gets the jobs from the loop; told when it has them all.
            clock: the time; the loop's own `now` is not used.
            after_turn: called when a turn is over and its attempts are handed over.
        """
        super().__init__()
        self._turns = turns
        self._executor = executor
        self._clock = clock
        self._after_turn = after_turn

    def get_due_jobs(self, now: datetime) -> list[AttemptJob]:
        """Do one turn and return a job for each attempt it claimed, in the order of starts."""
        return [AttemptJob(attempt) for attempt in self._turns.run()]

    def get_next_run_time(self) -> datetime:
        """
        Return when the next turn is due; called when the loop has submitted this turn's jobs.

        It is "now" only if there is something to do now: a time in the past would make the loop
        spin (134,000 turns in half a second were measured).
        """
        self._executor.flush()
        self._after_turn()
        now = self._clock.now_micros()
        due = self._turns.next_run()
        wait = _TICK_MICROS if due is None else max(0, min(due - now, _TICK_MICROS))
        # The loop reckons with the machine's clock, and ours may be one that a test moves.
        return datetime.now(UTC) + timedelta(microseconds=wait)

    def lookup_job(self, job_id: str) -> None:
        """Tasks are looked up in the store, not here."""
        return

    def get_all_jobs(self) -> list[AttemptJob]:
        """Return none: a task is a job only while the loop hands it over."""
        return []

    def add_job(self, job: AttemptJob) -> None:
        """Refuse: tasks come in through the intake."""
        raise TypeError(f"{job!r}: tasks are added by dropping a file, not as jobs")

    def update_job(self, job: AttemptJob) -> None:
        """The claim recorded the start already."""

    def remove_job(self, job_id: str) -> None:
        """A task stays in the table."""

    def remove_all_jobs(self) -> None:
        """Tasks stay in the table."""
