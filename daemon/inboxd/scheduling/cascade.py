"""
What the end of tasks means for the tasks that depend on them: released, skipped, or still blocked.

Decided by `readiness`, in chunks: a turn decides at most so many edges, and what it leaves is
marked in the store, so that a crash in between loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from inboxd.readiness import SKIP_CODES, Ending, Gravity, decide_edge, ending_of_skip
from inboxd.store.acceptance import EDGE_ONS
from inboxd.store.edges import (
    blocked_tasks,
    cascading_tasks,
    count_down,
    edges_from,
    known_by,
    mark_cascading,
    note_gravity,
    skip_tasks,
)
from inboxd.store.tables import TaskFlag, TaskState
from inboxd.task import TaskError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import Connection

    from inboxd.store.edges import BlockedTask
    from inboxd.store.trees import OpenTree

__all__ = [
    "DECISIONS",
    "EDGES_A_TURN",
    "Cascade",
    "EndedTask",
    "decide_edges",
    "ending_of",
    "skip_error",
    "take_up_cascades",
]

#: A turn decides at most so many edges: some 15 ms, or 40 ms where all of them skip tasks.
EDGES_A_TURN = 4_000

#: Between two tasks there is at most one edge for each `on`; one more shows that there are more.
_EDGES_OF_A_PAIR = len(EDGE_ONS) + 1

#: A turn follows a chain of skipped tasks at most so far.
_ROUNDS_A_TURN = 500

#: `EDGE_TABLE` by numbers, as edges are stored: [ending][holds_on].
DECISIONS = [[decide_edge(ending, on) for on in EDGE_ONS] for ending in Ending]

_VERBS = {
    Gravity.CONDITION: "did not fail",
    Gravity.CANCELLED: "was cancelled",
    Gravity.FAILED: "failed",
}


class EndedTask(msgspec.Struct, frozen=True):
    """A task that ended and has dependants."""

    id: int
    tree: int
    ending: Ending
    #: The number of the task where it began: itself, or what made it skipped.
    cause: int
    #: Edges to dependants up to this number are decided already; 0: none are.
    after: int = 0
    #: True when the store has a mark of it, which must go when all its edges are decided.
    marked: bool = False


@dataclass(slots=True)
class Cascade:
    """What a turn's decisions came to."""

    #: Skipped tasks by tree.
    skipped: dict[int, int] = field(default_factory=dict[int, int])
    #: Trees some of whose tasks may have become claimable.
    touched: set[int] = field(default_factory=set[int])
    #: True when edges are left for the next turn.
    unfinished: bool = False


@dataclass(slots=True)
class _Dependant:
    """What one round decided of one task's edges."""

    holds: int = 0
    fails: int = 0
    gravity: Gravity = Gravity.HOLDS
    cause: int = 0


def take_up_cascades(
    connection: Connection, *, frozen: Collection[int] = ()
) -> tuple[list[EndedTask], bool]:
    """
    Return ended tasks whose edges earlier turns left undecided, but for those of some trees.

    Returns:
        At most `EDGES_A_TURN` of them, and whether there may be more.
    """
    ended: list[EndedTask] = []
    for task in cascading_tasks(connection, EDGES_A_TURN, frozen=frozen):
        ending, cause = ending_of(task.state, Gravity(task.gravity), task.gravest, task.id)
        ended.append(EndedTask(task.id, task.tree, ending, cause, task.cascade, marked=True))
    return ended, len(ended) == EDGES_A_TURN


