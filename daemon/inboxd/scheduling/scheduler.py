"""The scheduler's thread: APScheduler's loop over our job store."""

# APScheduler 3 ships no types; it is met in this package alone.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportIncompatibleMethodOverride=false, reportUnknownVariableType=false
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

import logging
import threading
from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeVar

from apscheduler.schedulers.background import BackgroundScheduler

from inboxd.scheduling.cancelling import cancel_task, cancel_tree
from inboxd.scheduling.jobs import AttemptExecutor
from inboxd.scheduling.mailbox import Mailbox
from inboxd.scheduling.pausing import (
    pause,
    pause_tree,
    resume,
    resume_tree,
    set_task_priority,
    set_tree_priority_to,
)
from inboxd.scheduling.recovery import recover
from inboxd.scheduling.releasing import release_task
from inboxd.scheduling.retrying import begin_retry_of_task, begin_retry_of_tree
from inboxd.scheduling.task_store import TaskJobStore
from inboxd.scheduling.turns import Turns, end_nothing
from inboxd.task import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from sqlalchemy import Connection, Engine

    from inboxd.clock import Clock
    from inboxd.config.settings import RunSettings
    from inboxd.running.attempt import Attempt
    from inboxd.scheduling.cancelling import Cancelled
    from inboxd.scheduling.grip import Grip, Sweep
    from inboxd.scheduling.mailbox import EndedAttempt
    from inboxd.scheduling.pausing import Paused, Prioritised
    from inboxd.scheduling.releasing import Released
    from inboxd.scheduling.retrying import Retried
    from inboxd.scheduling.turn import TurnListener

