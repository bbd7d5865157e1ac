"""A person cancels a task or a tree: committed, then ended, and `cancelled` whatever comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxd.errors import Conflict, NotFound
from inboxd.task import Completed, Delivery, Failed, RetryPolicy, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.task import Outcome, TaskSpec
    from tests.unit.scheduling.conftest import Bed

FAILED = Failed(error=TaskError(code=TaskErrorCode.EXIT_STATUS, message="exit 1"))


@pytest.mark.parametrize("outcome", [Completed(), FAILED])
@pytest.mark.parametrize("whole", [True, False], ids=["tree", "task"])
def test_what_an_attempt_reports_after_the_cancel_changes_nothing(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    whole: bool,
    outcome: Outcome,
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0, retry=RetryPolicy(limit=5))])
    (attempt,) = bed.turn()
    answer = bed.cancel(tree) if whole else bed.cancel_task(tree, 0)
    assert (answer.ended, answer.ending, bed.statuses(tree)) == (0, 1, {"t0": "in_progress"})
    assert [(one.task, one.number) for one in bed.cut] == [(attempt.task, 1)]
    bed.end(attempt, outcome)
    bed.run_to_end()

    assert bed.statuses(tree) == {"t0": "cancelled"}
    assert bed.value("SELECT error ->> 'code' FROM tasks") == "cancelled"
    assert bed.value("SELECT outcome FROM attempts") == "cancelled"
    assert bed.listener.trees == {tree: "cancelled"}


@pytest.mark.parametrize("delivery", list(Delivery))
@pytest.mark.parametrize("whole", [True, False], ids=["tree", "task"])
@pytest.mark.parametrize("run_left_over", [True, False])
def test_a_crash_between_the_cancel_and_the_end_of_the_attempt_ends_as_cancelled(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    whole: bool,
    delivery: Delivery,
    run_left_over: bool,
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0, delivery=delivery), make_spec(1, on_end=[0])])
    bed.turn()
    if whole:
        bed.cancel(tree)
    else:
        bed.cancel_task(tree, 0)
    bed.crash(run_left_over=run_left_over)
    bed.run_to_end()

    assert len(bed.leftovers) == 1
    expected = "cancelled" if whole else "completed" if run_left_over else "pending"
    assert bed.statuses(tree) == {"t0": "cancelled", "t1": expected}


def test_dependants_of_a_cancelled_task_go_by_the_table(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed(async_places=1)
    tree = bed.accept(
        [
            make_spec(0),
            make_spec(1, on_success=[0]),
            make_spec(2, on_failure=[0]),
            make_spec(3, on_end=[0]),
            make_spec(4, on_failure=[1]),
        ]
    )
    (attempt,) = bed.turn()
    bed.cancel_task(tree, 0)
    bed.end(attempt)
    bed.run_to_end()

    assert bed.statuses(tree) == {
        "t0": "cancelled",
        "t1": "skipped",
        "t2": "skipped",
        "t3": "completed",
        "t4": "skipped",
    }
    assert (
        bed.value("SELECT error ->> 'code' FROM tasks WHERE local_id = 't4'")
        == "dependency_cancelled"
    )
    assert bed.listener.trees == {tree: "cancelled"}


@pytest.mark.parametrize("small_tree", [0, 100])
@pytest.mark.parametrize("strict", [True, False])
def test_a_task_that_has_not_started_is_cancelled_at_once_whatever_it_waits_for(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    small_tree: int,
    strict: bool,
) -> None:
    bed = make_bed(small_tree=small_tree)
    later = bed.clock.now_micros() + 3_600_000_000
    tree = bed.accept(
        [
            make_spec(0, retry=RetryPolicy(limit=1, delay_seconds=1_000)),
            make_spec(1, on_success=[0]),
            make_spec(2, not_before_micros=later),
            make_spec(3, executor="gone"),
            make_spec(4),
            make_spec(5, on_end=[0, 1, 2, 3, 4]),
        ],
        strict=strict,
    )
    (attempt,) = bed.turn()
    bed.end(attempt, FAILED)
    bed.turn()
    for one in list(bed.running.values()):
        bed.end(one)
    bed.turn()
    for position in (0, 2, 3):
        assert bed.cancel_task(tree, position).ended == 1
    bed.run_to_end()

    assert list(bed.statuses(tree).values()) == [
        "cancelled",
        "skipped",
        "cancelled",
        "cancelled",
        "completed",
        "completed",
    ]
    assert bed.clock.now_micros() < later


@pytest.mark.parametrize("small_tree", [0, 100])
def test_a_cancelled_tree_is_cancelled_whole_with_its_end_dependants(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(async_places=2, small_tree=small_tree)
    tree = bed.accept(
        [
            make_spec(0),
            make_spec(1),
            make_spec(2),
            make_spec(3, on_end=[0, 1]),
            make_spec(4, on_success=[3]),
        ]
    )
    first, second = bed.turn()
    bed.end(first)
    bed.turn()
    answer = bed.cancel(tree)
    for one in list(bed.running.values()):
        bed.end(one)
    bed.run_to_end()

    assert (answer.ended, answer.ending) == (2, 2)
    assert list(bed.statuses(tree).values()) == ["completed", *["cancelled"] * 4]
    assert bed.listener.trees == {tree: "cancelled"}
    assert len(bed.started) == 3
    assert second in bed.cut


def test_a_tree_that_failed_before_it_was_cancelled_is_failed(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0), make_spec(1)])
    (attempt,) = bed.turn()
    bed.end(attempt, FAILED)
    bed.turn()
    bed.cancel(tree)
    for one in list(bed.running.values()):
        bed.end(one)
    bed.run_to_end()

    assert bed.listener.trees == {tree: "failed"}


def test_what_is_being_cancelled_says_so_and_what_has_ended_refuses(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0), make_spec(1)])
    (attempt,) = bed.turn()
    bed.cancel_task(tree, 0)
    again = bed.cancel_task(tree, 0)
    bed.cancel(tree)
    tree_again = bed.cancel(tree)
    assert (again.already, tree_again.already, len(bed.cut)) == (True, True, 4)
    bed.end(attempt)
    bed.turn()

    with pytest.raises(Conflict, match=r"/t0: it has ended \(cancelled\)"):
        bed.cancel_task(tree, 0)
    with pytest.raises(Conflict, match="it has ended"):
        bed.cancel(tree)
    with pytest.raises(NotFound):
        bed.cancel(77)
    assert Conflict.exit_code == 5


def test_a_tree_with_a_skip_cascade_in_the_middle_is_cancelled_whole(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from inboxd.scheduling import cascade

    bed = make_bed()
    tree = bed.accept([make_spec(0), *(make_spec(i, on_success=[0]) for i in range(1, 20))])
    (attempt,) = bed.turn()
    monkeypatch.setattr(cascade, "EDGES_A_TURN", 8)
    bed.end(attempt, FAILED)
    bed.turn()
    bed.cancel(tree)
    bed.run_to_end()
    skipped = list(bed.statuses(tree).values()).count("skipped")

    assert 0 < skipped < 19
    assert bed.value("SELECT cancelled FROM trees") == 19 - skipped
    assert bed.listener.trees == {tree: "failed"}


@pytest.mark.parametrize("crashes", [True, False])
def test_a_large_tree_is_cancelled_over_many_turns_and_nothing_of_it_starts_meanwhile(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], crashes: bool
) -> None:
    count = 5_000
    bed = make_bed(async_places=3, small_tree=100, rows_a_turn=1_000)
    tree = bed.accept([make_spec(i, on_end=[i - 1] if i % 5 else []) for i in range(count)])
    other = bed.accept([make_spec(0)])
    bed.turn()
    before = len(bed.started)
    assert bed.cancel(tree).ended == count - 3
    turns = 0
    for one in list(bed.running.values()):
        bed.end(one)
    while tree not in bed.listener.trees:
        if crashes:
            bed.crash()
        bed.turn()
        for one in list(bed.running.values()):
            bed.end(one)
        turns += 1
        assert turns < 20
    bed.run_to_end()
    started = [one.tree for one in bed.started[before:]]

    assert turns >= 3
    assert set(started) == {other}
    assert bed.value("SELECT cancelled FROM trees WHERE id = ?", tree) == count
    assert bed.value("SELECT count(*) FROM sweeps") == 0
    assert bed.listener.trees == {tree: "cancelled", other: "completed"}
