"""The runner: attempts are handed over in one call, and their outcomes come back in another."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

import msgspec

from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.protocol import Isolation
from inboxd.running.asked_ends import AskedEnds
from inboxd.running.commands import CommandAttempts
from inboxd.running.context import ContextSource
from inboxd.running.event_loop import LoopAttempts
from inboxd.running.filling import FillingAttempts
from inboxd.running.live_runners import live_runners
from inboxd.running.locks import AttemptLocks
from inboxd.running.outcomes import raised
from inboxd.running.progress import ProgressBoard
from inboxd.running.supervisor import CommandSupervisor
from inboxd.running.thread_pool import ThreadAttempts
from inboxd.running.workers import WorkerAttempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from inboxd.clock import Clock
    from inboxd.config.settings import RunSettings
    from inboxd.events import TaskProgress
    from inboxd.plugins.checks import ExecutorChecks
    from inboxd.plugins.protocol import Executor
    from inboxd.running.asked_ends import AttemptKey
    from inboxd.running.attempt import Attempt
    from inboxd.running.progress import Progress
    from inboxd.running.worker_messages import WorkerSource
    from inboxd.store.reader import StoreReader
    from inboxd.task import Outcome, PlaceKind

__all__ = ["Runner", "RunningAttempt"]

logger = logging.getLogger(__name__)


class RunningAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that runs, for the live view."""

    attempt: Attempt
    #: Of a command's leader.
    pid: int | None = None
    #: What it said of its progress; None: nothing.
    progress: Progress | None = None


def _knows_no_source(executor: str) -> WorkerSource | None:
    """No executor runs in a worker process."""


def _keeps_no_place(kind: PlaceKind, change: int) -> None:
    """Nobody counts the places that are kept."""


