"""`TaskAttempt`: one start of a task, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxd.clock import from_micros

if TYPE_CHECKING:
    from datetime import datetime

    from inboxd.store.views import AttemptView
    from inboxd.task import TaskError

__all__ = ["TaskAttempt", "attempt_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAttempt:
    """One start of a task, as it was when it was asked for."""

    #: From 1; interrupted ones count too.
    number: int
    #: Its place in the order of all starts of the store.
    start_seq: int
    #: Aware, UTC.
    started_at: datetime
    #: Aware, UTC; None: it is in progress.
    ended_at: datetime | None
    #: `completed`, or the code of its error; None: it is in progress.
    outcome: str | None
    #: Why it failed.
    error: TaskError | None


def attempt_of(view: AttemptView) -> TaskAttempt:
    """Return an attempt as programs see it."""
    return TaskAttempt(
        number=view.number,
        start_seq=view.start_seq,
        started_at=from_micros(view.started_at),
        ended_at=None if view.ended_at is None else from_micros(view.ended_at),
        outcome=view.outcome,
        error=view.error,
    )
