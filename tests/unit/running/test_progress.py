"""Progress and log of an attempt: whatever is said, it is kept small and harms nobody."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.clock import SystemClock
from inboxd.running.context import ContextSource
from inboxd.running.logs import attempt_log_paths
from inboxd.running.progress import Progress, ProgressBoard, progress_of

from .runner_bed import attempt, until

if TYPE_CHECKING:
    from inboxd.events import TaskProgress


class Hands:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_micros(self) -> int:
        return 1_000_000

    def monotonic(self) -> float:
        return self.seconds


def source_in(state: Path, *, max_output_bytes: int = 1 << 20) -> ContextSource:
    return ContextSource(state=state, clock=Hands(), max_output_bytes=max_output_bytes)


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.5, 0.5), (1, 1.0), (2, 1.0), (-1, 0.0), (math.nan, None), (math.inf, 1.0),
        (-math.inf, 0.0), (10**400, 1.0), (-(10**400), 0.0), (None, None), ("0.5", None),
        (True, None), ([], None),
    ],
)  # fmt: skip
def test_a_fraction_is_clamped_or_not_known(fraction: Any, expected: float | None) -> None:
    assert progress_of(fraction).fraction == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [("a", "a"), (None, ""), (3, "3"), (Unspeakable(), ""), ("x" * 10_000, "x" * 200)],
)
def test_a_message_is_a_bounded_text(message: Any, expected: str) -> None:
    assert progress_of(0, message).message == expected


@given(st.floats() | st.integers() | st.text() | st.binary(), st.text() | st.binary() | st.none())
def test_nothing_that_is_said_raises(fraction: Any, message: Any) -> None:
    said = progress_of(fraction, message)

    assert said.fraction is None or 0 <= said.fraction <= 1


def test_the_newest_is_kept_and_told_once_a_second() -> None:
    hands = Hands()
    told: list[TaskProgress] = []
    board = ProgressBoard(hands, told.append)

    for number in range(10):
        board.note(attempt(), number / 10)
    hands.seconds = 1.0
    board.note(attempt(), 1, "done")

    assert board.of(attempt()) == Progress(1.0, "done")
    assert [(event.fraction, event.message) for event in told] == [(0.0, ""), (1.0, "done")]


def test_the_last_of_many_is_told_though_nothing_follows() -> None:
    told: list[TaskProgress] = []
    board = ProgressBoard(SystemClock(), told.append)
    others = [attempt(position=number) for number in range(3)]

    for one in [*others, *others]:
        board.note(one, 0.1, "first")
        board.note(one, 0.9, "last")
    until(lambda: len(told) == 6)

    assert [(event.task_id, event.message) for event in told] == [
        (one.task_id, message) for message in ("first", "last") for one in others
    ]


def test_what_ended_is_not_told_later() -> None:
    told: list[TaskProgress] = []
    board = ProgressBoard(SystemClock(), told.append)
    ended, other = attempt(), attempt(position=1)

    for one in (ended, other):
        board.note(one, 0.1, "first")
        board.note(one, 0.9, "last")
    board.forget([ended])
    until(lambda: len(told) == 3)

    assert [event.task_id for event in told] == ["task-0", "task-1", "task-1"]


def test_an_earlier_attempt_says_nothing_of_the_next_one() -> None:
    board = ProgressBoard(Hands())

    board.note(attempt(number=2), 0.2)
    board.note(attempt(number=1), 0.9)
    board.forget([attempt(number=1)])

    assert board.of(attempt(number=1)) is None
    assert board.of(attempt(number=2)) == Progress(0.2)


def test_nothing_is_kept_of_what_ended() -> None:
    board = ProgressBoard(Hands())
    board.note(attempt(), 0.5)

    board.forget([attempt()])

    assert board.of(attempt()) is None


def test_a_context_that_is_cancelled_says_nothing_more(tmp_path: Path) -> None:
    source = source_in(tmp_path)
    context = source.context(attempt())
    context.cancelled = True

    context.progress(0.5)

    assert source.board.of(attempt()) is None


def test_the_deadline_is_the_end_of_the_time_limit(tmp_path: Path) -> None:
    source = source_in(tmp_path)

    assert source.context(attempt()).deadline is None
    assert source.context(attempt(), 2.5).deadline == datetime(1970, 1, 1, 0, 0, 3, 500_000, UTC)


def test_the_log_is_made_when_something_is_written(tmp_path: Path) -> None:
    context = source_in(tmp_path).context(attempt())
    _, err = attempt_log_paths(tmp_path, context.tree_id, 0, 1)

    context.log.debug("not kept")
    assert not err.parent.exists()
    context.log.info("half of %s", "it")
    context.log.warning("\ud800 %s", "x")

    lines = [line.split(" ", 1) for line in err.read_text().splitlines()]
    assert [text for _, text in lines] == ["INFO half of it", "WARNING \\ud800 x"]
    assert all(time.endswith("Z") and len(time) == 27 for time, _ in lines)


def test_an_exception_is_in_the_log_with_its_traceback(tmp_path: Path) -> None:
    context = source_in(tmp_path).context(attempt())
    try:
        int("why")
    except ValueError:
        context.log.exception("it broke")

    text = attempt_log_paths(tmp_path, context.tree_id, 0, 1)[1].read_text()
    assert "ERROR it broke\nTraceback" in text
    assert "ValueError: invalid literal" in text


def test_the_log_is_kept_within_its_bound(tmp_path: Path) -> None:
    context = source_in(tmp_path, max_output_bytes=65_536).context(attempt())
    _, err = attempt_log_paths(tmp_path, context.tree_id, 0, 1)

    for number in range(2_000):
        context.log.info("%s", f"{number} " + "x" * 500)

    assert err.stat().st_blocks * 512 < 200_000
    assert err.read_bytes().endswith(b"x\n")


def test_a_log_that_cannot_be_written_is_said_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "attempts").write_text("in the way")
    context = source_in(tmp_path).context(attempt())

    with caplog.at_level(logging.WARNING):
        context.log.info("a")
        context.log.info("b %s %s", "too few")

    assert len(caplog.records) == 1
    assert "cannot be written" in caplog.text
