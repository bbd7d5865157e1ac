"""
What a reader of a tree's events was told already, so that it is told nothing twice.

The turns tell what they commit, and the store shows what was committed, a little before or long
before that is told. Starts are told apart by their `start_seq`, which only rises, and the ends of a
task by their time.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

from inboxd.store.outcomes import RequeuedTask
from inboxd.task import TERMINAL_STATUSES

if TYPE_CHECKING:
    from inboxd.api.subscription import RecordedEnd
    from inboxd.events import TaskProgress
    from inboxd.running.attempt import Attempt
    from inboxd.store.views import TaskView

__all__ = ["ToldSoFar"]


class _Running(NamedTuple):
    """An attempt in progress."""

    number: int
    position: int


class ToldSoFar:
    """Of one tree; each method says whether something is news, and takes it as told."""

    def __init__(self, task_count: int) -> None:
        """*task_count*: the tasks of the tree; 16 bytes are needed for each."""
        #: By position: the newest start that is known; 0: none.
        self._starts = array("q", bytes(8 * task_count))
        #: By position: when the end that was told was, in microseconds since 1970; 0: none was.
        self._ends = array("q", bytes(8 * task_count))
        self._open = task_count
        #: The attempts in progress whose start was told, by the id of the task.
        self._running: dict[str, _Running] = {}

    @property
    def is_all_told(self) -> bool:
        """Whether an end of every task was told."""
        return self._open == 0

    def running(self, event: TaskProgress) -> int | None:
        """Return the position of the attempt that this is about; None: it is not in progress."""
        running = self._running.get(event.task_id)
        return None if running is None or running.number != event.attempt else running.position

    def start(self, attempt: Attempt) -> bool:
        """Take a start that a turn tells of."""
        return self._start(attempt.task_id, attempt.position, attempt.number, attempt.start_seq)

    def end(self, recorded: RecordedEnd) -> bool:
        """Take the end of an attempt that a turn tells of."""
        attempt, end = recorded.attempt, recorded.end
        position = attempt.position
        if attempt.start_seq < self._starts[position]:
            return False
        is_running = self._running.pop(attempt.task_id, None) is not None
        if isinstance(end, RequeuedTask):
            return is_running
        self._starts[position] = attempt.start_seq
        return self._end(position, end.ended_at)

    def start_of_view(self, view: TaskView) -> bool:
        """Take the newest start of a task, as the store has it."""
        if view.start_seq is None:
            return False
        return self._start(view.id, view.position, view.attempts, view.start_seq)

    def end_of_view(self, view: TaskView) -> bool:
        """Take the end of a task that has ended, as the store has it."""
        if view.status not in TERMINAL_STATUSES or view.ended_at is None:
            return False
        if view.start_seq is not None:
            self._starts[view.position] = max(self._starts[view.position], view.start_seq)
        self._running.pop(view.id, None)
        return self._end(view.position, view.ended_at)

    def _start(self, task_id: str, position: int, number: int, start_seq: int) -> bool:
        if start_seq <= self._starts[position]:
            return False
        self._starts[position] = start_seq
        self._running[task_id] = _Running(number, position)
        if self._ends[position]:  # a person made it run again
            self._ends[position] = 0
            self._open += 1
        return True

    def _end(self, position: int, ended_at: int) -> bool:
        if self._ends[position] == ended_at:
            return False
        if not self._ends[position]:
            self._open -= 1
        self._ends[position] = ended_at
        return True
