"""Lines of progress in the daemon's log: few enough for a person."""

from __future__ import annotations

import logging

import pytest

from inboxd.events import TaskProgress
from inboxd.telling.progress_log import ProgressLog


class Hands:
    """Monotonic seconds that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def said(task: str, fraction: float | None = 0.5, message: str = "half") -> TaskProgress:
    return TaskProgress(
        tree_id="0192f0c0-0000-7000-8000-00000000beef",
        task_id=task,
        attempt=1,
        fraction=fraction,
        message=message,
    )


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def log(hands: Hands, caplog: pytest.LogCaptureFixture) -> ProgressLog:
    caplog.set_level(logging.INFO)
    return ProgressLog(hands)


def test_a_line_says_task_tree_percent_and_message(
    log: ProgressLog, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    log.note(said("a", 0.456, "\x1b[2J page"))
    hands.seconds = 1
    log.note(said("b", None, "still"))

    assert caplog.messages == [r"a in 0000beef: 46% \x1b[2J page", "b in 0000beef: still"]


def test_one_task_has_a_line_in_ten_seconds(
    log: ProgressLog, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(25):
        hands.seconds = second
        log.note(said("a", message=str(second)))

    assert [message.split()[-1] for message in caplog.messages] == ["0", "10", "20"]


def test_all_tasks_together_have_two_lines_a_second(
    log: ProgressLog, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(10_000):
        hands.seconds = number / 5_000
        log.note(said(f"task-{number}"))

    assert len(caplog.messages) == 4