class Runner:
    """Runs attempts by the isolation of their executors; start, then run from one thread."""

    def __init__(
        self,
        *,
        executors: Mapping[str, Executor],
        settings: RunSettings,
        state: Path,
        on_outcomes: Callable[[Sequence[tuple[Attempt, Outcome, int]]], None],
        clock: Clock,
        reader: StoreReader | None = None,
        on_places_kept: Callable[[PlaceKind, int], None] = _keeps_no_place,
        source_of: Callable[[str], WorkerSource | None] = _knows_no_source,
        on_progress: Callable[[TaskProgress], None] | None = None,
        checks: Callable[[], ExecutorChecks] | None = None,
        owns_process: bool = True,
    ) -> None:
        """
        Make a runner.

        Args:
            executors: by name; more may come while attempts run.
            settings: `[run]`.
            state: the state directory, absolute.
            on_outcomes: is told (attempt, outcome, microseconds since 1970) of what ended; from
                any thread, so it only takes note and returns.
            clock: for the times of the outcomes, and for time limits.
            reader: of the store that attempts are recorded in, for the results of other tasks.
            on_places_kept: is told +1 just before the outcome of an attempt whose executor goes
                on and so keeps its place, -1 when that has returned; from any thread.
            on_progress: is told what running attempts say of their progress, of each at most once
                a second; from any thread, so it only takes note and returns.
            source_of: says how a worker process gets an executor with isolation `process`.
            checks: gives what knows whose the executors are, so that what their own checks do
                wrong is reported with its plugin.
            owns_process: False: the process is a user's. Only what is known to come of an attempt
                is ended and waited for, and signals are left as they are.
        """
        self._settings = settings
        self._owns_process = owns_process
        #: Where the threads are: a forked child has none, and no business with ours.
        self._process = os.getpid()
        self._is_started = False
        self._report = on_outcomes
        self._clock = clock
        self._executors = executors
        #: As far as asked for: the mapping may grow while attempts run.
        self._isolations: dict[str, str] = {}
        self._filling = FillingAttempts(
            reader=reader,
            catalog_of=lambda name: ExecutorCatalog(
                {name: executors[name]}, checks=None if checks is None else checks()
            ),
            hand_on=self._begin,
            report=self._on_outcomes,
            default_timeout_seconds=settings.default_timeout_seconds,
            clock=clock,
        )
        ends = self._ends = AskedEnds()
        self._board = ProgressBoard(clock, on_progress)
        contexts = ContextSource(
            state=state,
            clock=clock,
            max_output_bytes=settings.max_output_bytes,
            reader=reader,
            board=self._board,
        )
        self._loop = LoopAttempts(
            executors=executors,
            contexts=contexts,
            max_result_bytes=settings.max_result_bytes,
            grace_seconds=settings.grace_seconds,
            ends=ends,
            report=self._on_outcomes,
            on_places_kept=on_places_kept,
            clock=clock,
        )
        self._threads = ThreadAttempts(
            executors=executors,
            contexts=contexts,
            places=settings.places,
            max_result_bytes=settings.max_result_bytes,
            ends=ends,
            report=self._on_outcomes,
            on_places_kept=on_places_kept,
            call_later=self._loop.call_later,
            clock=clock,
        )
        locks = AttemptLocks(state)
        self._supervisor = CommandSupervisor(
            settings=settings,
            state=state,
            locks=locks,
            ends=ends,
            report=self._on_outcomes,
            clock=clock,
            owns_process=owns_process,
        )
        self._commands = CommandAttempts(
            executors=executors,
            settings=settings,
            contexts=contexts,
            locks=locks,
            supervisor=self._supervisor,
            ends=ends,
            report=self._on_outcomes,
            clock=clock,
        )
        self._workers = WorkerAttempts(
            executors=executors,
            source_of=source_of,
            settings=settings,
            contexts=contexts,
            locks=locks,
            supervisor=self._supervisor,
            ends=ends,
            report=self._on_outcomes,
            clock=clock,
            owns_process=owns_process,
        )

    @property
    def board(self) -> ProgressBoard:
        """What running attempts say of their progress."""
        return self._board

    def start(self) -> None:
        """
        Start the threads; return when attempts can be run. May be called twice.

        Raises:
            InboxdError: /proc does not say what children there are.
        """
        if self._is_started or not self._is_here:
            return
        self._is_started = True
        try:
            live_runners.join()
        except OSError:
            logger.warning(
                "not a subreaper: what leaves its parent is not found at the end of a command",
                exc_info=True,
                extra={"event": "no_subreaper"},
            )
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            self._heed_children()
        try:
            self._loop.start()
            self._commands.start()
        except BaseException:
            self.stop()
            raise

    @property
    def _is_here(self) -> bool:
        """Whether this is the process that the threads are in."""
        return os.getpid() == self._process

    def _heed_children(self) -> None:
        """Undo what was inherited from who started this: ignoring SIGCHLD loses exit statuses."""
        if self._owns_process and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return
        logger.warning(
            "SIGCHLD is ignored in this process, so the kernel keeps no exit status and every"
            " command fails; call signal.signal(signal.SIGCHLD, signal.SIG_DFL) first",
            extra={"event": "sigchld_ignored"},
        )

    def run(self, attempts: Sequence[Attempt]) -> None:
        """
        Begin attempts, in their order; returns at once and raises nothing.

        What cannot be begun comes back as an outcome like everything else.
        """
        if not self._is_here:
            return
        self._ends.begin(attempts)
        if any(attempt.has_references for attempt in attempts):
            for attempt in attempts:
                if attempt.has_references:
                    self._filling.begin(attempt)
            attempts = [attempt for attempt in attempts if not attempt.has_references]
        self._begin(attempts)

    def _begin(self, attempts: Sequence[Attempt]) -> None:
        """Begin attempts whose inputs are whole; from any thread."""
        default_limit = self._settings.default_timeout_seconds
        on_loop: list[tuple[Attempt, float | None]] = []
        for attempt in attempts:
            limit = attempt.timeout_seconds
            if limit is None:
                limit = default_limit
            isolation = self._isolations.get(attempt.executor)
            match isolation or self._isolation_of(attempt.executor):
                case Isolation.ASYNC:
                    on_loop.append((attempt, limit))
                case Isolation.COMMAND:
                    self._commands.begin(attempt, limit)
                case Isolation.PROCESS:
                    self._workers.begin(attempt, limit)
                case Isolation.THREAD:
                    self._threads.begin(attempt, limit)
                case _:
                    error = LookupError(f'nobody offers executor "{attempt.executor}"')
                    self._on_outcomes([(attempt, raised(error), self._clock.now_micros())])
        if on_loop:
            self._loop.begin(on_loop)

    def _isolation_of(self, name: str) -> str | None:
        executor = self._executors.get(name)
        if executor is None:
            return None
        isolation = self._isolations[name] = str(executor.isolation)
        return isolation

    def forget(self, name: str) -> None:
        """Take note that a name stands for another executor now; from any thread."""
        self._isolations.pop(name, None)
        self._filling.forget(name)
        self._workers.forget(name)

    def end(self, attempts: Iterable[AttemptKey]) -> None:
        """
        End some of the attempts that were handed over; returns at once and raises nothing.

        Called by the thread that calls `run`, once it is committed that they are to end: how the
        attempts end says nothing more then. Each has one outcome, `Interrupted(counts=False)`
        unless it ended by itself meanwhile. A command is reported when nothing of its processes is
        left (SIGTERM, the grace, SIGKILL), a worker's attempt likewise, while others go on in
        another worker; one on the event loop when it has returned, or after the grace, and then
        keeps its place until it returns; one in a thread at once, and likewise keeps its place;
        one that has not begun at once.

        Args:
            attempts: (the task's internal number, the attempt's number); what is not here, since
                it ended or never was, is left out.
        """
        asked = self._ends.ask(attempts) if self._is_here else None
        if not asked:
            return
        self._filling.end(asked)
        self._threads.end(asked)
        self._loop.end(asked)
        self._workers.end(asked)
        self._supervisor.end_asked()

    def cut(self) -> None:
        """
        End everything that runs, and what is still handed over; returns at once.

        Every outcome that follows is `Interrupted(counts=False)`, but for what ended before.
        """
        if not self._is_here:
            return
        self._filling.cut()
        self._workers.cut()
        self._commands.cut()
        self._threads.cut()
        self._loop.cut()

    def stop(self) -> None:
        """Cut; return when all outcomes are reported and no process is left; callable twice."""
        if not self._is_here:
            return
        self._filling.stop()
        self._workers.stop()
        self._commands.stop()
        self._threads.stop()
        self._loop.stop()
        if self._is_started:
            self._is_started = False
            live_runners.leave()

    def running(self) -> list[RunningAttempt]:
        """Return what runs now, the order of starts; from any thread."""
        pids = {one.pid: one.attempt for one in self._supervisor.running()}
        found: list[tuple[Attempt, int | None]] = []
        found += [(attempt, pid) for pid, attempt in pids.items() if attempt is not None]
        for attempt in [*self._filling.running(), *self._threads.running(), *self._loop.running()]:
            found.append((attempt, None))
        running = [
            RunningAttempt(attempt=attempt, pid=pid, progress=self._board.of(attempt))
            for attempt, pid in found
        ]
        return sorted(running, key=lambda one: one.attempt.start_seq)

    def _on_outcomes(self, ended: Sequence[tuple[Attempt, Outcome, int]]) -> None:
        self._board.forget(attempt for attempt, _, _ in ended)
        self._ends.forget(ended)
        self._report(ended)
