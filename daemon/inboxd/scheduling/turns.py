"""
The scheduler's turn: everything that happened since the last one, in one transaction.

Outcomes are written, the edges they decide are decided, works of other threads are done, and the
next tasks are claimed in the order of starts, as many as there are free places. A turn that fails
changes nothing: outcomes and works stay queued, and the next turn looks at the store before it
believes its memory.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from inboxd.running.attempt import Attempt
from inboxd.scheduling.back_off import BackOff
from inboxd.scheduling.cascade import Cascade, decide_edges, take_up_cascades
from inboxd.scheduling.claiming import claim_tasks
from inboxd.scheduling.memory import Memory
from inboxd.scheduling.places import KINDS, Places
from inboxd.scheduling.recording import record_outcomes, record_trees
from inboxd.scheduling.steering import ROWS_A_TURN, Steering
from inboxd.scheduling.turn import Turn
from inboxd.scheduling.works import do_works
from inboxd.store.acceptance import SMALL_TREE
from inboxd.store.claims import next_waiting_due, restore_executors, wake_waiting
from inboxd.store.outcomes import (
    StaleOutcome,
    give_back,
    tasks_in_progress,
)
from inboxd.store.statements import write_transaction
from inboxd.store.tables import TaskFlag
from inboxd.store.trees import (
    newly_accepted,
    trees_to_end,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from inboxd.clock import Clock
    from inboxd.config.settings import RunSettings
    from inboxd.scheduling.mailbox import Mailbox
    from inboxd.scheduling.turn import TurnListener

__all__ = ["Turns", "end_nothing"]

logger = logging.getLogger(__name__)

#: At most so many waiting tasks are released in a turn.
_WOKEN_A_TURN = 10_000


def end_nothing(attempts: Sequence[Attempt]) -> None:
    """Let attempts go on to their own ends, where nobody can end them sooner."""


class Turns:
    """All turns of one store; used by one thread at a time."""

    def __init__(
        self,
        connection: Connection,
        mailbox: Mailbox,
        *,
        clock: Clock,
        settings: RunSettings,
        executors: Mapping[str, bool],
        listener: TurnListener,
        end_attempts: Callable[[Sequence[Attempt]], None] = end_nothing,
        small_tree: int = SMALL_TREE,
        rows_a_turn: int = ROWS_A_TURN,
    ) -> None:
        """
        Args:
            connection: the writer's.
            mailbox: what other threads hand over.
            clock: the time.
            settings: places and limits.
            executors: those that exist, and whether they look at inputs and params.
            listener: is told what was committed.
            end_attempts: is told, after the commit, of attempts whose tasks a person cancelled;
                must not block or raise. Of the same attempt it may be told again.
            small_tree: the rows of a tree with more tasks come in parked.
            rows_a_turn: tasks of large trees that persons' requests look at in one turn.
        """
        self._connection = connection
        self._mailbox = mailbox
        self._clock = clock
        self._settings = settings
        self._executors = executors
        self._listener = listener
        self._memory = Memory(small_tree)
        #: How many turns were committed.
        self.commit_count = 0
        self._doubt = True
        #: What is in nobody's hands for the length of a turn must not look like nothing to do.
        self._in_turn = False
        self._claiming = True
        self._places = Places(settings)
        self._back_off = BackOff()
        self._end_attempts = end_attempts
        self.steering = Steering(self._memory, clock, rows_a_turn=rows_a_turn)
        #: Executors that came while the daemon runs, for the tasks that wait for them.
        self._new_executors: frozenset[str] = frozenset()
        self._new_executors_lock = threading.Lock()
        self._random = random.Random()  # noqa: S311 - spreads retries, keeps no secret

    @property
    def failing_since_turns(self) -> int:
        """How many turns in a row have failed; 0 when the last one was committed."""
        return self._back_off.failures

    @property
    def running_count(self) -> int:
        """How many attempts are handed over and have not come back."""
        return len(self._memory.running)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, waits for its time or a turn, or may be claimed by itself."""
        memory = self._memory
        if (
            self._in_turn
            or memory.running
            or self._doubt
            or memory.cascading
            or self._new_executors
            or self.steering.is_busy
            or not self._mailbox.is_empty
        ):
            return False
        return memory.paused or (
            memory.next_waiting is None
            and memory.levels.next_due is None
            and not memory.levels.any_open
            and not any(self._places.claimable.values())
        )

    def stop_claiming(self) -> None:
        """Start nothing from now on; outcomes and works are written as before."""
        self._claiming = False

    def restore(self, executors: frozenset[str]) -> None:
        """Bring tasks back that wait for these executors, in the next turn; from any thread."""
        with self._new_executors_lock:
            self._new_executors |= executors

    def next_run(self) -> int | None:
        """Return when the next turn is due (microseconds since 1970, UTC); None: when woken."""
        if self._back_off.until is not None:
            return self._back_off.until
        now = self._clock.now_micros()
        memory = self._memory
        if self._mailbox.has_works or memory.cascading or self._doubt or self._new_executors:
            return now
        if self.steering.is_busy or (self._may_claim and self._places.may_be_filled):
            return now
        dues = [due for due in (memory.next_waiting, memory.levels.next_due) if due is not None]
        return min(dues, default=None)

    def run(self) -> list[Attempt]:
        """
        Do one turn and return the attempts to hand over, in the order of their `start_seq`.

        Never raises: a turn that fails is logged, changes nothing, and is repeated after a pause.
        """
        self._in_turn = True
        try:
            return self._run()
        finally:
            self._in_turn = False

    def _run(self) -> list[Attempt]:
        now = self._clock.now_micros()
        if self._back_off.holds(now):
            return []
        turn = Turn(now, self._clock.monotonic(), self._mailbox.take_outcomes())
        for kind, change in self._mailbox.take_kept():
            self._places.keep(kind, change)
        if not self._has_something_to_do(turn):
            return []
        try:
            with write_transaction(self._connection):
                if self._doubt:
                    self._reconcile(turn)
                self._do(turn)
                turn.pass_failpoints("before")
        except Exception as error:  # the door between turns and APScheduler's loop
            self._fail(turn, error)
            return []
        turn.pass_failpoints("after")
        self._after_commit(turn)
        return turn.claims.attempts

    # -- one turn, inside its transaction ---------------------------------------------------

    def _do(self, turn: Turn) -> None:
        connection, memory = self._connection, self._memory
        if self._new_executors:
            self._restore(turn)
        ended = record_outcomes(
            connection,
            memory,
            turn,
            max_interruptions=self._settings.max_interruptions,
            chance=self._random.random,
        )
        are_more_marked = False
        if memory.cascading:
            marked, are_more_marked = take_up_cascades(connection, frozen=memory.frozen)
            ended = [*marked, *ended]
        if ended:
            memory.fetch_trees(connection, {task.tree for task in ended})
            cascade = decide_edges(
                connection, ended, lambda number: memory.tree(connection, number), now=turn.now
            )
            cascade.unfinished = cascade.unfinished or are_more_marked
            self._note_cascade(turn, cascade)
        else:
            memory.cascading = False
        self._do_works(turn)
        self.steering.run(turn)
        self._wake(turn)
        for number in turn.dirty | turn.reopened:
            tree = memory.tree(connection, number)
            if memory.has_levels(tree):
                memory.look_at_levels(connection, tree, now=turn.now)
        self._places.note_claimable(turn.claimable)
        if self._may_claim:
            self._claim(turn)
        record_trees(connection, memory, turn, owed_plugins=self._listener.owed_plugins)
        if turn.dirty or turn.accepted or turn.woken or turn.times_changed:
            memory.next_waiting = next_waiting_due(connection)

    def _restore(self, turn: Turn) -> None:
        """Bring back the tasks of executors that are there now."""
        turn.restored = self._new_executors
        if restore_executors(self._connection, turn.restored):
            self._memory.load(self._connection, now=turn.now)
            turn.claimable.update(KINDS)

    def _note_cascade(self, turn: Turn, cascade: Cascade) -> None:
        self._memory.cascading = cascade.unfinished
        for tree, count in cascade.skipped.items():
            turn.change(tree).skipped += count
        if cascade.touched:
            turn.dirty |= cascade.touched
            turn.claimable.update(KINDS)

    def _do_works(self, turn: Turn) -> None:
        do_works(self._connection, self._mailbox, turn, self._clock)
        if not turn.works:
            return
        memory = self._memory
        turn.accepted = newly_accepted(self._connection, after=memory.last_acceptance)
        for tree in turn.accepted:
            memory.add_tree(tree)
            if memory.has_levels(tree):
                turn.reopened.add(tree.id)
        if turn.accepted:
            turn.claimable.update(KINDS)

    def _wake(self, turn: Turn) -> None:
        memory = self._memory
        turn.reopened.update(memory.levels.due_trees(turn.now))
        due = memory.next_waiting
        if due is not None and due <= turn.now:
            turn.woken = True
            for task in wake_waiting(self._connection, now=turn.now, limit=_WOKEN_A_TURN):
                turn.dirty.add(task.tree)
                if task.attempt and task.flags & TaskFlag.STRICT:
                    memory.levels.retry_waits(task.tree, task.priority, -1)
        if turn.dirty or turn.reopened:
            turn.claimable.update(KINDS)

    def _claim(self, turn: Turn) -> None:
        ended: dict[int, int] = dict.fromkeys(KINDS, 0)
        places = self._places
        for attempt, _, _ in turn.taken:
            ended[self._memory.running[attempt.task].task.kind] += 1
        for kind in KINDS:
            free = places.free(kind) + ended[kind]
            if free > 0 and places.claimable[kind]:
                places.claimable[kind] = claim_tasks(
                    self._connection,
                    self._memory,
                    turn.claims,
                    kind,
                    free,
                    now=turn.now,
                    executors=self._executors,
                    default_timeout=self._settings.default_timeout_seconds,
                )
        for number in turn.claims.starting_trees:
            turn.change(number).started = True

    def _reconcile(self, turn: Turn) -> None:
        """After a turn that failed, or at the start: look at what the store really says."""
        memory = self._memory
        believed = {number: entry.number for number, entry in memory.running.items()}
        recorded = dict(tasks_in_progress(self._connection))
        give_back(
            self._connection,
            [
                (task, attempt)
                for task, attempt in recorded.items()
                if believed.get(task) != attempt
            ],
        )
        for number, attempt in believed.items():
            if recorded.get(number) != attempt:
                # Its outcome was committed by the turn whose end was not known.
                entry = memory.running.pop(number)
                self._places.busy[entry.task.kind] -= 1
        memory.load(self._connection, now=turn.now)
        self.steering.load(self._connection, turn)
        turn.claimable.update(KINDS)
        for number in trees_to_end(self._connection):
            turn.change(number)

    # -- around it ------------------------------------------------------------------------------

    def _has_something_to_do(self, turn: Turn) -> bool:
        memory = self._memory
        if turn.outcomes or self._mailbox.has_works or self._doubt or memory.cascading:
            return True
        if self._new_executors or self.steering.is_busy:
            return True
        dues = (memory.next_waiting, memory.levels.next_due)
        if any(due is not None and due <= turn.now for due in dues):
            return True
        return self._may_claim and self._places.may_be_filled

    @property
    def _may_claim(self) -> bool:
        return self._claiming and not self._memory.paused

    def _after_commit(self, turn: Turn) -> None:
        # Before anybody is told, since who is told reads what is new.
        self.commit_count += 1
        memory = self._memory
        failures = self._back_off.failures
        if failures:
            logger.warning(
                "store works again", extra={"event": "store_recovered", "turns": failures}
            )
        self._back_off.note_success()
        self._doubt = False
        if turn.restored:
            with self._new_executors_lock:
                self._new_executors -= turn.restored
        for attempt, _, _ in turn.taken:
            entry = memory.running.pop(attempt.task)
            memory.cancelling.discard(attempt.task)
            self._places.busy[entry.task.kind] -= 1
        for entry in turn.claims.running:
            memory.running[entry.task.id] = entry
            self._places.busy[entry.task.kind] += 1
        for ended in turn.ended:
            memory.forget_tree(ended.tree.id)
        for work, result in turn.done:
            work.future.set_result(result)
        self.steering.after_commit(turn)
        if turn.cut:
            self._end_attempts(turn.cut)
        for attempt, end, tree in turn.taken:
            self._listener.attempt_ended(attempt, end, tree)
        if turn.accepted:
            self._listener.trees_accepted(turn.accepted)
        if turn.ended:
            self._listener.trees_ended(turn.ended)
        if turn.claims.attempts and self._listener.wants_starts:
            self._listener.attempts_started(turn.claims.attempts, turn.claims.trees)
        if turn.claims.missed:
            self._listener.executors_missed(turn.claims.missed)

    def _fail(self, turn: Turn, error: Exception) -> None:
        self._mailbox.give_outcomes_back(turn.outcomes)
        self._mailbox.give_works_back(turn.works)
        self.steering.after_failure(turn)
        self._doubt = True
        pause = self._back_off.note_failure(
            self._clock.now_micros(), at_once=isinstance(error, StaleOutcome)
        )
        known = isinstance(error, SQLAlchemyError | StaleOutcome)
        logger.error(
            "turn failed; it is repeated in %.1f s: %s",
            pause,
            error,
            exc_info=None if known else error,
            extra={"event": "turn_failed", "turns": self._back_off.failures},
        )
