"""Durations, times, and the long column of ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.array.column import Column
from inboxd.array.values import time_micros
from inboxd.clock import micros
from inboxd.durations import duration_seconds


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0),
        (1.5, 1.5),
        ("500ms", 0.5),
        ("1ms", 0.001),
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86400),
        ("1.5h", 5400),
        ("10 m", 600),
        ("10", None),
        ("10x", None),
        ("1h30m", None),
        ("٣s", None),
        (" 1s", None),
        ("1s\n", None),
        ("1e3s", None),
        ("", None),
        (-1, None),
        (float("inf"), None),
        (float("nan"), None),
        (10**400, None),
    ],
)
def test_a_duration_is_a_number_or_a_number_with_a_unit(
    written: float | str, seconds: float | None
) -> None:
    assert duration_seconds(written) == seconds


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01 00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T18:30:00-05:30", 0),
        ("1970-01-01T00:00:00.5Z", 500_000),
        ("1970-01-01T00:00:00.123456789Z", 123_456),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1970-01-01T00:00:60Z", 60_000_000),
        ("1970-01-01T00:00:61Z", None),
        ("1970-01-01T24:00:00Z", None),
        ("1970-01-01T00:00:00", None),
        ("1970-01-01", None),
        ("1970-1-1T00:00:00Z", None),
        ("1970-01-01T00:00Z", None),
        ("1970-01-01T00:00:00+0100", None),
        ("1970-01-01T00:00:00+24:00", None),
        ("1970-01-01T00:00:00+01:60", None),
        ("1970-02-30T00:00:00Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:60Z", None),
        ("1970-01-01T00:00:00,5Z", None),
        ("١٩٧٠-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z\n", None),
        ("", None),
    ],
)
def test_a_time_is_rfc_3339_with_an_offset(text: str, moment: int | None) -> None:
    assert time_micros(text) == moment


@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)),  # noqa: DTZ001 - hypothesis wants naive bounds
    st.integers(-23 * 60, 23 * 60),
)
def test_every_time_is_read_exactly(naive: datetime, offset_minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))

    assert time_micros(moment.isoformat()) == micros(moment.astimezone(UTC))


@given(st.lists(st.lists(st.text(max_size=1), min_size=1, max_size=4).map(tuple), max_size=5))
def test_a_column_is_the_sequence_of_all_its_parts(parts: list[tuple[str, ...]]) -> None:
    flat = [text for part in parts for text in part]
    column = Column(parts)

    assert list(column) == flat
    assert len(column) == len(flat)
    assert [column[index] for index in range(len(flat))] == flat
    assert [column[-1 - index] for index in range(len(flat))] == flat[::-1]
    assert column[1:3] == tuple(flat[1:3])
    with pytest.raises(IndexError):
        column[len(flat)]
