"""A task with `hold` waits for a person's release, and a release is kept until it is used up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from inboxd.errors import Conflict, NotFound
from inboxd.scheduling.pausing import pause, pause_tree, resume, resume_tree, set_tree_priority_to
from inboxd.scheduling.releasing import Released, release_task
from inboxd.task import Failed, Join, RetryPolicy, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.task import TaskSpec
    from tests.unit.scheduling.conftest import Bed

FAILED = Failed(error=TaskError(code=TaskErrorCode.EXIT_STATUS, message="exit 1"))


@pytest.fixture(params=[0, 100], ids=["large", "small"])
def small_tree(request: pytest.FixtureRequest) -> int:
    size: int = request.param
    return size


def release(bed: Bed, tree: int, position: int) -> Released:
    return bed.ask(partial(release_task, number=bed.number(tree, position)))


def starts(bed: Bed) -> list[str]:
    return [attempt.task_id for attempt in bed.started]


@pytest.mark.parametrize("crashes", [True, False])
@pytest.mark.parametrize("strict", [True, False])
def test_a_held_task_waits_without_a_place_until_it_is_released(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    small_tree: int,
    strict: bool,
    crashes: bool,
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept(
        [
            make_spec(0, hold=True, priority=0),
            make_spec(1, hold=True, on_success=[2], priority=0),
            make_spec(2),
            make_spec(3, on_success=[0, 1]),
        ],
        strict=strict,
    )
    # The held ones are more urgent, and hold nothing else of a strict tree back.
    bed.run_to_end()
    before = (starts(bed), bed.turns.next_run(), bed.turns.is_idle)
    if crashes:
        bed.crash()
        bed.run_to_end()
    held = bed.statuses(tree)
    answers = [release(bed, tree, 0), release(bed, tree, 1)]
    if crashes:
        bed.crash()
    bed.run_to_end()

    assert before == (["t2"], None, True)
    assert held == {"t0": "pending", "t1": "pending", "t2": "completed", "t3": "pending"}
    assert answers == [Released(early=False)] * 2
    assert bed.listener.trees == {tree: "completed"}
    assert starts(bed)[-1] == "t3"


@pytest.mark.parametrize("crashes", [True, False])
@pytest.mark.parametrize("join", list(Join))
def test_a_release_before_the_task_is_ready_is_kept(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    small_tree: int,
    join: Join,
    crashes: bool,
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept(
        [make_spec(0), make_spec(1), make_spec(2, hold=True, join=join, on_success=[0, 1])]
    )
    bed.turn()
    answer = release(bed, tree, 2)
    assert "t2" not in starts(bed)
    if crashes:
        bed.crash()
    bed.run_to_end()

    assert answer == Released(early=True)
    assert bed.listener.trees == {tree: "completed"}


@pytest.mark.parametrize("strict", [True, False])
def test_a_released_task_waits_for_its_time_still(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int, strict: bool
) -> None:
    bed = make_bed(small_tree=small_tree)
    soon = bed.clock.now_micros() + 10_000_000
    tree = bed.accept(
        [
            make_spec(0, hold=True, not_before_micros=soon),
            make_spec(1, hold=True, not_before_micros=soon),
        ],
        strict=strict,
    )
    bed.turn()
    # It waits for a person, not for its time: nothing is due.
    assert (bed.turns.next_run(), bed.turns.is_idle) == (None, True)
    release(bed, tree, 0)
    assert (starts(bed), bed.turns.next_run(), bed.turns.is_idle) == ([], soon, False)
    bed.run_to_end()
    assert (starts(bed), bed.clock.now_micros()) == (["t0"], soon)
    bed.clock.advance(60)
    bed.turn()
    assert starts(bed) == ["t0"]
    release(bed, tree, 1)
    bed.run_to_end()

    assert bed.listener.trees == {tree: "completed"}


def test_another_attempt_does_not_ask_again_and_a_retry_by_a_person_does(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    policy = RetryPolicy(limit=1, delay_seconds=1)
    tree = bed.accept([make_spec(0, hold=True, retry=policy), make_spec(1, on_success=[0])])
    release(bed, tree, 0)
    bed.crash()  # the attempt is cut, and made again
    bed.run_to_end(lambda _: FAILED)
    assert (bed.listener.trees, starts(bed)) == ({tree: "failed"}, ["t0"] * 3)
    bed.listener.forget(tree)
    bed.retry(tree)
    bed.run_to_end()
    asked_again = starts(bed)
    release(bed, tree, 0)
    bed.run_to_end()

    assert asked_again == ["t0"] * 3
    assert bed.listener.trees == {tree: "completed"}


def test_a_retry_keeps_the_release_of_what_has_not_started(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree, async_places=2)
    tree = bed.accept(
        [
            make_spec(0),
            make_spec(1),
            make_spec(2, hold=True, on_end=[0, 1]),
            make_spec(3, hold=True, on_success=[0]),
        ]
    )
    bed.turn()
    release(bed, tree, 2)
    release(bed, tree, 3)
    bed.end(next(one for one in bed.running.values() if one.task_id == "t0"), FAILED)
    bed.turn()
    assert bed.statuses(tree)["t3"] == "skipped"
    bed.retry(tree)
    bed.run_to_end()

    # It ended, as skipped, and so it asks again; the other is pending all the time.
    assert bed.statuses(tree) == {
        "t0": "completed", "t1": "completed", "t2": "completed", "t3": "pending"
    }  # fmt: skip
    with pytest.raises(Conflict, match=r"/t2: it has ended \(completed\)"):
        release(bed, tree, 2)
    assert release(bed, tree, 3) == Released(early=False)
    bed.run_to_end()
    assert bed.listener.trees == {tree: "completed"}


@pytest.mark.parametrize("when", ["in the pause", "before it"])
def test_a_release_starts_nothing_of_what_is_paused(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int, when: str
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0, hold=True), make_spec(1, hold=True), make_spec(2)])
    bed.ask(pause)
    if when == "before it":
        release(bed, tree, 0)
    bed.ask(partial(pause_tree, number=tree))
    bed.ask(resume)
    if when == "in the pause":
        release(bed, tree, 0)
    bed.run_to_end()
    assert starts(bed) == []
    bed.ask(partial(resume_tree, number=tree))
    bed.run_to_end()

    assert (starts(bed), bed.statuses(tree)["t1"]) == (["t0", "t2"], "pending")


def test_a_held_task_takes_a_new_priority(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0, hold=True)])
    other = bed.accept([make_spec(1, priority=1), make_spec(2, priority=1)])
    bed.turn()
    bed.ask(lambda grip: set_tree_priority_to(grip, tree, 0))
    release(bed, tree, 0)
    bed.run_to_end()

    assert starts(bed) == ["t1", "t0", "t2"]
    assert bed.listener.trees == {tree: "completed", other: "completed"}


def test_a_cancel_is_the_refusal(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept(
        [make_spec(0, hold=True), make_spec(1, on_success=[0]), make_spec(2, on_end=[0])]
    )
    bed.turn()
    bed.cancel_task(tree, 0)
    bed.run_to_end()

    assert bed.statuses(tree) == {"t0": "cancelled", "t1": "skipped", "t2": "completed"}
    assert bed.listener.trees == {tree: "cancelled"}


def test_a_tree_that_is_left_over_keeps_what_is_held_and_what_is_released(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0), make_spec(1, hold=True), make_spec(2, hold=True)])
    bed.run_to_end()
    bed.crash(run_left_over=False)
    release(bed, tree, 1)
    bed.run_to_end()
    assert starts(bed) == ["t0"]
    bed.retry(tree)
    bed.run_to_end()

    assert starts(bed) == ["t0", "t1"]
    assert bed.statuses(tree)["t2"] == "pending"


def test_what_makes_no_sense_is_refused(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    tree = bed.accept([make_spec(0), make_spec(1, hold=True), make_spec(2, hold=True)])
    bed.turn()
    with pytest.raises(Conflict, match=r"/t0: it has no `hold`"):
        release(bed, tree, 0)
    release(bed, tree, 1)
    with pytest.raises(Conflict, match=r"/t1: it was released already$"):
        release(bed, tree, 1)
    bed.run_to_end()
    with pytest.raises(Conflict, match=r"/t1: it has ended \(completed\)"):
        release(bed, tree, 1)
    bed.cancel(tree)
    with pytest.raises(Conflict, match=r"/t2: (it has ended|its tree is being) "):
        release(bed, tree, 2)
    with pytest.raises(NotFound):
        bed.ask(lambda grip: release_task(grip, 10_000))
    running = bed.accept([make_spec(0, hold=True)])
    bed.clock.advance(1)
    bed.turn()
    release(bed, running, 0)
    with pytest.raises(Conflict, match=r"/t0: it was released already and is in progress"):
        release(bed, running, 0)
