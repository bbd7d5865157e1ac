"""
How tasks are set back that run again: as if they had never run, beside those that are kept.

An edge from a task that is kept and ended is decided anew by the table; one from a task that runs
again, or has not ended, is undecided. What that comes to is decided by `readiness`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxd.readiness import Gravity, join_edges
from inboxd.scheduling.cascade import DECISIONS, ending_of, skip_error
from inboxd.store.edges import known_by
from inboxd.store.resets import ResetRow, edges_to_reset, reset_tasks, tasks_to_reset
from inboxd.store.tables import TaskFlag, TaskState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inboxd.scheduling.grip import Grip, Sweep
    from inboxd.store.resets import EdgeToReset, TaskToReset

__all__ = ["reset_steps"]

#: Rows looked at, rows set back, and edges read a step: some 5 ms.
_ROWS_LOOKED_AT = 2_000
_ROWS_A_STEP = 500
_EDGES_A_STEP = 2_000

#: To look at so many rows, none of which is marked, takes as long as to write some of them.
_COST_OF_LOOKING = 200

_CLEARED = ~(TaskFlag.TO_RESET | TaskFlag.CANCEL_REQUESTED)


@dataclass(slots=True)
class _Edges:
    """What the edges to one task come to."""

    count: int = 0
    holds: int = 0
    undecided: int = 0
    gravity: Gravity = Gravity.HOLDS
    cause: int | None = None


def reset_steps(grip: Grip, sweep: Sweep) -> Iterator[int]:
    """Set the marked tasks of a tree back, a step at a time, from where the sweep's row says."""
    row = sweep.row
    tree = grip.tree(row.tree)
    end = tree.first_task + tree.task_count
    while row.next < end:
        upto = min(row.next + _ROWS_LOOKED_AT, end)
        marked = tasks_to_reset(grip.connection, row.next, upto)
        for start in range(0, len(marked), _ROWS_A_STEP):
            tasks = marked[start : start + _ROWS_A_STEP]
            edges: dict[int, _Edges] = {task.id: _Edges() for task in tasks}
            left = [(task.id, 0) for task in tasks]
            while left:
                read = edges_to_reset(grip.connection, left, _EDGES_A_STEP)
                if len(read) == _EDGES_A_STEP:
                    read = _whole_pairs(read)
                    last = read[-1]
                    position = next(i for i, (task, _) in enumerate(left) if task == last.dependant)
                    left = [(last.dependant, last.dependency), *left[position + 1 :]]
                else:
                    left = []
                for edge in read:
                    _count(edges[edge.dependant], edge)
                yield len(read)
            _reset(grip, row.tree, tasks, edges)
            row.next = tasks[-1].id + 1
            yield len(tasks)
        row.next = upto
        yield _COST_OF_LOOKING


def _whole_pairs(edges: list[EdgeToReset]) -> list[EdgeToReset]:
    """Drop the last edges, all between the same two tasks: there may be another of them."""
    last = edges[-1]
    end = len(edges)
    while edges[end - 1].dependant == last.dependant and (
        edges[end - 1].dependency == last.dependency
    ):
        end -= 1
    return edges[:end]


def _count(edges: _Edges, edge: EdgeToReset) -> None:
    edges.count += 1
    if (
        edge.state < TaskState.COMPLETED
        or edge.flags & TaskFlag.TO_RESET
        # It ended, but the turns have not come to this edge: they will when the tree goes on.
        or (edge.cascade is not None and edge.dependant > edge.cascade)
    ):
        edges.undecided += 1
        return
    ending, cause = ending_of(edge.state, Gravity(edge.gravity), edge.gravest, edge.dependency)
    gravity = DECISIONS[ending][edge.holds_on]
    if gravity is Gravity.HOLDS:
        edges.holds += 1
    elif gravity > edges.gravity:
        edges.gravity, edges.cause = gravity, cause


def _reset(grip: Grip, number: int, tasks: Sequence[TaskToReset], edges: dict[int, _Edges]) -> None:
    tree = grip.tree(number)
    causes = {found.cause for found in edges.values() if found.cause is not None}
    names = known_by(grip.connection, causes) if causes else {}
    change = grip.turn.change(number)
    rows: list[ResetRow] = []
    for task in tasks:
        match task.state:
            case TaskState.COMPLETED:
                change.completed -= 1
            case TaskState.FAILED if task.flags & TaskFlag.ALLOW_FAILURE:
                change.tolerated -= 1
            case TaskState.FAILED:
                change.failed -= 1
            case TaskState.CANCELLED:
                change.cancelled -= 1
            case TaskState.SKIPPED:
                change.skipped -= 1
            case _:
                pass
        found = edges[task.id]
        is_any = bool(task.flags & TaskFlag.JOIN_ANY)
        gravity = join_edges(
            is_any=is_any,
            edges=found.count,
            holds=found.holds,
            undecided=found.undecided,
            gravity=found.gravity,
        )
        flags = task.flags & _CLEARED
        if task.state >= TaskState.COMPLETED:
            # What has not started yet keeps its release.
            flags &= ~TaskFlag.RELEASED
        state = TaskState.BLOCKED
        if gravity is Gravity.HOLDS:
            is_held = flags & (TaskFlag.HOLD | TaskFlag.RELEASED) == TaskFlag.HOLD
            state = TaskState.HELD if is_held else TaskState.PARKED
        error = None
        if gravity is not None and found.cause is not None and gravity is not Gravity.HOLDS:
            state = TaskState.SKIPPED
            error = skip_error(gravity, *names[found.cause])
            change.skipped += 1
        is_blocked = state is TaskState.BLOCKED
        is_skipped = state is TaskState.SKIPPED
        keeps_gravity = is_skipped or (is_any and is_blocked)
        # A due time that a back-off left goes with it; an earlier `not_before` has passed.
        is_later = not task.failures and task.due_at > tree.accepted_at
        rows.append(
            ResetRow(
                state=state.value,
                due_at=task.due_at if is_later else 0,
                flags=flags | TaskFlag.BY_LEVEL,
                unmet=(1 if is_any else found.undecided) if is_blocked else 0,
                undecided=found.undecided if is_any and is_blocked else 0,
                gravity=found.gravity.value if keeps_gravity else 0,
                gravest=found.cause if keeps_gravity else None,
                ended_at=grip.turn.now if is_skipped else None,
                error=error,
                cascade=0 if is_skipped and task.flags & TaskFlag.HAS_DEPENDANTS else None,
                task=task.id,
            )
        )
    reset_tasks(grip.connection, rows)
