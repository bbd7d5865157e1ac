"""What persons ask for of a scheduler that runs on its own thread."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from inboxd.clock import SystemClock
from inboxd.config.settings import RunSettings
from inboxd.errors import Conflict, NotFound
from inboxd.scheduling.cancelling import Cancelled
from inboxd.scheduling.mailbox import StoreClosed
from inboxd.scheduling.pausing import Paused, Prioritised
from inboxd.scheduling.retrying import Retried
from inboxd.scheduling.scheduler import Scheduler
from inboxd.scheduling.turn import TurnListener
from inboxd.store.acceptance import TreeHeader, insert_small_tree
from inboxd.store.engine import open_writer
from inboxd.task import Completed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from inboxd.running.attempt import Attempt
    from inboxd.scheduling.turn import EndedTree
    from inboxd.task import TaskSpec

#: Seconds; nothing here takes as long.
_SOON = 30


class Held(TurnListener):
    """Attempts that run until they are told to end, and who hears of trees."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.running: dict[tuple[int, int], Attempt] = {}
        self.ended: list[str] = []

    def take(self, attempts: Sequence[Attempt]) -> None:
        with self.changed:
            self.running |= {(one.task, one.number): one for one in attempts}
            self.changed.notify_all()

    def trees_ended(self, trees: Sequence[EndedTree]) -> None:
        with self.changed:
            self.ended += [one.status for one in trees]
            self.changed.notify_all()

    def wait(self, is_over: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(is_over, _SOON)


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def scheduler(held: Held, empty_database: Path, tmp_path: Path) -> Iterator[Scheduler]:
    shutil.copy(empty_database, tmp_path / "inboxd.db")
    engine = open_writer(f"sqlite:///{tmp_path / 'inboxd.db'}")
    clock = SystemClock()

    def end(attempts: Sequence[Attempt]) -> None:
        for one in attempts:
            held.running.pop((one.task, one.number), None)
        made.add_outcomes([(one, Completed(), clock.now_micros()) for one in attempts])

    made = Scheduler(
        engine,
        clock=clock,
        settings=RunSettings(async_places=1),
        executors={"noop": False},
        listener=held,
        hand_over=held.take,
        end_attempts=end,
    )
    made.start(lambda _: None)
    yield made
    made.stop()
    engine.dispose()


def accept(scheduler: Scheduler, specs: list[TaskSpec]) -> int:
    header = TreeHeader(public_id="x", task_count=len(specs), received_at=0)
    now = SystemClock().now_micros()
    work = scheduler.write(lambda connection: insert_small_tree(connection, header, specs, now))
    return work.result(_SOON)


def test_a_tree_is_paused_reordered_resumed_cancelled_and_retried_while_it_runs(
    scheduler: Scheduler, held: Held, make_spec: Callable[..., TaskSpec]
) -> None:
    tree = accept(scheduler, [make_spec(i) for i in range(3)])
    held.wait(lambda: (1, 1) in held.running)
    answers: list[object] = [
        scheduler.pause_tree(tree).result(_SOON),
        scheduler.set_task_priority(3, 0).result(_SOON),
        scheduler.set_tree_priority(tree, 1).result(_SOON),
        scheduler.set_task_priority(3, 0).result(_SOON),
        scheduler.cancel_task(1).result(_SOON),
        # Whether the cancelled attempt has come back by now is not known.
        scheduler.pause().result(_SOON).changed,
        scheduler.resume().result(_SOON).changed,
        scheduler.resume_tree(tree).result(_SOON).changed,
    ]
    held.wait(lambda: (3, 1) in held.running)
    answers.append(scheduler.cancel_tree(tree).result(_SOON))
    held.wait(lambda: held.ended == ["cancelled"])
    answers.append(scheduler.retry_tree(tree).result(_SOON))
    held.wait(lambda: (3, 2) in held.running)
    answers.append(scheduler.cancel_tree(tree).result(_SOON))
    held.wait(lambda: held.ended == ["cancelled"] * 2)
    answers.append(scheduler.retry_task(2).result(_SOON))
    held.wait(lambda: (2, 1) in held.running)

    assert answers == [
        Paused(changed=True, running=1),
        Prioritised(tasks=1),
        Prioritised(tasks=2),
        Prioritised(tasks=1),
        Cancelled(ended=0, ending=1),
        True,
        True,
        True,
        Cancelled(ended=1, ending=1),
        Retried(again=3),
        Cancelled(ended=2, ending=1),
        Retried(again=1),
    ]


def test_what_makes_no_sense_is_refused_and_a_stopped_scheduler_says_so(
    scheduler: Scheduler, held: Held, make_spec: Callable[..., TaskSpec]
) -> None:
    tree = accept(scheduler, [make_spec(0)])
    held.wait(lambda: (1, 1) in held.running)

    with pytest.raises(NotFound):
        scheduler.cancel_task(77).result(_SOON)
    with pytest.raises(Conflict, match="nothing of it failed or was cancelled"):
        scheduler.retry_tree(tree).result(_SOON)
    scheduler.stop()
    with pytest.raises(StoreClosed):
        scheduler.cancel_tree(tree).result(_SOON)
