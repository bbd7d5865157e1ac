"""Attempts whose inputs are filled in: handed on in order, or reported when they are cut."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from inboxd.executors.noop import Noop
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.running.attempt import Attempt
from inboxd.running.filling import FillingAttempts
from inboxd.running.outcomes import CUT
from inboxd.store.engine import open_writer
from inboxd.store.reader import StoreReader
from inboxd.store.schema import migrate
from inboxd.task import Failed, Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from inboxd.task import Outcome

LIMIT_SECONDS = 60.0


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[StoreReader]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    engine = open_writer(url)
    migrate(engine)
    with StoreReader(url) as opened:
        yield opened
    engine.dispose()


class StandingClock:
    """Time stands still but for what is added."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_micros(self) -> int:
        return round(self.seconds * 1_000_000)

    def monotonic(self) -> float:
        return self.seconds


class Bed:
    """A filling with what it hands on and reports; its first look at an executor may be held."""

    def __init__(self, reader: StoreReader | None, *, held: bool = False) -> None:
        self.clock = StandingClock()
        self.begun = threading.Event()
        self.go_on = threading.Event()
        if not held:
            self.go_on.set()
        self.done = threading.Semaphore(0)
        self.handed_on: list[Attempt] = []
        self.reported: list[tuple[Attempt, Outcome]] = []
        self.filling = FillingAttempts(
            reader=reader,
            catalog_of=self._catalog,
            hand_on=self._hand_on,
            report=self._report,
            default_timeout_seconds=None,
            clock=self.clock,
        )

    def wait(self, count: int) -> None:
        """Wait until so many attempts were handed on or reported."""
        for _ in range(count):
            assert self.done.acquire(timeout=LIMIT_SECONDS)

    def _catalog(self, name: str) -> ExecutorCatalog:
        self.begun.set()
        assert self.go_on.wait(LIMIT_SECONDS)
        return ExecutorCatalog({name: Noop()})

    def _hand_on(self, attempts: Sequence[Attempt]) -> None:
        self.handed_on.extend(attempts)
        for _ in attempts:
            self.done.release()

    def _report(self, ended: Sequence[tuple[Attempt, Outcome, int]]) -> None:
        for attempt, outcome, _ in ended:
            self.reported.append((attempt, outcome))
            self.done.release()


def attempt(number: int, *, priority: int = 2, timeout: float | None = None) -> Attempt:
    """Return an attempt with something to fill in, an escaped opening."""
    return Attempt(
        task=number,
        tree=1,
        tree_id="t",
        task_id=f"a{number}",
        position=number,
        number=1,
        start_seq=number,
        started_at=0,
        executor="noop",
        priority=priority,
        timeout_seconds=timeout,
        inputs=b'{"x": "{{{{ tasks."}',
        has_references=True,
    )


def code_of(outcome: Outcome) -> str:
    """Return the code of a failure that may be repeated."""
    assert isinstance(outcome, Failed)
    assert outcome.retryable
    return str(outcome.error.code)


def test_attempts_are_handed_on_in_their_order(reader: StoreReader) -> None:
    bed = Bed(reader)
    for number in range(1, 101):
        bed.filling.begin(attempt(number))
    bed.wait(100)
    bed.filling.stop()

    assert [one.task for one in bed.handed_on] == list(range(1, 101))
    assert {one.inputs for one in bed.handed_on} == {b'{"x":"{{ tasks."}'}
    assert not any(one.has_references for one in bed.handed_on)
    assert bed.filling.running() == []


def test_the_most_urgent_is_filled_in_first(reader: StoreReader) -> None:
    bed = Bed(reader, held=True)
    bed.filling.begin(attempt(1))
    assert bed.begun.wait(LIMIT_SECONDS)
    for number, priority in [(2, 900), (3, 900), (4, 0), (5, 3), (6, 0)]:
        bed.filling.begin(attempt(number, priority=priority))
    bed.go_on.set()
    bed.wait(6)
    bed.filling.stop()

    assert [one.task for one in bed.handed_on] == [1, 4, 6, 5, 2, 3]


def test_a_time_limit_counts_while_others_are_filled_in(reader: StoreReader) -> None:
    bed = Bed(reader, held=True)
    bed.filling.begin(attempt(1, timeout=3.0))
    assert bed.begun.wait(LIMIT_SECONDS)
    bed.filling.begin(attempt(2, priority=0))
    bed.filling.begin(attempt(3, priority=900, timeout=3.0))
    bed.filling.begin(attempt(4, timeout=5.0))
    bed.clock.seconds += 4.0
    bed.go_on.set()
    bed.wait(4)
    bed.filling.stop()

    # The one that was being filled in, and the least urgent one before any other is looked at.
    assert [(one.task, code_of(outcome)) for one, outcome in bed.reported] == [
        (1, "timeout"),
        (3, "timeout"),
    ]
    assert [(one.task, one.timeout_seconds) for one in bed.handed_on] == [(2, None), (4, 1.0)]
    assert bed.filling.running() == []


def test_what_waits_is_seen_as_running(reader: StoreReader) -> None:
    bed = Bed(reader, held=True)
    bed.filling.begin(attempt(1))
    bed.filling.begin(attempt(2))
    assert bed.begun.wait(LIMIT_SECONDS)
    running = [one.task for one in bed.filling.running()]
    bed.go_on.set()
    bed.wait(2)
    bed.filling.stop()

    assert running == [1, 2]


def test_what_is_not_handed_on_when_it_is_cut_is_reported_as_cut(reader: StoreReader) -> None:
    bed = Bed(reader, held=True)
    for number in (1, 2, 3):
        bed.filling.begin(attempt(number))
    assert bed.begun.wait(LIMIT_SECONDS)
    bed.filling.cut()
    bed.go_on.set()
    bed.filling.stop()

    assert bed.handed_on == []
    assert sorted([(one.task, outcome) for one, outcome in bed.reported], key=lambda x: x[0]) == [
        (number, Interrupted(counts=False)) for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("ended", [1, 3], ids=["the one that is filled in", "one that waits"])
def test_one_whose_end_is_asked_for_is_reported_at_once_and_not_handed_on(
    reader: StoreReader, ended: int
) -> None:
    bed = Bed(reader, held=True)
    for number in (1, 2, 3):
        bed.filling.begin(attempt(number))
    assert bed.begun.wait(LIMIT_SECONDS)
    bed.filling.end({(ended, 1), (2, 7)})
    reported = list(bed.reported)
    bed.go_on.set()
    bed.wait(3)
    bed.filling.stop()

    assert reported == [(attempt(ended), CUT)]
    assert bed.reported == reported
    assert sorted(one.task for one in bed.handed_on) == sorted({1, 2, 3} - {ended})


def test_what_comes_after_the_stop_is_reported_as_cut(reader: StoreReader) -> None:
    bed = Bed(reader)
    bed.filling.stop()
    bed.filling.begin(attempt(1))
    bed.filling.stop()

    assert [outcome for _, outcome in bed.reported] == [Interrupted(counts=False)]


def test_a_store_that_cannot_be_read_fails_the_attempt_which_may_be_repeated() -> None:
    bed = Bed(None)
    bed.filling.begin(attempt(1))
    bed.wait(1)
    bed.filling.stop()
    ((_, outcome),) = bed.reported

    assert isinstance(outcome, Failed)
    assert outcome.retryable
    assert "there is no store here" in outcome.error.message
