"""
A person's retry of a tree or a task: what failed or was cancelled, and all downstream, runs again.

In three passes, each of them in steps, since a tree may have a million tasks: which tasks run again
is found out; they are marked; they are set back, with their edges decided anew by those that are
kept. The tree is closed meanwhile, none of its edges is decided, and it does not end. A crash in
between is finished at the next start: each pass is repeated from where its row says.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from inboxd.errors import Conflict
from inboxd.scheduling.resetting import reset_steps
from inboxd.store.resets import (
    dependants_of,
    has_tolerated,
    key_holder,
    mark_to_reset,
    unsuccessful_tasks,
)
from inboxd.store.steering import reopen_tree
from inboxd.store.tables import SweepKind, TaskState, TreeMark

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from inboxd.scheduling.grip import Grip, Sweep
    from inboxd.store.trees import OpenTree

__all__ = ["Retried", "begin_retry_of_task", "begin_retry_of_tree", "retry_steps"]

#: Rows, and edges, a step: some 3 ms.
_ROWS_A_STEP = 1_000
_EDGES_A_STEP = 2_000


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """What a retry does."""

    #: Tasks that run again.
    again: int
    #: Pending tasks of a tree that an earlier process left over, which now run too; those of them
    #: that come after what failed are among `again`.
    left_over: int = 0


class _Phase(IntEnum):
    FIND = 0
    MARK = 1
    RESET = 2


def begin_retry_of_tree(grip: Grip, number: int) -> Retried | Sweep:
    """
    Begin to make what failed or was cancelled of a tree run again.

    Returns:
        What it did, when there is nothing to set back; else the sweep that does and answers.

    Raises:
        NotFound: there is no such tree.
        Conflict: nothing of it failed or was cancelled, or it is being cancelled.
    """
    tree = grip.tree(number)
    change = grip.turn.changes.get(tree.id)
    failed = tree.failed + (change.failed if change else 0)
    cancelled = tree.cancelled + (change.cancelled if change else 0)
    is_left_over = bool(tree.marks & TreeMark.LEFT_OVER)
    found = _begun(grip, tree, None)
    if found is not None:
        return found
    _refuse_busy(tree, tree.public_id)
    if not failed and not cancelled:
        if not is_left_over:
            raise Conflict(
                f"{tree.public_id}: nothing of it failed or was cancelled, so there is nothing to "
                "retry; name a task, <tree>/<task>, to make it and all after it run again"
            )
        if not has_tolerated(grip.connection, tree.id):
            pending = grip.open_tasks(tree)
            _take_up(grip, tree)
            return Retried(again=0, left_over=pending)
    return _begin(grip, tree, None)


def begin_retry_of_task(grip: Grip, number: int) -> Sweep:
    """
    Begin to make a task that ended, and everything downstream of it, run again.

    Raises:
        NotFound: there is no such task.
        Conflict: it has not ended, or its tree is being cancelled, or is left over.
    """
    task, tree = grip.task(number)
    label = f"{tree.public_id}/{task.local_id}"
    found = _begun(grip, tree, number)
    if found is not None:
        return found
    _refuse_busy(tree, label)
    if tree.marks & TreeMark.LEFT_OVER:
        raise Conflict(
            f"{label}: its tree was left over by an earlier process, so nothing of it runs; "
            "retry the tree"
        )
    if task.state < TaskState.COMPLETED:
        is_running = task.state == TaskState.IN_PROGRESS
        raise Conflict(
            f"{label}: it {'is in progress' if is_running else 'is pending'}, so there is nothing "
            "to retry; cancel it first to begin anew"
        )
    return _begin(grip, tree, number)


def _begun(grip: Grip, tree: OpenTree, task: int | None) -> Sweep | None:
    """Return the sweep that this very request began, in a turn whose commit was not known."""
    if not grip.is_repeated:
        return None
    for sweep in grip.sweeps.of(tree.id):
        if sweep.row.kind == SweepKind.RETRY and sweep.row.value == task:
            return sweep
    return None


def _refuse_busy(tree: OpenTree, label: str) -> None:
    if tree.marks & TreeMark.RETRIED:
        raise Conflict(f"{label}: the tree is being made ready to run again already")
    if tree.marks & TreeMark.CANCELLED:
        raise Conflict(f"{label}: the tree is being cancelled; retry when it has ended")


def _begin(grip: Grip, tree: OpenTree, task: int | None) -> Sweep:
    grip.mark(tree, TreeMark.RETRIED)
    grip.memory.frozen.add(tree.id)
    return grip.sweeps.add(grip.connection, tree, SweepKind.RETRY, value=task)


def retry_steps(
    grip: Grip, sweep: Sweep, answer: Callable[[Retried | Conflict], None]
) -> Iterator[int]:
    """
    Do a retry, a step at a time.

    Args:
        grip: the turn's, each time a step is done.
        sweep: its row says how far it is.
        answer: is told what the retry does, or why it is refused, when that is known.
    """
    row = sweep.row
    if row.phase < _Phase.RESET:
        found = yield from _find(grip, sweep)
        tree = grip.tree(row.tree)
        if row.phase == _Phase.FIND:
            refusal = _refusal(grip, tree, found)
            if refusal is not None:
                answer(refusal)
                grip.sweeps.remove(grip.connection, sweep)
                _thaw(grip, tree)
                return
            pending = 0
            if tree.marks & TreeMark.LEFT_OVER:
                pending = grip.open_tasks(tree)
                grip.unmark(tree, TreeMark.LEFT_OVER)
            answer(Retried(again=found.count(1), left_over=pending))
            reopen_tree(grip.connection, tree.id)
            row.phase = _Phase.MARK
        else:
            # After a crash, or a turn that failed: what was kept may have failed since.
            for entry in grip.running(tree):
                found[entry.task.id - tree.first_task] = 0
        for start in range(0, len(found), _ROWS_A_STEP):
            end = min(start + _ROWS_A_STEP, len(found))
            numbers = [tree.first_task + i for i in range(start, end) if found[i]]
            mark_to_reset(grip.connection, numbers)
            yield len(numbers) + (end - start) // 10 + 1
        row.phase = _Phase.RESET
        row.next = grip.tree(row.tree).first_task
    yield from reset_steps(grip, sweep)
    tree = grip.tree(row.tree)
    grip.sweeps.remove(grip.connection, sweep)
    _thaw(grip, tree)
    if grip.open_tasks(tree) == 0:
        grip.turn.change(tree.id)  # all was skipped again: it ends in this turn


def _thaw(grip: Grip, tree: OpenTree) -> None:
    """Let the tree go on, and its edges be decided; one that was left over and refused stays so."""
    if tree.marks & TreeMark.LEFT_OVER:
        grip.unmark(tree, TreeMark.RETRIED)
        return
    grip.memory.frozen.discard(tree.id)
    grip.memory.cascading = True
    grip.unmark(tree, TreeMark.RETRIED)


def _take_up(grip: Grip, tree: OpenTree) -> None:
    """Let a tree that was left over go on."""
    grip.unmark(tree, TreeMark.LEFT_OVER)
    grip.memory.frozen.discard(tree.id)
    grip.memory.cascading = True


def _find(grip: Grip, sweep: Sweep) -> Generator[int, None, bytearray]:
    """Find out which tasks run again; give one byte for each task of the tree, 1 for those."""
    tree = grip.tree(sweep.row.tree)
    first, count = tree.first_task, tree.task_count
    # What the end of an earlier process cut is unfinished, not failed.
    cut = bool(tree.marks & TreeMark.LEFT_OVER)
    found = bytearray(count)
    #: (task, its dependants up to this number are found).
    left: list[tuple[int, int]] = []
    if sweep.row.value is not None:
        found[sweep.row.value - first] = 1
        left.append((sweep.row.value, 0))
    else:
        for start in range(first, first + count, _ROWS_A_STEP):
            end = min(start + _ROWS_A_STEP, first + count)
            for number in unsuccessful_tasks(grip.connection, start, end, cut=cut):
                found[number - first] = 1
                left.append((number, 0))
            yield end - start
    while left:
        chunk = left[-_ROWS_A_STEP:]
        del left[-_ROWS_A_STEP:]
        edges = dependants_of(grip.connection, chunk, _EDGES_A_STEP)
        if len(edges) == _EDGES_A_STEP:
            # What comes after the last edge is left; the same pair may have another edge.
            last, after = edges[-1]
            position = next(i for i, (number, _) in enumerate(chunk) if number == last)
            left.append((last, after))
            left.extend(chunk[position + 1 :])
        for _, dependant in edges:
            if not found[dependant - first]:
                found[dependant - first] = 1
                left.append((dependant, 0))
        yield len(edges) + len(chunk)
    return found


def _refusal(grip: Grip, tree: OpenTree, found: bytearray) -> Conflict | None:
    for entry in grip.running(tree):
        if found[entry.task.id - tree.first_task]:
            return Conflict(
                f"{tree.public_id}/{entry.task.local_id}: it is in progress, and the retry would "
                "set it back; wait until it has ended, or cancel it"
            )
    holder = key_holder(grip.connection, tree.id)
    if holder is not None:
        return Conflict(
            f"{tree.public_id}: its idempotency_key is held by a newer tree, {holder}, which does "
            "the same work; look at that one"
        )
    return None