def decide_edges(
    connection: Connection,
    ended: Sequence[EndedTask],
    trees: Callable[[int], OpenTree],
    *,
    now: int,
) -> Cascade:
    """
    Decide the edges of tasks that ended, and of those that are skipped for it, round by round.

    Args:
        connection: in a transaction of the writer, in which the ends are recorded already.
        ended: those that have dependants.
        trees: gives a tree by its number.
        now: microseconds since 1970, UTC.

    Returns:
        What it came to; with `unfinished` the rest is marked in the store.
    """
    cascade = Cascade()
    budget = EDGES_A_TURN
    rounds = 0
    current: Sequence[EndedTask] = ended
    while current:
        if budget < _EDGES_OF_A_PAIR or rounds == _ROUNDS_A_TURN:
            mark_cascading(connection, [(task.after, task.id) for task in current])
            cascade.unfinished = True
            break
        # The other half is for those that are skipped now: most have few dependants, or none, and
        # to mark each for a later turn would take longer than to look.
        most = max(budget // 2, _EDGES_OF_A_PAIR)
        edges = edges_from(connection, [(task.id, task.after) for task in current], most + 1)
        if len(edges) > most:
            edges = _whole_pairs(edges)
            _mark_rest(connection, current, edges[-1])
            cascade.unfinished = True
        else:
            done = [(None, task.id) for task in current if task.marked]
            if done:
                mark_cascading(connection, done)
        budget -= len(edges)
        rounds += 1
        current = _decide_round(connection, current, edges, trees, cascade, now)
    return cascade


def _mark_rest(
    connection: Connection, ended: Sequence[EndedTask], last: tuple[int, int, int]
) -> None:
    """Mark the tasks whose edges come after *last*; one that is done is unmarked."""
    position = next(i for i, task in enumerate(ended) if task.id == last[0])
    done = [(None, task.id) for task in ended[:position] if task.marked]
    rest = [(task.after, task.id) for task in ended[position + 1 :]]
    mark_cascading(connection, [*done, (last[1], last[0]), *rest])


def _whole_pairs(edges: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Drop the last edge and all between the same two tasks: they are decided at once."""
    pair = edges[-1][:2]
    end = len(edges)
    while edges[end - 1][:2] == pair:
        end -= 1
    return edges[:end]


def _decide_round(
    connection: Connection,
    ended: Sequence[EndedTask],
    edges: Sequence[tuple[int, int, int]],
    trees: Callable[[int], OpenTree],
    cascade: Cascade,
    now: int,
) -> list[EndedTask]:
    by_id = {task.id: task for task in ended}
    dependants: dict[int, _Dependant] = {}
    failing: list[int] = []
    tree_of: dict[int, int] = {}
    for dependency, dependant, holds_on in edges:
        task = by_id[dependency]
        seen = dependants.get(dependant)
        if seen is None:
            seen = dependants[dependant] = _Dependant()
            tree_of[dependant] = task.tree
        gravity = DECISIONS[task.ending][holds_on]
        if gravity is Gravity.HOLDS:
            seen.holds += 1
            continue
        if not seen.fails:
            failing.append(dependant)
        seen.fails += 1
        if gravity > seen.gravity:
            seen.gravity, seen.cause = gravity, task.cause
    skipped = _decide_failing(connection, dependants, failing, cascade, now) if failing else []
    rows: list[tuple[int, int, int, int]] = []
    for number, seen in dependants.items():
        if seen.holds:
            tree = trees(tree_of[number])
            rows.append((seen.holds, tree.accepted_at, tree.acceptance, number))
            cascade.touched.add(tree.id)
    if rows:
        count_down(connection, rows, now=now)
    return skipped


def _decide_failing(
    connection: Connection,
    dependants: dict[int, _Dependant],
    failing: Sequence[int],
    cascade: Cascade,
    now: int,
) -> list[EndedTask]:
    """Skip what can no longer start; what is skipped is taken out of *dependants*."""
    skips: list[tuple[BlockedTask, Gravity, int]] = []
    notes: list[tuple[int, int, int | None, int]] = []
    for task in blocked_tasks(connection, failing):
        seen = dependants[task.id]
        if not task.flags & TaskFlag.JOIN_ANY:
            skips.append((task, seen.gravity, seen.cause))
            continue
        if seen.holds:
            continue  # one edge is enough
        gravity, cause = Gravity(task.gravity), task.gravest
        if seen.gravity > gravity or cause is None:
            gravity, cause = seen.gravity, seen.cause
        if task.undecided > seen.fails:
            notes.append((seen.fails, gravity.value, cause, task.id))
        else:
            skips.append((task, gravity, cause))
    if notes:
        note_gravity(connection, notes)
    if not skips:
        return []
    return _skip(connection, skips, dependants, cascade, now)


def _skip(
    connection: Connection,
    skips: Sequence[tuple[BlockedTask, Gravity, int]],
    dependants: dict[int, _Dependant],
    cascade: Cascade,
    now: int,
) -> list[EndedTask]:
    names = known_by(connection, {cause for _, _, cause in skips})
    rows: list[tuple[int, int | None, str, int, int]] = []
    ended: list[EndedTask] = []
    for task, gravity, cause in skips:
        rows.append((gravity.value, cause, skip_error(gravity, *names[cause]), now, task.id))
        cascade.skipped[task.tree] = cascade.skipped.get(task.tree, 0) + 1
        cascade.touched.add(task.tree)
        del dependants[task.id]
        if task.flags & TaskFlag.HAS_DEPENDANTS:
            ended.append(EndedTask(task.id, task.tree, ending_of_skip(gravity), cause))
    skip_tasks(connection, rows)
    return ended


def ending_of(state: int, gravity: Gravity, gravest: int | None, task: int) -> tuple[Ending, int]:
    """
    Return how an ended task looks to its dependants, and the number of the task where it began.

    Args:
        state: TaskState, one of those that are ends.
        gravity: of a skipped task, the gravest edge that did not hold.
        gravest: of a skipped task, where that began.
        task: its own number.
    """
    match TaskState(state):
        case TaskState.COMPLETED:
            return Ending.COMPLETED, task
        case TaskState.FAILED:
            return Ending.FAILED, task
        case TaskState.SKIPPED:
            return ending_of_skip(gravity), task if gravest is None else gravest
        case _:
            return Ending.CANCELLED, task


def skip_error(gravity: Gravity, cause: str, known_as: str) -> str:
    """
    Return the error, as JSON, of a task skipped for an edge of this gravity.

    Args:
        gravity: none that holds.
        cause: the id of the task where it began.
        known_as: what people know that task by.
    """
    error = TaskError(
        code=SKIP_CODES[gravity],
        message=f'skipped because "{known_as}" {_VERBS[gravity]}',
        cause=cause,
    )
    return msgspec.json.encode(error).decode()
