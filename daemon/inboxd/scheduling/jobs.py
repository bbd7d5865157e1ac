"""
The light end of APScheduler: a job that is one start of one attempt, and the executor it goes to.

What is overridden here of APScheduler's private parts is named by
`tests/unit/scheduling/test_apscheduler_seams.py`, and the dependency is pinned below 3.12: the
public constructor of `Job` and the stock pool cost 37 microseconds a task in place of 9 (ADR 0002).
"""

# APScheduler 3 ships no types; it is met in this package alone.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportIncompatibleMethodOverride=false, reportUnknownVariableType=false
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.triggers.base import BaseTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from inboxd.running.attempt import Attempt

__all__ = ["AttemptExecutor", "AttemptJob"]


class _Unending(BaseTrigger):  # type: ignore[misc] # APScheduler 3 has no types
    """
    A trigger that never ends, so that the loop calls `update_job`, which does nothing.

    One that ended would make it call `remove_job`: a lock, a log line and an event for each task.
    """

    __slots__ = ()

    def get_next_fire_time(
        self,
        previous_fire_time: datetime | None,
        now: datetime,
    ) -> datetime:
        return now


_UNENDING = _Unending()


class AttemptJob(Job):  # type: ignore[misc] # APScheduler 3 has no types
    """One start of one attempt, in the form that APScheduler's loop hands to an executor."""

    __slots__ = ("attempt",)

    # Class attributes in place of the slots that the public constructor would fill.
    executor = "default"
    trigger = _UNENDING
    coalesce = False
    misfire_grace_time = None
    max_instances = 1
    next_run_time = None
    name = "attempt"

    def __init__(self, attempt: Attempt) -> None:  # pyright: ignore[reportMissingSuperCall]
        self.attempt = attempt

    @property
    def id(self) -> str:
        """The attempt in words: task, and attempt's number."""
        return f"{self.attempt.tree_id}/{self.attempt.task_id}#{self.attempt.number}"

    def _get_run_times(self, now: datetime) -> list[datetime]:
        return [now]

    def _modify(self, **changes: Any) -> None:
        """The claim recorded everything; there is nothing to change."""


class AttemptExecutor(BaseExecutor):  # type: ignore[misc] # APScheduler 3 has no types
    """Hands the attempts that a turn claimed to the runner, in their order, as one batch."""

    def __init__(self, hand_over: Callable[[Sequence[Attempt]], None]) -> None:
        """*hand_over* starts attempts; it never raises: a failed start is an outcome."""
        super().__init__()
        self._hand_over = hand_over
        self._batch: list[Attempt] = []

    def submit_job(self, job: AttemptJob, run_times: list[datetime]) -> None:
        """Take one attempt; never raises, since the loop would swallow it and the task hang."""
        self._batch.append(job.attempt)

    def flush(self) -> None:
        """Hand the batch over; the job store calls it when the loop has submitted all jobs."""
        if self._batch:
            batch, self._batch = self._batch, []
            self._hand_over(batch)

    def _do_submit_job(self, job: AttemptJob, run_times: list[datetime]) -> None:
        self.submit_job(job, run_times)
