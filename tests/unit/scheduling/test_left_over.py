"""What a process leaves unfinished in a store that does not go on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxd.errors import Conflict
from inboxd.scheduling.pausing import resume_tree
from inboxd.task import Completed, Delivery, Failed, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.task import TaskSpec
    from tests.unit.scheduling.conftest import Bed

FAILED = Failed(error=TaskError(code=TaskErrorCode.EXIT_STATUS, message="exit 1"))


@pytest.fixture(params=[0, 100], ids=["large", "small"])
def small_tree(request: pytest.FixtureRequest) -> int:
    size: int = request.param
    return size


@pytest.mark.parametrize("delivery", list(Delivery))
@pytest.mark.parametrize("strict", [True, False])
def test_what_was_cut_fails_and_the_rest_stays_pending_until_a_person_retries(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    small_tree: int,
    delivery: Delivery,
    strict: bool,
) -> None:
    bed = make_bed(async_places=1, small_tree=small_tree)
    tree = bed.accept(
        [
            make_spec(0, delivery=delivery),
            make_spec(1, on_success=[0]),
            make_spec(2, on_failure=[0]),
            make_spec(3),
        ],
        strict=strict,
    )
    bed.turn()
    bed.crash(run_left_over=False)
    newer = bed.accept([make_spec(0)])
    bed.run_to_end()
    statuses = bed.statuses(tree)
    started = [one.tree for one in bed.started]
    code = bed.value("SELECT error ->> 'code' FROM tasks WHERE tree = ? AND local_id = 't0'", tree)
    answer = bed.retry(tree)
    bed.run_to_end()

    assert statuses == {"t0": "failed", "t1": "pending", "t2": "pending", "t3": "pending"}
    assert (started, code) == ([tree, newer], "interrupted")
    assert (answer.again, answer.left_over) == (3, 3)
    assert bed.statuses(tree) == {
        "t0": "completed",
        "t1": "completed",
        "t2": "skipped",
        "t3": "completed",
    }
    assert bed.listener.trees == {newer: "completed", tree: "completed"}


def test_a_tree_of_which_nothing_failed_goes_on_when_it_is_retried(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0), make_spec(1, on_success=[0])])
    bed.crash(run_left_over=False)
    bed.run_to_end()
    before = (bed.statuses(tree), bed.value("SELECT status FROM trees"))
    with pytest.raises(Conflict, match="left over by an earlier process; retry it"):
        bed.ask(lambda grip: resume_tree(grip, tree))
    with pytest.raises(Conflict, match="retry the tree"):
        bed.retry_task(tree, 0)
    answer = bed.retry(tree)
    bed.run_to_end()

    assert before == ({"t0": "pending", "t1": "pending"}, "pending")
    assert (answer.again, answer.left_over) == (0, 2)
    assert bed.listener.trees == {tree: "completed"}


def test_what_was_cut_runs_again_though_its_failure_is_allowed(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0, allow_failure=True), make_spec(1, on_failure=[0])])
    bed.turn()
    bed.crash(run_left_over=False)
    bed.run_to_end()
    before = bed.statuses(tree)
    bed.retry(tree)
    bed.run_to_end()

    assert before == {"t0": "failed", "t1": "pending"}
    assert bed.statuses(tree) == {"t0": "completed", "t1": "skipped"}


def test_a_process_that_runs_what_it_finds_decides_the_edges_of_what_was_cut(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0), make_spec(1, on_success=[0]), make_spec(2, on_failure=[0])])
    bed.turn()
    bed.crash(run_left_over=False)
    bed.run_to_end()
    bed.crash()
    bed.run_to_end()

    assert bed.statuses(tree) == {"t0": "failed", "t1": "skipped", "t2": "completed"}
    assert bed.listener.trees == {tree: "failed"}


def test_a_left_over_tree_can_be_cancelled(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0), make_spec(1, on_success=[0])])
    bed.crash(run_left_over=False)
    bed.cancel(tree)
    bed.run_to_end()

    assert bed.listener.trees == {tree: "cancelled"}


def test_a_process_that_runs_what_it_finds_takes_left_over_trees_up(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0), make_spec(1, on_success=[0])])
    bed.crash(run_left_over=False)
    bed.run_to_end()
    bed.crash()
    bed.run_to_end()

    assert bed.listener.trees == {tree: "completed"}


def test_a_retry_that_a_crash_cut_is_finished_but_nothing_runs_by_itself(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed(async_places=10_000, small_tree=100, rows_a_turn=500)
    tree = bed.accept([make_spec(0), *(make_spec(i, on_success=[0]) for i in range(1, 2_000))])
    bed.run_to_end(lambda attempt: FAILED if attempt.task_id == "t0" else Completed())
    bed.listener.forget(tree)
    bed.retry(tree)
    before = len(bed.started)
    bed.crash(run_left_over=False)
    bed.run_to_end()
    started = len(bed.started) - before
    pending = bed.value("SELECT open FROM trees")
    bed.retry(tree)
    bed.run_to_end()

    assert (started, pending) == (0, 2_000)
    assert bed.listener.trees == {tree: "completed"}


def test_a_retry_that_was_not_answered_is_forgotten(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    from inboxd.scheduling.retrying import begin_retry_of_tree

    bed = make_bed(async_places=10_000, small_tree=100, rows_a_turn=500)
    tree = bed.accept([make_spec(0), *(make_spec(i, on_success=[0]) for i in range(1, 2_000))])
    bed.run_to_end(lambda _: FAILED)
    bed.turns.steering.ask(lambda grip: begin_retry_of_tree(grip, tree))
    bed.turn()
    bed.crash(run_left_over=False)
    bed.run_to_end()

    assert bed.value("SELECT marks FROM trees WHERE ended_at IS NOT NULL") == 0
    assert bed.value("SELECT count(*) FROM sweeps") == 0
