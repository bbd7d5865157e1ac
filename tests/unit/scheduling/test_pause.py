"""A person pauses and resumes everything or one tree, and changes priorities."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from inboxd.errors import Conflict
from inboxd.scheduling.pausing import (
    pause,
    pause_tree,
    resume,
    resume_tree,
    set_task_priority,
    set_tree_priority_to,
)
from inboxd.task import Failed, RetryPolicy, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.task import TaskSpec
    from tests.unit.scheduling.conftest import Bed

FAILED = Failed(error=TaskError(code=TaskErrorCode.EXIT_STATUS, message="exit 1"))


@pytest.fixture(params=[0, 100], ids=["large", "small"])
def small_tree(request: pytest.FixtureRequest) -> int:
    size: int = request.param
    return size


@pytest.mark.parametrize("crashes", [True, False])
@pytest.mark.parametrize("strict", [True, False])
def test_nothing_of_a_paused_tree_starts_however_it_becomes_ready(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    small_tree: int,
    strict: bool,
    crashes: bool,
) -> None:
    bed = make_bed(async_places=3, small_tree=small_tree)
    soon = bed.clock.now_micros() + 10_000_000
    tree = bed.accept(
        [
            make_spec(0),
            make_spec(1, on_success=[0]),
            make_spec(2, not_before_micros=soon),
            make_spec(3, retry=RetryPolicy(limit=1, delay_seconds=1)),
            make_spec(4, executor="gone"),
            make_spec(5),
            make_spec(6),
        ],
        strict=strict,
    )
    other = bed.accept([make_spec(0), make_spec(1, on_success=[0])])
    bed.turn()
    running = len(bed.running)
    answer = bed.ask(lambda grip: pause_tree(grip, tree))
    again = bed.ask(lambda grip: pause_tree(grip, tree))
    for one in list(bed.running.values()):
        bed.end(one, FAILED if one.task_id == "t3" else None)
    bed.turn()
    before = len([one for one in bed.started if one.tree == tree])
    bed.clock.advance(20)
    if crashes:
        bed.crash(executors=["noop", "command", "gone"])
    else:
        bed.turns._executors["gone"] = True  # type: ignore[index] # a plugin came
        bed.turns.restore(frozenset({"gone"}))
    bed.run_to_end()
    while_paused = len([one for one in bed.started if one.tree == tree])
    assert bed.listener.trees == {other: "completed"}
    resumed = bed.ask(lambda grip: resume_tree(grip, tree))
    bed.run_to_end()

    assert (answer.changed, answer.running, again.changed) == (True, running, False)
    assert (before, while_paused, resumed.changed) == (3, 3, True)
    assert bed.listener.trees == {tree: "completed", other: "completed"}


def test_paused_work_waits_for_a_person_even_before_its_time(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    later = bed.clock.now_micros() + 3_600_000_000
    policy = RetryPolicy(limit=1, delay_seconds=3_600, max_delay_seconds=3_600, jitter=0)
    tree = bed.accept(
        [
            make_spec(0, retry=policy),
            make_spec(1, not_before_micros=later),
        ]
    )
    (attempt,) = bed.turn()
    bed.ask(lambda grip: pause_tree(grip, tree))
    bed.end(attempt, FAILED)
    bed.run_to_end()
    assert bed.clock.now_micros() < later
    bed.ask(lambda grip: resume_tree(grip, tree))
    waits = (bed.turns.is_idle, bed.turns.next_run())
    bed.run_to_end()

    assert waits == (False, later)
    assert (bed.listener.trees, bed.clock.now_micros()) == ({tree: "completed"}, later)


def test_everything_is_paused_over_restarts_and_runs_again_after(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    first = bed.accept([make_spec(0), make_spec(1, on_success=[0])])
    bed.turn()
    answer = bed.ask(pause)
    for one in list(bed.running.values()):
        bed.end(one)
    second = bed.accept([make_spec(0)])
    bed.run_to_end()
    bed.crash()
    bed.run_to_end()
    while_paused = (len(bed.started), bed.turns.next_run())
    resumed = bed.ask(resume)
    bed.run_to_end()

    assert (answer.changed, answer.running, resumed.changed) == (True, 1, True)
    assert while_paused == (1, None)
    assert bed.ask(resume).changed is False
    assert bed.listener.trees == {first: "completed", second: "completed"}


def test_a_paused_tree_is_cancelled_and_retried_and_stays_paused_only_until_it_ends(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0), make_spec(1)])
    (attempt,) = bed.turn()
    bed.end(attempt, FAILED)
    bed.turn()
    for one in list(bed.running.values()):
        bed.end(one)
    bed.accept([make_spec(0)])
    bed.turn()
    assert bed.listener.trees[tree] == "failed"
    bed.listener.forget(tree)
    bed.retry(tree)
    for one in [one for one in bed.running.values() if one.tree == tree]:
        bed.end(one, FAILED)
    bed.run_to_end(lambda _: FAILED)
    bed.listener.forget(tree)
    with pytest.raises(Conflict, match="nothing to pause"):
        bed.ask(lambda grip: pause_tree(grip, tree))
    bed.retry(tree)
    bed.ask(lambda grip: pause_tree(grip, tree))
    bed.cancel(tree)
    for one in list(bed.running.values()):
        bed.end(one)
    bed.run_to_end()

    assert bed.listener.trees[tree] == "cancelled"
    assert bed.value("SELECT sum(marks) FROM trees") == 0


def test_a_retried_task_of_a_paused_tree_does_not_start(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0), make_spec(1), make_spec(2)])
    (attempt,) = bed.turn()
    bed.end(attempt, FAILED)
    bed.turn()
    bed.ask(lambda grip: pause_tree(grip, tree))
    bed.retry(tree)
    for one in list(bed.running.values()):
        bed.end(one)
    bed.run_to_end()
    while_paused = bed.statuses(tree)
    bed.ask(lambda grip: resume_tree(grip, tree))
    bed.run_to_end()

    assert while_paused == {"t0": "pending", "t1": "completed", "t2": "pending"}
    assert bed.listener.trees == {tree: "completed"}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("crashes", [True, False])
def test_a_new_priority_of_a_tree_counts_at_once(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    small_tree: int,
    strict: bool,
    crashes: bool,
) -> None:
    bed = make_bed(small_tree=small_tree, rows_a_turn=1)
    first = bed.accept([make_spec(i, priority=i % 3) for i in range(6)])
    second = bed.accept([make_spec(i, priority=5 + i % 2) for i in range(4)], strict=strict)
    bed.turn()
    answer = bed.ask(lambda grip: set_tree_priority_to(grip, second, 1))
    if crashes:
        bed.crash()
        bed.turn()
    bed.run_to_end()
    order = [(one.tree, one.task_id, one.priority) for one in bed.started[1 + crashes :]]
    kept = bed.value("SELECT group_concat(DISTINCT priority) FROM tasks WHERE tree = ?", second)

    assert answer.tasks == 4
    assert order == [
        (first, "t3", 0),
        (first, "t1", 1),
        (first, "t4", 1),
        *((second, f"t{i}", 1) for i in range(4)),
        (first, "t2", 2),
        (first, "t5", 2),
    ]
    assert kept == "1"
    assert bed.value("SELECT count(*) FROM sweeps") == 0
    assert bed.value("SELECT count(priority) FROM trees") == 0


@pytest.mark.parametrize("strict", [True, False])
def test_a_task_that_has_not_started_gets_another_priority(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    small_tree: int,
    strict: bool,
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(i) for i in range(4)], strict=strict)
    bed.turn()
    number = bed.number(tree, 3)
    bed.ask(lambda grip: set_task_priority(grip, number, 0))
    with pytest.raises(Conflict, match="/t0: it is in progress"):
        bed.ask(partial(set_task_priority, number=bed.number(tree, 0), priority=0))
    bed.run_to_end()
    with pytest.raises(Conflict, match="it has ended"):
        bed.ask(lambda grip: set_tree_priority_to(grip, tree, 0))

    assert [one.task_id for one in bed.started] == ["t0", "t3", "t1", "t2"]


def test_a_later_priority_replaces_one_that_has_not_reached_all_rows(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed(small_tree=100, rows_a_turn=1_000)
    tree = bed.accept([make_spec(i) for i in range(5_000)])
    number = bed.number(tree, 3)
    bed.turn()
    bed.ask(lambda grip: set_tree_priority_to(grip, tree, 7))
    with pytest.raises(Conflict, match="just being given priority 7"):
        bed.ask(lambda grip: set_task_priority(grip, number, 0))
    bed.ask(lambda grip: set_tree_priority_to(grip, tree, 9))
    for _ in range(10):
        bed.turn()

    assert bed.value("SELECT group_concat(DISTINCT priority) FROM tasks WHERE state < 10") == "9"
    assert bed.value("SELECT count(*) FROM sweeps") == 0
