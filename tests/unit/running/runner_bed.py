"""A runner on a state directory of its own, whose outcomes can be waited for."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from inboxd.clock import SystemClock
from inboxd.config.settings import RunSettings
from inboxd.executors.command import Command
from inboxd.executors.noop import Noop
from inboxd.running.attempt import Attempt
from inboxd.running.runner import Runner
from inboxd.task import Completed, Failed, Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from inboxd.events import TaskProgress
    from inboxd.plugins.protocol import Executor
    from inboxd.running.worker_messages import WorkerSource
    from inboxd.task import Outcome, PlaceKind

#: No test waits longer than this for what must happen.
LIMIT_SECONDS = 60.0

T = TypeVar("T")


def until(condition: Callable[[], T]) -> T:
    """Return what the condition gives once that is true; looked at again and again."""
    pause = threading.Event()
    limit = time.monotonic() + LIMIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < limit, f"it did not come true within {LIMIT_SECONDS} s"
        pause.wait(0.005)
    return found


def attempt(
    executor: str = "command",
    inputs: dict[str, Any] | None = None,
    *,
    position: int = 0,
    number: int = 1,
    timeout_seconds: float | None = None,
    params: dict[str, Any] | None = None,
) -> Attempt:
    """Return an attempt of the task `task-<position>` of one tree."""
    return Attempt(
        task=1000 + position,
        tree=1,
        tree_id="0192f0c0-0000-7000-8000-000000000001",
        task_id=f"task-{position}",
        position=position,
        number=number,
        start_seq=position,
        started_at=0,
        executor=executor,
        timeout_seconds=timeout_seconds,
        inputs=None if inputs is None else msgspec.json.encode(inputs),
        params=None if params is None else msgspec.json.encode(params),
    )


class RunnerBed:
    """Starts a runner and keeps what it reports; a context manager that stops it."""

    def __init__(
        self,
        state: Path,
        *,
        executors: Iterable[Executor] = (),
        sources: Mapping[str, WorkerSource] | None = None,
        owns_process: bool = True,
        **settings: Any,
    ) -> None:
        """*sources* say how worker processes get executors; *settings* are those of `[run]`."""
        self.state = state
        self.places_kept: list[int] = []
        #: What running attempts said of their progress, as it was told.
        self.told: list[TaskProgress] = []
        #: How many outcomes came in each report.
        self.reports: list[int] = []
        self._outcomes: dict[tuple[int, int], Outcome] = {}
        self._changed = threading.Condition()
        offered: list[Executor] = [Noop(), Command(), *executors]
        self.runner = Runner(
            executors={one.name: one for one in offered},
            settings=RunSettings(**{"grace_seconds": 0.3, **settings}),
            state=state,
            on_outcomes=self._note_outcomes,
            on_places_kept=self._note_places,
            on_progress=self.told.append,
            source_of=(sources or {}).get,
            clock=SystemClock(),
            owns_process=owns_process,
        )

    def __enter__(self) -> RunnerBed:
        self.runner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.stop()

    def run(self, *attempts: Attempt) -> list[Outcome]:
        """Run attempts and return their outcomes, in the order given."""
        self.runner.run(attempts)
        return [self.outcome(one) for one in attempts]

    def command(self, inputs: dict[str, Any], **more: Any) -> Outcome:
        """Run one command and return its outcome."""
        return self.run(attempt("command", inputs, **more))[0]

    def outcome(self, of: Attempt) -> Outcome:
        """Return an attempt's outcome as soon as it is there."""
        key = (of.task, of.number)
        self.wait_until(lambda: key in self._outcomes)
        return self._outcomes[key]

    def has_outcome(self, of: Attempt) -> bool:
        """Return whether an attempt's outcome has been reported."""
        with self._changed:
            return (of.task, of.number) in self._outcomes

    def wait_until(self, condition: Callable[[], T]) -> T:
        """Return what the condition gives once that is true; looked at after each report."""
        with self._changed:
            found = self._changed.wait_for(condition, timeout=LIMIT_SECONDS)
        assert found, f"it did not come true within {LIMIT_SECONDS} s"
        return found

    def _note_outcomes(self, outcomes: Sequence[tuple[Attempt, Outcome, int]]) -> None:
        with self._changed:
            self.reports.append(len(outcomes))
            for one, outcome, _ in outcomes:
                key = (one.task, one.number)
                assert key not in self._outcomes, f"two outcomes of {one}"
                self._outcomes[key] = outcome
            self._changed.notify_all()

    def _note_places(self, kind: PlaceKind, change: int) -> None:
        with self._changed:
            self.places_kept.append(change)
            self._changed.notify_all()


def open_descriptors() -> int:
    """Return how many descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def exit_status(pid: int) -> int:
    """Return the exit status of a child of this process, which is ended if it does not end."""
    limit = threading.Timer(LIMIT_SECONDS, os.kill, (pid, signal.SIGKILL))
    limit.start()
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        limit.cancel()


def result_of(outcome: Outcome) -> Any:
    """Return the decoded result that an outcome carries; fails for one without."""
    assert not isinstance(outcome, Interrupted), outcome
    assert outcome.result is not None, outcome
    return msgspec.json.decode(outcome.result)


def completed(outcome: Outcome) -> Any:
    """Return the decoded result of a success; fails for anything else."""
    assert isinstance(outcome, Completed), outcome
    return None if outcome.result is None else msgspec.json.decode(outcome.result)


def failed(outcome: Outcome) -> Failed:
    """Return the outcome as the failure that it must be."""
    assert isinstance(outcome, Failed), outcome
    return outcome
