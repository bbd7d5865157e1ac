"""Durations and sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.config.quantities import duration_text, parse_duration, parse_size, size_text


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0.0),
        (2, 2.0),
        (0.25, 0.25),
        ("500ms", 0.5),
        ("90s", 90.0),
        ("1.5 s", 1.5),
        ("10m", 600.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
    ],
)
def test_a_duration_is_a_number_of_seconds_or_text_with_a_unit(
    written: object, seconds: float
) -> None:
    actual = parse_duration(written)

    assert seconds == actual


@pytest.mark.parametrize(
    "written",
    [
        *[True, -1, -0.5, float("inf"), float("nan"), 10**400, None, []],
        *["", "10", "ten s", "5 weeks", "-1s", "1e3s", "\u0663s", "1s\n", "9" * 19 + "s"],
    ],
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="a duration is a number of seconds"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("written", "size"),
    [(0, 0), (17, 17), ("17B", 17), ("64KiB", 65536), ("1.5 MiB", 1572864), ("2MB", 2_000_000)],
)
def test_a_size_is_a_whole_number_of_bytes_or_text_with_a_unit(written: object, size: int) -> None:
    actual = parse_size(written)

    assert size == actual


@pytest.mark.parametrize("written", [True, -1, 1.5, "0.3B", "64K", "64kib", "", "MiB", None, []])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="a size is a whole number of bytes"):
        parse_size(written)


@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False))
def test_a_duration_is_read_back_exactly_as_it_was_written(seconds: float) -> None:
    actual = parse_duration(duration_text(seconds))

    assert seconds == actual


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_of_milliseconds_is_read_back_exactly(milliseconds: int) -> None:
    actual = parse_duration(duration_text(milliseconds / 1000))

    assert milliseconds / 1000 == actual


@given(st.integers(min_value=0, max_value=2**60))
def test_a_size_is_read_back_exactly_as_it_was_written(size: int) -> None:
    actual = parse_size(size_text(size))

    assert size == actual


def test_round_durations_are_written_with_the_largest_unit() -> None:
    actual = [duration_text(seconds) for seconds in (0.5, 2, 90, 600, 7200, 0)]

    assert actual == ["500ms", "2s", "90s", "10m", "2h", 0]


@pytest.mark.parametrize("value", [-1, -0.5, "-1", "-5s"])
def test_a_negative_duration_is_called_negative(value: object) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        parse_duration(value)


@pytest.mark.parametrize("value", [-1, "-1KiB"])
def test_a_negative_size_is_called_negative(value: object) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        parse_size(value)
