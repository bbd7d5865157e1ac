"""
The edge table and the tree's status, decided here and nowhere else. Pure.

Shown to people in docs/explanation/state-machine.md, which is rendered from here.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from inboxd.task import EdgeOn, TaskErrorCode, TaskStatus

__all__ = [
    "EDGE_TABLE",
    "SKIP_CODES",
    "Ending",
    "Gravity",
    "decide_edge",
    "ending_of_skip",
    "join_edges",
    "tree_status",
]


class Ending(IntEnum):
    """How a task ended, as far as its dependants can tell."""

    COMPLETED = 0
    FAILED = 1
    #: Skipped for `dependency_failed`.
    SKIPPED_FOR_FAILURE = 2
    #: Cancelled, or skipped for `dependency_cancelled`.
    CANCELLED = 3
    #: Skipped for `condition`.
    SKIPPED_FOR_CONDITION = 4


class Gravity(IntEnum):
    """Why an edge does not hold; of several the highest counts."""

    HOLDS = 0
    CONDITION = 1
    CANCELLED = 2
    FAILED = 3


_HOLDS, _CONDITION = Gravity.HOLDS, Gravity.CONDITION
_CANCELLED, _FAILED = Gravity.CANCELLED, Gravity.FAILED

#: What each edge comes to, by how its dependency ended and what the edge is on.
EDGE_TABLE: Final[dict[Ending, dict[EdgeOn, Gravity]]] = {
    ending: dict(zip((EdgeOn.SUCCESS, EdgeOn.FAILURE, EdgeOn.END), row, strict=True))
    for ending, row in {
        Ending.COMPLETED: (_HOLDS, _CONDITION, _HOLDS),
        Ending.FAILED: (_FAILED, _HOLDS, _HOLDS),
        Ending.SKIPPED_FOR_FAILURE: (_FAILED, _HOLDS, _HOLDS),
        Ending.CANCELLED: (_CANCELLED, _CANCELLED, _HOLDS),
        Ending.SKIPPED_FOR_CONDITION: (_CONDITION, _CONDITION, _HOLDS),
    }.items()
}

#: The error code of a task that is skipped for an edge of this gravity.
SKIP_CODES: Final[dict[Gravity, TaskErrorCode]] = {
    Gravity.CONDITION: TaskErrorCode.CONDITION,
    Gravity.CANCELLED: TaskErrorCode.DEPENDENCY_CANCELLED,
    Gravity.FAILED: TaskErrorCode.DEPENDENCY_FAILED,
}

#: How a task that was skipped for an edge of this gravity looks to its own dependants.
_SKIP_ENDINGS: Final[dict[Gravity, Ending]] = {
    Gravity.CONDITION: Ending.SKIPPED_FOR_CONDITION,
    Gravity.CANCELLED: Ending.CANCELLED,
    Gravity.FAILED: Ending.SKIPPED_FOR_FAILURE,
}


def decide_edge(ending: Ending, on: EdgeOn) -> Gravity:
    """Return `HOLDS`, or why an edge on *on* does not hold once its dependency ended so."""
    return EDGE_TABLE[ending][on]


def ending_of_skip(gravity: Gravity) -> Ending:
    """Return how a task skipped for an edge of this gravity (not `HOLDS`) looks to dependants."""
    return _SKIP_ENDINGS[gravity]


def join_edges(
    *, is_any: bool, edges: int, holds: int, undecided: int, gravity: Gravity
) -> Gravity | None:
    """
    Return what the edges of a task come to together.

    Args:
        is_any: `join: any`; else `all`.
        edges: how many there are.
        holds: how many hold.
        undecided: how many are not decided yet.
        gravity: the gravest of those that do not hold; `HOLDS` when there are none.

    Returns:
        `HOLDS`: it may start. Another: it is skipped for that. None: it waits for more.
    """
    if is_any:
        if holds or not edges:
            return Gravity.HOLDS
        return None if undecided else gravity
    if gravity is not Gravity.HOLDS:
        return gravity
    return None if undecided else Gravity.HOLDS


def tree_status(*, open_tasks: int, started: bool, failed: int, cancelled: int) -> TaskStatus:
    """
    Return the status of a tree.

    Args:
        open_tasks: tasks that have not ended.
        started: whether any task was ever started, or ended.
        failed: failed tasks without `allow_failure`.
        cancelled: cancelled tasks.
    """
    if open_tasks:
        return TaskStatus.IN_PROGRESS if started else TaskStatus.PENDING
    if failed:
        return TaskStatus.FAILED
    if cancelled:
        return TaskStatus.CANCELLED
    return TaskStatus.COMPLETED
