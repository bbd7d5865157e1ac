"""A turn that fails changes nothing, loses nothing, and is repeated."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, OperationalError

from inboxd.scheduling.cancelling import Cancelled, cancel_task, cancel_tree
from inboxd.scheduling.mailbox import StoreClosed
from inboxd.scheduling.releasing import Released, release_task
from inboxd.scheduling.retrying import Retried, begin_retry_of_task, begin_retry_of_tree
from inboxd.store.driver import sqlite_module
from inboxd.task import Failed, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from sqlalchemy import Connection

    from inboxd.scheduling.grip import Grip
    from inboxd.task import TaskSpec
    from tests.unit.scheduling.conftest import Bed

FAILED = Failed(error=TaskError(code=TaskErrorCode.EXIT_STATUS, message="exit 1"))


def fail_commits(bed: Bed, times: int, *, after: bool) -> None:
    """Let the next commits fail: before they are done, or when they are."""
    left = times

    def fail(connection: Connection) -> None:
        nonlocal left
        if left == 0:
            return
        left -= 1
        if after:
            driver: Any = connection.connection.dbapi_connection
            driver.execute("COMMIT")
        raise OperationalError("COMMIT", None, sqlite3.OperationalError("disk I/O error"))

    event.listen(bed.connection, "commit", fail)


@pytest.mark.parametrize("after", [False, True], ids=["not done", "done all the same"])
@pytest.mark.parametrize("failing_turn", [1, 2, 3])
def test_a_commit_that_fails_loses_nothing_and_doubles_nothing(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    failing_turn: int,
    after: bool,
) -> None:
    bed = make_bed(async_places=2)
    tree = bed.accept([make_spec(0), make_spec(1, on_success=[0]), make_spec(2)])
    for turn in range(1, 40):
        if turn == failing_turn:
            fail_commits(bed, 2, after=after)
        bed.turn()
        if bed.turns.failing_since_turns:
            bed.clock.advance(1)
            continue
        for attempt in list(bed.running.values()):
            bed.end(attempt)
        if bed.turns.is_idle and not bed.running:
            break
    beside = bed.value("SELECT count(*) FROM attempts AS a GROUP BY task ORDER BY 1 DESC LIMIT 1")

    assert set(bed.statuses(tree).values()) == {"completed"}
    assert sorted(one.task_id for one in bed.started) == ["t0", "t1", "t2"]
    assert beside == 1
    assert bed.value("SELECT status FROM trees") == "completed"


def test_a_turn_that_fails_is_repeated_after_a_pause_and_not_at_once(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    bed.accept([make_spec(0)])
    fail_commits(bed, 3, after=False)
    pauses: list[float] = []
    while not bed.turn():
        due = bed.turns.next_run()
        assert due is not None
        pauses.append((due - bed.clock.micros) / 1e6)
        assert bed.turn() == []
        bed.clock.micros = due

    assert pauses == [0.1, 0.2, 0.4]
    assert bed.turns.failing_since_turns == 0


def test_a_work_that_breaks_a_constraint_harms_nobody_else(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0)])

    def break_it(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE trees SET name = 'half' WHERE id = ?", (tree,))
        connection.exec_driver_sql("INSERT INTO trees SELECT * FROM trees")

    broken = bed.mailbox.write(break_it)
    fine = bed.mailbox.write(lambda _: "done")
    started = bed.turn()

    assert isinstance(broken.exception(timeout=0), IntegrityError)
    assert fine.result(timeout=0) == "done"
    assert len(started) == 1
    assert bed.value("SELECT name FROM trees") is None


def test_a_work_that_raises_is_told_and_undone(make_bed: Callable[..., Bed]) -> None:
    bed = make_bed()

    def raise_it(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('x', 1)")
        raise ValueError("no")

    future = bed.mailbox.write(raise_it)
    bed.turn()

    assert isinstance(future.exception(timeout=0), ValueError)
    assert bed.value("SELECT count(*) FROM meta WHERE key = 'x'") == 0


def test_works_wait_while_the_store_is_locked_and_are_done_afterwards(
    make_bed: Callable[..., Bed],
) -> None:
    bed = make_bed()
    driver: Any = bed.connection.connection.dbapi_connection
    driver.execute("PRAGMA busy_timeout = 1")
    # The same library: two in one process do not see each other's locks.
    other = sqlite_module().connect(bed.directory / "inboxd.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    future = bed.mailbox.write(lambda _: "done")
    bed.turn()
    while_locked = future.done()
    other.execute("ROLLBACK")
    other.close()
    bed.clock.advance(1)
    bed.turn()

    assert while_locked is False
    assert future.result(timeout=0) == "done"


def test_who_writes_to_a_closed_store_is_told(make_bed: Callable[..., Bed]) -> None:
    bed = make_bed()
    waiting = bed.mailbox.write(lambda _: 1)
    bed.mailbox.close()
    late = bed.mailbox.write(lambda _: 2)

    assert [isinstance(one.exception(timeout=0), StoreClosed) for one in (waiting, late)] == [
        True,
        True,
    ]


@pytest.mark.parametrize("after", [False, True], ids=["not done", "done all the same"])
@pytest.mark.parametrize(
    "asked", ["cancel", "retry", "retry task", "cancel task", "release", "early release"]
)
@pytest.mark.parametrize("small_tree", [0, 100])
def test_a_person_is_answered_once_and_right_whatever_the_commit_says(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    asked: str,
    after: bool,
    small_tree: int,
) -> None:
    bed = make_bed(small_tree=small_tree)
    hold = asked.endswith("release")
    tree = bed.accept([make_spec(0), make_spec(1, on_success=[0], hold=hold)])
    number = bed.number(tree, 1)
    if asked == "release":
        bed.run_to_end()
    if asked.startswith("retry"):
        bed.run_to_end(lambda _: FAILED)
        bed.listener.forget(tree)
    fail_commits(bed, 1, after=after)
    if asked == "cancel":
        future: Future[object] = bed.turns.steering.ask(lambda grip: cancel_tree(grip, tree))
    elif asked == "cancel task":
        future = bed.turns.steering.ask(lambda grip: cancel_task(grip, number))
    elif hold:
        future = bed.turns.steering.ask(lambda grip: release_task(grip, number))
    elif asked == "retry":
        future = bed.turns.steering.ask(lambda grip: begin_retry_of_tree(grip, tree))
    else:
        future = bed.turns.steering.ask(lambda grip: begin_retry_of_task(grip, number))
    bed.turn()
    while_unknown = future.done()
    for _ in range(10):
        bed.clock.advance(1)
        bed.turn()
    answer = future.result(timeout=0)
    bed.run_to_end()

    assert while_unknown is False
    match asked:
        case "cancel":
            assert isinstance(answer, Cancelled)
            assert bed.value("SELECT status FROM trees WHERE ended_at > 0") == "cancelled"
        case "cancel task":
            assert answer == Cancelled(ended=1, ending=0)
            assert list(bed.statuses(tree).values()) == ["completed", "cancelled"]
        case "release" | "early release":
            assert answer == Released(early=asked == "early release")
            assert bed.listener.trees == {tree: "completed"}
        case "retry":
            assert answer == Retried(again=2)
            assert bed.listener.trees == {tree: "completed"}
        case _:
            assert answer == Retried(again=1)
            assert bed.listener.trees == {tree: "failed"}
    assert bed.value("SELECT count(*) FROM sweeps") == 0


def test_a_request_that_is_our_fault_is_told_and_undone(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0)])

    def break_off(grip: Grip) -> Cancelled:
        cancel_tree(grip, tree)
        raise ZeroDivisionError

    future = bed.turns.steering.ask(break_off)
    bed.turn()
    bed.clock.advance(1)
    bed.run_to_end()

    assert isinstance(future.exception(timeout=0), ZeroDivisionError)
    assert bed.listener.trees == {tree: "completed"}


def test_who_asks_a_closed_store_is_told(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed(small_tree=0, rows_a_turn=1)
    tree = bed.accept([make_spec(i) for i in range(9)])
    bed.run_to_end(lambda _: FAILED)
    bed.listener.forget(tree)
    steering = bed.turns.steering
    begun = steering.ask(lambda grip: begin_retry_of_tree(grip, tree))
    bed.turn()
    waiting = steering.ask(lambda grip: cancel_tree(grip, tree))
    nobody = steering.ask(lambda grip: cancel_tree(grip, tree))
    nobody.cancel()
    steering.close()
    late = steering.ask(lambda grip: cancel_tree(grip, tree))
    told = [isinstance(one.exception(timeout=0), StoreClosed) for one in (waiting, late)]
    bed.crash()
    bed.run_to_end()

    assert told == [True, True]
    assert begun.done()
    assert bed.listener.trees == {tree: "completed"}
