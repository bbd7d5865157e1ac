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

from inboxd.failpoints import failpoint
from inboxd.running.attempt import Attempt
from inboxd.scheduling.cascade import Cascade, decide_edges, take_up_cascades
from inboxd.scheduling.claiming import claim_tasks
from inboxd.scheduling.memory import Memory
from inboxd.scheduling.recording import record_outcomes, record_trees
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
from inboxd.task import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from inboxd.clock import Clock
    from inboxd.config.settings import RunSettings
    from inboxd.scheduling.mailbox import Mailbox
    from inboxd.scheduling.turn import TurnListener

__all__ = ["Turns"]

logger = logging.getLogger(__name__)

#: The kinds of places as plain numbers, which dictionaries find three times faster than enums.
_KINDS = tuple(kind.value for kind in PlaceKind)

#: At most so many waiting tasks are released in a turn.
_WOKEN_A_TURN = 10_000

#: After a turn that failed, the next comes after so long, doubled each time up to the second.
_BACK_OFF_SECONDS = (0.1, 5.0)


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
        small_tree: int = SMALL_TREE,
    ) -> None:
        """
        Args:
            connection: the writer's.
            mailbox: what other threads hand over.
            clock: the time.
            settings: places and limits.
            executors: those that exist, and whether they look at inputs and params.
            listener: is told what was committed.
            small_tree: the rows of a tree with more tasks come in parked.
        """
        self._connection = connection
        self._mailbox = mailbox
        self._clock = clock
        self._settings = settings
        self._executors = executors
        self._listener = listener
        self._memory = Memory(small_tree)
        self._doubt = True
        #: What is in nobody's hands for the length of a turn must not look like nothing to do.
        self._in_turn = False
        self._claiming = True
        self._places: dict[int, int] = {
            PlaceKind.PROCESS: settings.places,
            PlaceKind.ASYNC: settings.async_places,
        }
        #: Places that an attempt keeps although its outcome is recorded.
        self._kept: dict[int, int] = dict.fromkeys(_KINDS, 0)
        self._busy: dict[int, int] = dict.fromkeys(_KINDS, 0)
        #: Kinds that may have claimable tasks beyond those that the last turn took.
        self._claimable: dict[int, bool] = dict.fromkeys(_KINDS, True)
        self._failures = 0
        self._retry_at: int | None = None
        #: Executors that came while the daemon runs, for the tasks that wait for them.
        self._new_executors: frozenset[str] = frozenset()
        self._new_executors_lock = threading.Lock()
        self._random = random.Random()  # noqa: S311 - spreads retries, keeps no secret

    @property
    def failing_since_turns(self) -> int:
        """How many turns in a row have failed; 0 when the last one was committed."""
        return self._failures

    @property
    def running_count(self) -> int:
        """How many attempts are handed over and have not come back."""
        return len(self._memory.running)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, waits for its time or a turn, or may be claimed."""
        memory = self._memory
        return (
            not self._in_turn
            and not memory.running
            and not self._doubt
            and not memory.cascading
            and memory.next_waiting is None
            and memory.levels.next_due is None
            and not memory.levels.any_open
            and not self._new_executors
            and not any(self._claimable.values())
            and self._mailbox.is_empty
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
        if self._retry_at is not None:
            return self._retry_at
        now = self._clock.now_micros()
        memory = self._memory
        if self._mailbox.has_works or memory.cascading or self._doubt or self._new_executors:
            return now
        if self._claiming and any(
            self._claimable[kind] and self._free(kind) > 0 for kind in _KINDS
        ):
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
        if self._retry_at is not None and now < self._retry_at and self._clock_is_sane(now):
            return []
        turn = Turn(now, self._mailbox.take_outcomes())
        for kind, change in self._mailbox.take_kept():
            self._kept[kind] += change
            if change < 0:
                self._claimable[kind] = True
        if not self._has_something_to_do(turn):
            return []
        try:
            with write_transaction(self._connection):
                if self._doubt:
                    self._reconcile(turn)
                self._do(turn)
                self._pass_failpoints("before", turn)
        except Exception as error:  # the door between turns and APScheduler's loop
            self._fail(turn, error)
            return []
        self._pass_failpoints("after", turn)
        self._after_commit(turn)
        return turn.claims.attempts

    @staticmethod
    def _pass_failpoints(when: str, turn: Turn) -> None:
        if turn.taken:
            failpoint(f"{when}_outcome_commit")
        if turn.claims.attempts:
            failpoint(f"{when}_claim_commit")
        if turn.ended:
            failpoint(f"{when}_tree_end_commit")

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
        if memory.cascading:
            ended = [*take_up_cascades(connection), *ended]
        if ended:
            memory.fetch_trees(connection, {task.tree for task in ended})
            cascade = decide_edges(
                connection, ended, lambda number: memory.tree(connection, number), now=turn.now
            )
            self._note_cascade(turn, cascade)
        else:
            memory.cascading = False
        self._do_works(turn)
        self._wake(turn)
        for number in turn.dirty | turn.reopened:
            tree = memory.tree(connection, number)
            if tree.strict or number in turn.reopened:
                memory.look_at_levels(connection, tree, now=turn.now)
        self._claimable.update(dict.fromkeys(turn.claimable, True))
        if self._claiming:
            self._claim(turn)
        record_trees(connection, memory, turn, owed_plugins=self._listener.owed_plugins)
        if turn.dirty or turn.accepted or turn.woken:
            memory.next_waiting = next_waiting_due(connection)

    def _restore(self, turn: Turn) -> None:
        """Bring back the tasks of executors that are there now."""
        turn.restored = self._new_executors
        if restore_executors(self._connection, turn.restored):
            self._memory.load(self._connection, now=turn.now)
            turn.claimable.update(_KINDS)

    def _note_cascade(self, turn: Turn, cascade: Cascade) -> None:
        self._memory.cascading = cascade.unfinished
        for tree, count in cascade.skipped.items():
            turn.change(tree).skipped += count
        if cascade.touched:
            turn.dirty |= cascade.touched
            turn.claimable.update(_KINDS)

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
            turn.claimable.update(_KINDS)

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
            turn.claimable.update(_KINDS)

    def _claim(self, turn: Turn) -> None:
        ended: dict[int, int] = dict.fromkeys(_KINDS, 0)
        for attempt, _, _ in turn.taken:
            ended[self._memory.running[attempt.task].task.kind] += 1
        for kind in _KINDS:
            free = self._free(kind) + ended[kind]
            if free > 0 and self._claimable[kind]:
                self._claimable[kind] = claim_tasks(
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
                self._busy[entry.task.kind] -= 1
        memory.load(self._connection, now=turn.now)
        turn.claimable.update(_KINDS)
        for number in trees_to_end(self._connection):
            turn.change(number)

    # -- around it ------------------------------------------------------------------------------

    def _has_something_to_do(self, turn: Turn) -> bool:
        memory = self._memory
        if turn.outcomes or self._mailbox.has_works or self._doubt or memory.cascading:
            return True
        if self._new_executors:
            return True
        dues = (memory.next_waiting, memory.levels.next_due)
        if any(due is not None and due <= turn.now for due in dues):
            return True
        return self._claiming and any(
            self._claimable[kind] and self._free(kind) > 0 for kind in _KINDS
        )

    def _after_commit(self, turn: Turn) -> None:
        memory = self._memory
        if self._failures:
            logger.warning(
                "store works again", extra={"event": "store_recovered", "turns": self._failures}
            )
        self._doubt = False
        if turn.restored:
            with self._new_executors_lock:
                self._new_executors -= turn.restored
        self._failures = 0
        self._retry_at = None
        for attempt, _, _ in turn.taken:
            entry = memory.running.pop(attempt.task)
            self._busy[entry.task.kind] -= 1
        for entry in turn.claims.running:
            memory.running[entry.task.id] = entry
            self._busy[entry.task.kind] += 1
        for ended in turn.ended:
            memory.forget_tree(ended.tree.id)
        for work, result in turn.done:
            work.future.set_result(result)
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
        self._doubt = True
        self._failures += 1
        first, longest = _BACK_OFF_SECONDS
        pause = min(first * 2 ** min(self._failures - 1, 10), longest)
        if isinstance(error, StaleOutcome) and self._failures == 1:
            pause = 0.0
        self._retry_at = self._clock.now_micros() + int(pause * 1_000_000)
        known = isinstance(error, SQLAlchemyError | StaleOutcome)
        logger.error(
            "turn failed; it is repeated in %.1f s: %s",
            pause,
            error,
            exc_info=None if known else error,
            extra={"event": "turn_failed", "turns": self._failures},
        )

    def _clock_is_sane(self, now: int) -> bool:
        """Whether the back-off ends soon; after a step back of the clock it would last for ever."""
        assert self._retry_at is not None  # noqa: S101 - for the type checker
        return self._retry_at - now <= _BACK_OFF_SECONDS[1] * 1_000_000

    def _free(self, kind: int) -> int:
        return self._places[kind] - self._busy[kind] - self._kept[kind]