__all__ = ["Scheduler"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class _Loop(BackgroundScheduler):  # type: ignore[misc] # APScheduler 3 has no types
    """APScheduler's loop; events are made for listeners only, and we have none of our own."""

    def _dispatch_event(self, event: Any) -> None:
        if self._listeners:
            super()._dispatch_event(event)

    @property
    def is_alive(self) -> bool:
        thread = getattr(self, "_thread", None)
        return thread is not None and thread.is_alive()


class Scheduler:
    """Claims tasks and records outcomes, on one thread, which alone writes the store."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock,
        settings: RunSettings,
        executors: Mapping[str, bool],
        listener: TurnListener,
        hand_over: Callable[[Sequence[Attempt]], None],
        end_attempts: Callable[[Sequence[Attempt]], None] = end_nothing,
    ) -> None:
        """
        Args:
            engine: the writer's (`store.engine.open_writer`), migrated.
            clock: the time.
            settings: places and limits.
            executors: those that exist, and whether they look at inputs and params.
            listener: is told what was committed, on the scheduler's thread.
            hand_over: starts attempts; must not block or raise.
            end_attempts: ends attempts whose tasks were cancelled, and reports their outcomes as
                ever; must not block or raise; of the same attempt it may be told again.
        """
        self._connection: Connection = engine.connect()
        self._clock = clock
        self._settings = settings
        self._executors = executors
        self._listener = listener
        self._mailbox = Mailbox(self._wake)
        self._turns = Turns(
            self._connection,
            self._mailbox,
            clock=clock,
            settings=settings,
            executors=executors,
            listener=listener,
            end_attempts=end_attempts,
        )
        self._steering = self._turns.steering
        executor = AttemptExecutor(hand_over)
        self._store = TaskJobStore(
            self._turns, executor, clock=clock, after_turn=self._announce_turn
        )
        self._loop = _Loop(timezone=UTC, job_defaults={"misfire_grace_time": None})
        self._loop.add_jobstore(self._store, "default")
        self._loop.add_executor(executor, "default")
        self._turn_over = threading.Condition()
        #: Of commands and threads: places that threads hold whose attempts are recorded as ended.
        self.kept_places = 0
        self._announced_commits = 0
        #: Microseconds since 1970 of the last turn that was committed; None: there was none yet.
        self.last_commit_at: int | None = None
        self._started = False
        self._stopped = False

    def start(
        self,
        end_leftovers: Callable[[Sequence[tuple[str, int, int]]], None],
        *,
        run_left_over: bool = True,
    ) -> None:
        """
        Recover what an earlier process left in progress, then begin the turns.

        Args:
            end_leftovers, run_left_over: see `recovery.recover`.
        """
        if self._started:
            return
        self._started = True
        recover(
            self._connection,
            end_leftovers=end_leftovers,
            clock=self._clock,
            max_interruptions=self._settings.max_interruptions,
            executors=self._executors,
            listener=self._listener,
            run_left_over=run_left_over,
        )
        self._loop.start()

    def stop(self) -> None:
        """End the turns; the last one has written what the mailbox held. May be called twice."""
        if not self._started or self._stopped:
            return
        self._stopped = True
        self._turns.stop_claiming()
        # One more look by hand, since the loop may end before the last outcomes reach a turn.
        self._loop.shutdown(wait=False)
        if not self._mailbox.is_empty:
            self._turns.run()
        self._mailbox.close()
        self._steering.close()
        self._connection.close()

    def write(self, work: Callable[[Connection], T]) -> Future[T]:
        """Have *work* run in the next turn's transaction (see `Mailbox.write`)."""
        return self._mailbox.write(work)

    def cancel_tree(self, tree: int) -> Future[Cancelled]:
        """
        Cancel all of a tree that has not ended; from any thread, as all that follow.

        Args:
            tree: its internal number.

        Returns:
            Resolved after the commit, from which on nothing changes the outcome. Its exception:
            NotFound; Conflict: it has ended; StoreClosed.
        """
        return self._ask(lambda grip: cancel_tree(grip, tree))

    def cancel_task(self, task: int) -> Future[Cancelled]:
        """Cancel one task by its internal number; else as `cancel_tree`."""
        return self._ask(lambda grip: cancel_task(grip, task))

    def retry_tree(self, tree: int) -> Future[Retried]:
        """
        Make what failed or was cancelled of a tree, and everything downstream, run again.

        Also what is pending of a tree that was left over.

        Returns:
            Resolved when it is committed which tasks run again. Its exception: NotFound; Conflict:
            there is nothing to retry, something that would run again is in progress, another tree
            holds its `idempotency_key`, or it is being cancelled or retried; StoreClosed.
        """
        return self._ask(lambda grip: begin_retry_of_tree(grip, tree))

    def retry_task(self, task: int) -> Future[Retried]:
        """Make a task that ended, and everything downstream, run again; else as `retry_tree`."""
        return self._ask(lambda grip: begin_retry_of_task(grip, task))

    def release_task(self, task: int) -> Future[Released]:
        """
        Release a task that has `hold`, before it is otherwise ready or when it is held.

        Args:
            task: its internal number.

        Returns:
            Resolved after the commit. Its exception: NotFound; Conflict: it has no `hold`, was
            released already, has ended, or its tree is being cancelled or retried; StoreClosed.
        """
        return self._ask(lambda grip: release_task(grip, task))

    def pause(self) -> Future[Paused]:
        """Start nothing new from the commit on, also after a restart; what runs goes on."""
        return self._ask(pause)

    def resume(self) -> Future[Paused]:
        """Start tasks again; trees that were paused by themselves stay so."""
        return self._ask(resume)

    def pause_tree(self, tree: int) -> Future[Paused]:
        """Start nothing new of a tree. Its exception: NotFound; Conflict: it has ended."""
        return self._ask(lambda grip: pause_tree(grip, tree))

    def resume_tree(self, tree: int) -> Future[Paused]:
        """End the pause of a tree. Its exception: as of `pause_tree`; or it is left over."""
        return self._ask(lambda grip: resume_tree(grip, tree))

    def set_tree_priority(self, tree: int, priority: int) -> Future[Prioritised]:
        """Give all of a tree that has not started another priority, 0 to 999; at once."""
        return self._ask(lambda grip: set_tree_priority_to(grip, tree, priority))

    def set_task_priority(self, task: int, priority: int) -> Future[Prioritised]:
        """Give a task that has not started another priority; Conflict: it has started."""
        return self._ask(lambda grip: set_task_priority(grip, task, priority))

    def _ask(self, do: Callable[[Grip], T | Sweep]) -> Future[T]:
        future = self._steering.ask(do)
        self._wake()
        return future

    def add_outcomes(self, ended: Sequence[EndedAttempt]) -> None:
        """Hand over attempts that ended; from any thread."""
        self._mailbox.add_outcomes(ended)

    def keep_places(self, kind: int, change: int) -> None:
        """Report places that attempts keep beyond their outcomes (see `Mailbox.keep_places`)."""
        if kind == PlaceKind.PROCESS:
            with self._turn_over:
                self.kept_places += change
        self._mailbox.keep_places(kind, change)

    def wake(self) -> None:
        """Look at once what is due, as when the clock was moved; from any thread."""
        self._wake()

    def restore(self, executor: str) -> None:
        """Bring tasks back that wait for an executor which is there now; from any thread."""
        self._turns.restore(frozenset({executor}))
        self._wake()

    def stop_claiming(self) -> None:
        """Start nothing from now on; what runs goes on and is recorded."""
        self._turns.stop_claiming()
        self._wake()

    @property
    def is_alive(self) -> bool:
        """Whether the scheduler's thread lives."""
        return self._loop.is_alive

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, is due now or later, or waits to be written."""
        return self._turns.is_idle

    @property
    def running_count(self) -> int:
        """How many attempts are handed over and have not come back."""
        return self._turns.running_count

    @property
    def failing_turns(self) -> int:
        """How many turns in a row have failed; 0 when the last one was committed."""
        return self._turns.failing_since_turns

    def wait_for_turn(self, is_over: Callable[[], bool], timeout: float | None) -> bool:
        """
        Wait until *is_over* says so after some turn.

        Args:
            is_over: cheap; looked at now and after every turn.
            timeout: seconds; None waits as long as it takes.

        Returns:
            What *is_over* said last.
        """
        with self._turn_over:
            return self._turn_over.wait_for(is_over, timeout)

    @property
    def commit_count(self) -> int:
        """
        How many turns were committed; what was read before the newest may be old.

        It has risen when somebody is told of what a turn did.
        """
        return self._turns.commit_count

    def _announce_turn(self) -> None:
        if self._announced_commits != self._turns.commit_count:
            self._announced_commits = self._turns.commit_count
            self.last_commit_at = self._clock.now_micros()
        with self._turn_over:
            self._turn_over.notify_all()

    def _wake(self) -> None:
        if self._started and not self._stopped:
            self._loop.wakeup()
