"""Whatever executors raise is an outcome: an attempt that has none keeps its place."""

from __future__ import annotations

import math
from typing import Any

import pytest

from inboxd.errors import RetryLater
from inboxd.running.outcomes import raised
from inboxd.task import TaskErrorCode


class WithoutSuper(RetryLater):
    """Says nothing of when, since it does not call what would note it."""

    def __init__(self, shop: str) -> None:
        self.shop = shop


class Unreadable(type):
    """Its classes have no name."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise OSError("no name")


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        (0, 0.0),
        (-1, 0.0),
        (1.5, 1.5),
        (3650 * 86_400, 3650 * 86_400.0),
        (3650 * 86_400 + 1, None),
        (10**400, None),
        (1e300, None),
        (math.inf, None),
        (math.nan, None),
    ],
)
def test_retry_later_is_taken_up_to_ten_years(after: float, seconds: float | None) -> None:
    assert raised(RetryLater(after, "busy")).retry_after_seconds == seconds


def test_who_gives_no_seconds_is_told_so() -> None:
    failed = raised(RetryLater(1_764_000_000_000_000_000, "busy"))

    assert failed.error.message == (
        "busy (RetryLater was given over ten years: it is seconds that it takes)"
    )


def test_a_retry_later_without_a_time_is_as_if_it_had_not_said() -> None:
    failed = raised(WithoutSuper("x"))

    assert (failed.error.code, failed.retryable) == (TaskErrorCode.EXCEPTION, True)
    assert failed.retry_after_seconds is None


def test_what_cannot_be_read_is_a_failure_all_the_same() -> None:
    strange: Any = Unreadable("Strange", (Exception,), {})

    assert raised(strange()).error.code is TaskErrorCode.EXCEPTION
