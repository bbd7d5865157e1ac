"""What a crash means: nothing is lost, nothing runs beside itself, every tree ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inboxd.scheduling.cascade import EDGES_A_TURN
from inboxd.task import Completed, Delivery, Failed, Interrupted, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.task import TaskSpec
    from tests.unit.scheduling.conftest import Bed

FAILED = Failed(error=TaskError(code=TaskErrorCode.EXIT_STATUS, message="exit 1"))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), small_tree=st.sampled_from([0, 100]), strict=st.booleans())
def test_crashes_at_any_turn_lose_nothing_and_every_tree_ends(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    data: st.DataObject,
    small_tree: int,
    strict: bool,
) -> None:
    bed = make_bed(async_places=2, small_tree=small_tree, max_interruptions=1_000)
    trees = [
        bed.accept(
            [
                make_spec(
                    i,
                    priority=data.draw(st.integers(0, 2)),
                    on_end=data.draw(st.lists(st.integers(0, i - 1), max_size=2, unique=True))
                    if i
                    else [],
                )
                for i in range(data.draw(st.integers(1, 5)))
            ],
            strict=strict,
        )
        for _ in range(2)
    ]
    for _ in range(200):
        bed.turn()
        step = data.draw(st.sampled_from(["end", "end", "fail", "crash"]))
        if step == "crash":
            bed.crash()
        elif bed.running:
            attempt = data.draw(st.sampled_from(list(bed.running.values())))
            bed.end(attempt, Completed() if step == "end" else FAILED)
        if bed.turns.is_idle:
            break
    bed.run_to_end()
    statuses = [status for tree in trees for status in bed.statuses(tree).values()]
    rows = bed.value("SELECT count(*) FROM tasks WHERE attempt = 0 OR ended_at IS NULL")
    history = bed.value(
        "SELECT count(*) FROM tasks AS t WHERE attempt <>"
        " (SELECT count(*) FROM attempts WHERE task = t.id)"
    )

    assert set(statuses) <= {"completed", "failed"}
    assert (rows, history) == (0, 0)
    assert set(bed.listener.trees) == set(trees)


def test_an_attempt_cut_by_a_crash_runs_again_and_uses_up_no_retry(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0)])
    (first,) = bed.turn()
    bed.crash()
    (second,) = bed.turn()
    bed.end(second)
    bed.turn()

    assert [
        (row[0], row[1])
        for row in bed.connection.exec_driver_sql("SELECT number, outcome FROM attempts")
    ] == [(1, "interrupted"), (2, "completed")]
    bed.connection.rollback()
    assert (first.number, second.number) == (1, 2)
    assert bed.leftovers == [(first.tree_id, 0, 1)]
    assert bed.statuses(tree) == {"t0": "completed"}


def test_at_most_once_is_never_run_again_by_itself(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0, delivery=Delivery.AT_MOST_ONCE), make_spec(1, on_success=[0])])
    bed.turn()
    bed.crash()
    bed.run_to_end()

    assert bed.statuses(tree) == {"t0": "failed", "t1": "skipped"}
    assert bed.value("SELECT error ->> 'code' FROM tasks WHERE local_id = 't0'") == "interrupted"
    assert bed.listener.trees == {tree: "failed"}
    assert len(bed.started) == 1


def test_a_task_that_crashes_the_daemon_is_given_up_after_max_interruptions(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed(max_interruptions=2)
    tree = bed.accept([make_spec(0)])
    for _ in range(5):
        bed.turn()
        bed.crash()
    bed.run_to_end()

    assert (len(bed.started), bed.statuses(tree)) == (3, {"t0": "failed"})


@pytest.mark.parametrize("delivery", list(Delivery))
def test_an_attempt_that_a_stop_cuts_does_not_count_as_a_crash(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], delivery: Delivery
) -> None:
    bed = make_bed(max_interruptions=0)
    tree = bed.accept([make_spec(0, delivery=delivery)])
    (attempt,) = bed.turn()
    bed.end(attempt, Interrupted(counts=False))
    bed.turn()
    expected = "in_progress" if delivery is Delivery.AT_LEAST_ONCE else "failed"

    assert bed.statuses(tree) == {"t0": expected}


def test_a_tree_that_was_never_accepted_is_gone_after_a_crash(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    from inboxd.store.acceptance import insert_tasks, reserve_tree

    bed = make_bed()
    with bed.connection.begin():
        tree = reserve_tree(bed.connection, bed.header(2))
        insert_tasks(bed.connection, tree, [make_spec(0), make_spec(1, on_success=[0])])
    bed.crash()
    bed.run_to_end()
    counts = [
        bed.value("SELECT count(*) FROM trees"),
        bed.value("SELECT count(*) FROM tasks"),
        bed.value("SELECT count(*) FROM edges"),
    ]

    assert (counts, bed.started) == ([0, 0, 0], [])


def test_a_wide_fan_out_is_decided_over_several_turns_and_survives_crashes(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    width = EDGES_A_TURN * 2 + 500
    bed = make_bed(async_places=100_000, small_tree=100_000)
    tree = bed.accept(
        [
            make_spec(0),
            *(make_spec(i, on_success=[0], has_dependants=False) for i in range(1, width)),
        ]
    )
    (root,) = bed.turn()
    bed.end(root, FAILED)
    turns = 0
    while not bed.listener.trees:
        bed.turn()
        bed.crash()
        turns += 1
        assert turns < 20
    skipped = bed.value("SELECT skipped FROM trees WHERE id = ?", tree)

    assert width - 1 == skipped
    assert turns >= 3


def test_a_task_whose_executor_is_gone_waits_and_runs_when_it_is_back(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0), make_spec(1, executor="gone"), make_spec(2, on_end=[1])])
    bed.run_to_end()
    while_gone = bed.statuses(tree)
    bed.crash(executors=["noop", "gone"])
    bed.run_to_end()

    assert while_gone == {"t0": "completed", "t1": "pending", "t2": "pending"}
    assert bed.statuses(tree) == {"t0": "completed", "t1": "completed", "t2": "completed"}
