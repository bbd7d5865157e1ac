"""A person's retry: what failed or was cancelled, and everything downstream, runs again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxd.errors import Conflict
from inboxd.task import Completed, Failed, Join, RetryPolicy, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.running.attempt import Attempt
    from inboxd.task import Outcome, TaskSpec
    from tests.unit.scheduling.conftest import Bed

FAILED = Failed(error=TaskError(code=TaskErrorCode.EXIT_STATUS, message="exit 1"))


def failing(*ids: str) -> Callable[[Attempt], Outcome]:
    """Let attempts of these tasks fail, and others succeed."""
    return lambda attempt: FAILED if attempt.task_id in ids else Completed(result=b"1")


def row(bed: Bed, local_id: str, columns: str) -> tuple[object, ...]:
    found = bed.connection.exec_driver_sql(
        f"SELECT {columns} FROM tasks WHERE local_id = ?",  # noqa: S608 - the test's own words
        (local_id,),
    ).one()
    bed.connection.rollback()
    return tuple(found)


def again(bed: Bed, tree: int, outcome: Callable[[Attempt], Outcome] | None = None) -> list[str]:
    """Run a tree that was retried to its end, and return what started since, in order."""
    bed.listener.forget(tree)
    bed.run_to_end(outcome)
    return [attempt.task_id for attempt in bed.started[bed.started_before :]]


@pytest.fixture(params=[0, 100], ids=["large", "small"])
def small_tree(request: pytest.FixtureRequest) -> int:
    size: int = request.param
    return size


def test_a_failed_tree_runs_again_what_failed_and_all_after_it(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept(
        [
            make_spec(0),
            make_spec(1, on_success=[0]),
            make_spec(2, on_success=[1]),
            make_spec(3, on_failure=[1]),
            make_spec(4, on_end=[1]),
            make_spec(5, on_end=[0]),
            make_spec(6, allow_failure=True),
        ]
    )
    bed.run_to_end(failing("t1", "t6"))
    answer = bed.retry(tree)
    started = again(bed, tree)

    assert answer.again == 4
    assert sorted(started) == ["t1", "t2", "t4"]
    assert bed.statuses(tree) == {
        "t0": "completed",
        "t1": "completed",
        "t2": "completed",
        "t3": "skipped",
        "t4": "completed",
        "t5": "completed",
        "t6": "failed",
    }
    assert bed.listener.trees == {tree: "completed"}
    assert row(bed, "t1", "attempt, failures, error") == (2, 0, None)


def test_a_retried_task_has_fresh_retries_and_its_attempts_go_on(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree, max_interruptions=1)
    tree = bed.accept([make_spec(0, retry=RetryPolicy(limit=2))])
    bed.run_to_end(failing("t0"))
    bed.retry(tree)
    during = row(bed, "t0", "failures, interruptions, result, error, ended_at")
    status = bed.value("SELECT status || ' ' || open || ' ' || failed FROM trees")
    started = again(bed, tree, failing("t0"))
    numbers = bed.connection.exec_driver_sql("SELECT number, outcome FROM attempts").all()
    bed.connection.rollback()

    assert (during, status) == ((0, 0, None, None, None), "in_progress 1 0")
    assert started == ["t0"] * 3
    assert [tuple(one) for one in numbers] == [(i, "exit_status") for i in range(1, 7)]
    assert row(bed, "t0", "attempt, failures") == (6, 3)


def test_a_late_outcome_of_an_old_attempt_changes_nothing_after_a_retry(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0)])
    (old,) = bed.turn()
    bed.end(old, FAILED)
    bed.turn()
    bed.retry(tree)
    (new,) = bed.running.values()
    bed.mailbox.add_outcomes([(old, Completed(result=b'"old"'), bed.clock.now_micros())])
    bed.turn()
    while_new = bed.statuses(tree)
    bed.listener.forget(tree)
    bed.end(new, Completed(result=b'"new"'))
    bed.run_to_end()

    assert (new.number, while_new) == (2, {"t0": "in_progress"})
    assert row(bed, "t0", "state, result") == (20, '"new"')


def test_a_completed_task_runs_again_with_its_completed_dependants(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept(
        [
            make_spec(0),
            make_spec(1, on_success=[0]),
            make_spec(2),
            make_spec(3, on_success=[1, 2]),
            make_spec(4, on_success=[2]),
        ]
    )
    bed.run_to_end()
    answer = bed.retry_task(tree, 1)
    waits = row(bed, "t3", "state, unmet, result")
    started = again(bed, tree)

    assert (answer.again, waits, started) == (2, (0, 1, None), ["t1", "t3"])
    assert set(bed.statuses(tree).values()) == {"completed"}


@pytest.mark.parametrize("second", ["completed", "failed"])
def test_edges_are_decided_anew_from_what_is_kept(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    small_tree: int,
    second: str,
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept(
        [
            make_spec(0),
            make_spec(1),
            make_spec(2, on_success=[0, 1]),
            make_spec(3, on_success=[0, 1], join=Join.ANY),
            make_spec(4, on_failure=[0]),
            make_spec(5, on_end=[2]),
            make_spec(6, on_success=[1], on_failure=[1], join=Join.ANY),
        ]
    )
    bed.run_to_end(failing("t0", "t1"))
    bed.retry_task(tree, 0)
    again(bed, tree, failing(*(["t0"] if second == "failed" else [])))
    bad = second == "failed"

    assert bed.statuses(tree) == {
        "t0": second,
        "t1": "failed",
        "t2": "skipped",
        "t3": "skipped" if bad else "completed",
        "t4": "completed" if bad else "skipped",
        "t5": "completed",
        "t6": "completed",
    }
    assert bed.value("SELECT error ->> 'cause' FROM tasks WHERE local_id = 't2'") == "t1"


def test_a_task_whose_kept_dependency_failed_is_skipped_again(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0), make_spec(1, on_success=[0]), make_spec(2, on_success=[1])])
    bed.run_to_end(failing("t0"))
    bed.retry_task(tree, 1)
    started = again(bed, tree)

    assert (started, bed.listener.trees) == ([], {tree: "failed"})
    assert list(bed.statuses(tree).values()) == ["failed", "skipped", "skipped"]


def test_an_open_tree_is_retried_beside_what_runs_and_what_is_pending(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(async_places=2, small_tree=small_tree)
    tree = bed.accept(
        [make_spec(0), make_spec(1), make_spec(2, on_success=[0, 1]), make_spec(3), make_spec(4)]
    )
    first, second = bed.turn()
    bed.end(first, FAILED)
    bed.turn()
    while_running = bed.retry(tree)
    assert second.task in bed.running
    started = again(bed, tree)

    assert while_running.again == 2
    assert sorted(started) == ["t0", "t2", "t4"]
    assert set(bed.statuses(tree).values()) == {"completed"}
    assert len(bed.started) == 6


def test_a_retry_is_refused_while_something_it_would_set_back_is_in_progress(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0), make_spec(1, on_failure=[0]), make_spec(2, on_end=[1])])
    (attempt,) = bed.turn()
    with pytest.raises(Conflict, match="/t0: it is in progress"):
        bed.retry_task(tree, 0)
    bed.end(attempt, FAILED)
    bed.turn()
    with pytest.raises(Conflict, match="/t1: it is in progress"):
        bed.retry(tree)
    with pytest.raises(Conflict, match="/t2: it is pending"):
        bed.retry_task(tree, 2)
    bed.run_to_end()

    assert list(bed.statuses(tree).values()) == ["failed", "completed", "completed"]
    assert bed.value("SELECT marks FROM trees") == 0


def test_there_must_be_something_to_retry(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0), make_spec(1, allow_failure=True)])
    bed.run_to_end(failing("t1"))

    with pytest.raises(Conflict, match="nothing of it failed or was cancelled"):
        bed.retry(tree)


def test_a_retry_is_refused_when_a_newer_tree_holds_the_key(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    trees = [bed.accept([make_spec(0)]) for _ in range(2)]
    with bed.connection.begin():
        bed.connection.exec_driver_sql("UPDATE trees SET idempotency_key = 'k', owner = 7")
    bed.run_to_end(lambda attempt: FAILED if attempt.tree == trees[0] else Completed())
    with pytest.raises(Conflict, match=r"idempotency_key is held by .*-000000000002"):
        bed.retry(trees[0])
    with bed.connection.begin():
        bed.connection.exec_driver_sql("UPDATE trees SET owner = 8 WHERE id = ?", (trees[1],))
    bed.retry(trees[0])

    assert again(bed, trees[0]) == ["t0"]


def test_a_cancelled_tree_runs_again(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0), make_spec(1, on_end=[0]), make_spec(2)])
    (attempt,) = bed.turn()
    bed.cancel(tree)
    bed.end(attempt)
    bed.run_to_end()
    cancelled = dict(bed.listener.trees)
    answer = bed.retry(tree)
    again(bed, tree)

    assert (cancelled, answer.again) == ({tree: "cancelled"}, 3)
    assert set(bed.statuses(tree).values()) == {"completed"}


def test_a_tree_that_is_being_cancelled_is_not_retried(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0), make_spec(1)])
    bed.turn()
    bed.cancel(tree)

    with pytest.raises(Conflict, match="being cancelled"):
        bed.retry(tree)
    with pytest.raises(Conflict, match="being cancelled"):
        bed.retry_task(tree, 1)


@pytest.mark.parametrize("outcome", ["not before", "back-off"])
def test_a_back_off_goes_with_the_retry(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    small_tree: int,
    outcome: str,
) -> None:
    bed = make_bed(small_tree=small_tree)
    later = bed.clock.now_micros() + 3_600_000_000
    if outcome == "not before":
        tree = bed.accept([make_spec(0, not_before_micros=later)])
        bed.turn()
    else:
        tree = bed.accept([make_spec(0, retry=RetryPolicy(limit=3, delay_seconds=3_600))])
        (attempt,) = bed.turn()
        bed.end(attempt, FAILED)
        bed.turn()
    bed.cancel_task(tree, 0)
    bed.turn()
    bed.retry(tree)
    again(bed, tree)

    assert (bed.clock.now_micros() >= later) is (outcome == "not before")
    assert bed.statuses(tree) == {"t0": "completed"}


def test_a_strict_tree_keeps_its_order_when_it_runs_again(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(async_places=5, small_tree=small_tree)
    tree = bed.accept([make_spec(i, priority=5 - i) for i in range(4)], strict=True)
    bed.run_to_end(failing("t0", "t1", "t2", "t3"))
    bed.retry(tree)
    started = again(bed, tree)

    assert started == ["t3", "t2", "t1", "t0"]


def test_the_result_and_the_hooks_are_owed_anew(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    from inboxd.store.intake import Drop, clear_results, owed_results, record_drop

    bed = make_bed()
    bed.listener.owed_plugins = ["p"]
    tree = bed.accept([make_spec(0)])
    drop = Drop(
        claim="c", file_name=b"x.json", answer_name=b"x", received_at=0, sha256=None,
        problems=b"[]", tree=tree,
    )  # fmt: skip
    with bed.connection.begin():
        record_drop(bed.connection, drop)
    bed.run_to_end(failing("t0"))
    with bed.connection.begin():
        old = owed_results(bed.connection, [tree])
        clear_results(bed.connection, old, [tree])
        bed.connection.exec_driver_sql("DELETE FROM owed_hooks")
    paid = bed.value("SELECT owes_results FROM trees")
    bed.clock.advance(1)
    bed.retry(tree)
    while_open = bed.value("SELECT owes_results FROM trees")
    again(bed, tree)
    with bed.connection.begin():
        # What was written before the retry pays nothing of it.
        clear_results(bed.connection, old, [tree])
        new = owed_results(bed.connection, [tree])

    assert (len(old), paid, while_open) == (1, 0, 0)
    assert [one.answer_name for one in new] == [b"x"]
    assert bed.value("SELECT owes_results FROM trees") == 1
    assert bed.value("SELECT count(*) FROM owed_hooks WHERE tree = ?", tree) == 1


def chain_of_all_kinds(make_spec: Callable[..., TaskSpec], count: int) -> list[TaskSpec]:
    """Return tasks with edges forward and back, wide and deep, of which t0 fails."""
    specs = [make_spec(0)]
    for i in range(1, count):
        if i % 7 == 0:
            specs.append(make_spec(i))
        elif i % 3 == 0:
            specs.append(make_spec(i, on_end=[0, i - 1], join=Join.ANY))
        else:
            specs.append(make_spec(i, on_success=[0] if i % 2 else [i - 1]))
    return specs


@pytest.mark.parametrize("crashes", [True, False])
def test_a_large_tree_is_retried_over_many_turns_and_nothing_of_it_starts_meanwhile(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], crashes: bool
) -> None:
    bed = make_bed(async_places=500, small_tree=100, rows_a_turn=1_500)
    count = 6_000
    tree = bed.accept(chain_of_all_kinds(make_spec, count))
    bed.run_to_end(failing("t0"))
    first = bed.statuses(tree)
    answer = bed.retry(tree)
    turns = 0
    while bed.value("SELECT count(*) FROM sweeps"):
        if crashes and turns % 12 == 5:
            bed.crash()
        assert bed.turn() == [] or not bed.value("SELECT count(*) FROM sweeps")
        turns += 1
        assert turns < 100
    started = again(bed, tree)
    fresh = make_bed(async_places=500, small_tree=100)
    expected = fresh.accept(chain_of_all_kinds(make_spec, count))
    fresh.run_to_end()

    assert turns >= 4
    assert answer.again > count // 2
    assert list(first.values()).count("skipped") > 1_000
    assert bed.statuses(tree) == fresh.statuses(expected)
    assert not {int(one[1:]) for one in started} & set(range(7, count, 7))
    assert bed.listener.trees == {tree: "completed"}


def test_a_fan_in_of_many_edges_is_set_back_over_many_turns(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    width = 7_000
    bed = make_bed(async_places=10_000, small_tree=100, rows_a_turn=1_000)
    tree = bed.accept(
        [
            *(make_spec(i) for i in range(width)),
            make_spec(width, on_success=list(range(width)), on_end=[0, 1]),
        ]
    )
    bed.run_to_end(failing("t3"))
    answer = bed.retry(tree)
    started = again(bed, tree)

    assert (answer.again, started) == (2, ["t3", f"t{width}"])
    assert bed.listener.trees == {tree: "completed"}


def test_a_large_tree_is_cancelled_while_it_is_set_back(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed(async_places=10_000, small_tree=100, rows_a_turn=500)
    tree = bed.accept([make_spec(0), *(make_spec(i, on_success=[0]) for i in range(1, 3_000))])
    bed.run_to_end(failing("t0"))
    bed.retry(tree)
    bed.listener.forget(tree)
    bed.cancel(tree)
    before = len(bed.started)
    bed.run_to_end()

    assert bed.started[before:] == []
    assert bed.listener.trees == {tree: "cancelled"}
    assert bed.value("SELECT cancelled FROM trees") == 3_000
    assert bed.value("SELECT marks FROM trees") == 0
