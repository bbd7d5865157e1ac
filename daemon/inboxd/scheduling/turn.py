"""What one turn gathers until its commit, and who is told of it afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.failpoints import failpoint
from inboxd.scheduling.claiming import Claims
from inboxd.store.outcomes import AttemptEnd, RequeuedTask
from inboxd.store.trees import OpenTree, TreeChange

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from inboxd.running.attempt import Attempt
    from inboxd.scheduling.mailbox import EndedAttempt, Work
    from inboxd.scheduling.steering import Request

__all__ = ["EndedTree", "Turn", "TurnListener"]


class EndedTree(msgspec.Struct, frozen=True):
    """A tree whose last task ended in this turn."""

    tree: OpenTree
    status: str
    #: Microseconds since 1970, UTC.
    ended_at: int


class TurnListener:
    """Who is told what a turn committed; called on the scheduler's thread, so it must be quick."""

    #: Whether `attempts_started` is called: it costs something for every start.
    wants_starts = False
    #: The plugins that are owed to be told of every tree that ends.
    owed_plugins: Sequence[str] = ()

    def attempts_started(self, attempts: Sequence[Attempt], trees: Sequence[OpenTree]) -> None:
        """The starts of attempts were recorded; the trees are theirs, one for each attempt."""

    def executors_missed(self, executors: Collection[str]) -> None:
        """Tasks were put aside, since nobody offers these executors."""

    def attempt_ended(
        self, attempt: Attempt, end: AttemptEnd | RequeuedTask, tree: OpenTree
    ) -> None:
        """An attempt's outcome was recorded."""

    def trees_accepted(self, trees: Sequence[OpenTree]) -> None:
        """Trees were accepted."""

    def trees_ended(self, trees: Sequence[EndedTree]) -> None:
        """Trees ended; their results are owed."""


class Turn:
    """What one turn gathers until its commit."""

    def __init__(self, now: int, begun: float, outcomes: Sequence[EndedAttempt]) -> None:
        """*now* is in microseconds since 1970, UTC; *begun* the same moment, monotonic seconds."""
        self.now = now
        self.begun = begun
        self.outcomes = outcomes
        #: Outcomes that count, what becomes of their tasks, and the trees.
        self.taken: list[tuple[Attempt, AttemptEnd | RequeuedTask, OpenTree]] = []
        self.changes: dict[int, TreeChange] = {}
        #: Trees some of whose tasks changed in a way that can open or close a level.
        self.dirty: set[int] = set()
        #: Trees whose levels are to be found again even if they are not strict.
        self.reopened: set[int] = set()
        #: Executors whose tasks were brought back.
        self.restored: frozenset[str] = frozenset()
        #: Waiting tasks were released.
        self.woken = False
        #: Kinds of places for which tasks may have become claimable.
        self.claimable: set[int] = set()
        self.works: list[Work[Any]] = []
        #: Works that were done, with what they gave.
        self.done: list[tuple[Work[Any], object]] = []
        self.accepted: list[OpenTree] = []
        self.ended: list[EndedTree] = []
        self.claims = Claims()
        #: Requests of persons that were begun.
        self.requests: list[Request[Any]] = []
        #: Those whose answer is told after the commit.
        self.answered: list[Request[Any]] = []
        #: Attempts whose tasks were cancelled.
        self.cut: list[Attempt] = []
        #: Tasks may wait for their time that did not, or the other way round.
        self.times_changed = False

    def change(self, tree: int) -> TreeChange:
        """Return the change of a tree's counts, to add to."""
        found = self.changes.get(tree)
        if found is None:
            found = self.changes[tree] = TreeChange()
        return found

    def pass_failpoints(self, when: str) -> None:
        """Pass the points, `before` or `after` the commit, at which tests cut the process."""
        if self.taken:
            failpoint(f"{when}_outcome_commit")
        if self.claims.attempts:
            failpoint(f"{when}_claim_commit")
        if self.answered or self.cut:
            failpoint(f"{when}_steering_commit")
        if self.ended:
            failpoint(f"{when}_tree_end_commit")
