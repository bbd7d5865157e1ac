"""How the daemon is, at one look: its threads, its last commit, its inbox, its database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inboxd.clock import rfc3339_micros
from inboxd.errors import StoreError

if TYPE_CHECKING:
    from inboxd.control.parts import Parts
    from inboxd.store.reader import StoreReader

__all__ = ["health"]


def health(parts: Parts, reader: StoreReader) -> dict[str, Any]:
    """
    Return the document of `/healthz`; `status` is `ok` when `problems` is empty.

    A thread that has nothing to do does nothing: what counts is that it lives and that its last
    work was done.
    """
    scheduler = parts.scheduler
    intake = parts.intake_health()
    problems: list[str] = []
    if not scheduler.is_alive:
        problems.append("the scheduler's thread has ended")
    if scheduler.failing_turns:
        problems.append(f"the last {scheduler.failing_turns} turns failed; the log says why")
    if not intake.is_alive:
        problems.append("the intake's thread has ended")
    if intake.problem is not None:
        problems.append(f"files are not taken: {intake.problem}")
    database_problem = None
    try:
        open_trees = reader.count_open_trees()
    except StoreError as error:
        open_trees = None
        database_problem = str(error)
        problems.append(database_problem)
    return {
        "format": 1,
        "status": "degraded" if problems else "ok",
        "problems": problems,
        "scheduler": {
            "is_alive": scheduler.is_alive,
            "last_commit_at": rfc3339_micros(scheduler.last_commit_at),
            "commits": scheduler.commit_count,
            "failing_turns": scheduler.failing_turns,
            "running": scheduler.running_count,
        },
        "intake": {
            "is_alive": intake.is_alive,
            "last_look_at": rfc3339_micros(intake.last_look_at),
            "problem": intake.problem,
            "watch_problem": intake.watch_problem,
        },
        "database": {"problem": database_problem, "open_trees": open_trees},
    }
