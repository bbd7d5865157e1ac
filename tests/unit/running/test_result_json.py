"""What an executor returned, and what JSON says of it."""

from __future__ import annotations

import enum
import math
from collections import ChainMap, Counter, UserDict, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest

from inboxd.running.outcomes import outcome_of_value
from inboxd.running.result_json import encoded_result, why_not_faithful
from inboxd.task import Completed, Failed, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Pair = namedtuple("Pair", ["left", "right"])


class Colour(enum.Enum):
    RED = "red"
    NONE = math.nan


@dataclass
class Row:
    price: Any


class Box(msgspec.Struct):
    row: Any


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (None, b"null"),
        ([1, 2.5, "three", None, True, {"a": {}}], b'[1,2.5,"three",null,true,{"a":{}}]'),
        (2**70, b"1180591620717411303424"),
        ((1, (2,)), b"[1,[2]]"),
        (Pair(1, 2), b"[1,2]"),
        (Counter("ab"), b'{"a":1,"b":1}'),
        (MappingProxyType({"a": [UserDict(b=1)]}), b'{"a":[{"b":1}]}'),
        (ChainMap({"a": (1,)}), b'{"a":[1]}'),
        (Row(price=1.5), b'{"price":1.5}'),
        (Box(row=Row(price=None)), b'{"row":{"price":null}}'),
        ([Colour.RED], b'["red"]'),
        (date(2026, 11, 24), b'"2026-11-24"'),
        ({"at": datetime(2026, 11, 24, tzinfo=UTC)}, b'{"at":"2026-11-24T00:00:00Z"}'),
        (Decimal("1.10"), b'"1.10"'),
        (UUID(int=0), b'"00000000-0000-0000-0000-000000000000"'),
    ],
)
def test_what_json_can_say_is_accepted(value: Any, json: bytes) -> None:
    assert encoded_result(value) == json
    assert why_not_faithful(value, json) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "JSON has no NaN; write None for no number"),
        (-math.inf, "JSON has no Infinity; write None for no number"),
        ({"rows": [{"price": 1.0}, {"price": math.nan}]}, "at rows[1].price"),
        ([None, (0, math.inf)], "JSON has no Infinity; write None for no number at [1][1]"),
        (Row(price=math.nan), "at price"),
        (Box(row=[Row(price=math.inf)]), "at row[0].price"),
        ([Colour.NONE], "JSON has no NaN"),
        ({"tags": {"a"}}, "a set has no order; write sorted(…) at tags"),
        (frozenset(), "a set has no order"),
        ([b"x"], "JSON has no bytes; decode them to a string at [0]"),
        (MappingProxyType({1: "a"}), "the key 1 is no string; write str(key)"),
        (UserDict(a=UserDict(b=math.nan)), "at a.b"),
        (bytearray(b"x"), "JSON has no bytes"),
        ({1: "a"}, "the key 1 is no string; write str(key)"),
        ({"by": [{2.5: 0}]}, "the key 2.5 at by[0] is no string"),
        ({"first": b"", "second": {1}}, "at first"),
    ],
)
def test_what_json_would_change_is_an_invalid_result(value: Any, message: str) -> None:
    outcome = outcome_of_value(value, max_result_bytes=1000)

    assert isinstance(outcome, Failed)
    assert outcome.error.code == TaskErrorCode.INVALID_RESULT
    assert outcome.error.message.startswith("the result is no JSON value: ")
    assert message in outcome.error.message


def test_a_result_that_holds_itself_is_an_invalid_result() -> None:
    value: list[Any] = []
    value.append(value)

    outcome = outcome_of_value(value, max_result_bytes=1000)

    assert isinstance(outcome, Failed)
    assert "holds itself" in outcome.error.message


def test_deep_results_are_looked_at_without_recursion() -> None:
    value: Any = (1,)
    for _ in range(150):
        value = [value]

    assert isinstance(outcome_of_value(value, max_result_bytes=1000), Completed)


async def forgotten() -> int:
    return 1


class Unreadable(UserDict[str, int]):
    def __iter__(self) -> Iterator[str]:
        raise OSError("gone")


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (lambda: Path("/a"), "write str(path)"),
        (lambda: {"files": [Path("/a")]}, "write str(path)"),
        (forgotten, "write await before the call"),
        (lambda: (n for n in range(3)), "write list(…)"),
        (lambda: map(str, range(3)), "write list(…)"),
        (lambda: Unreadable(a=1), "it cannot be read: OSError: gone"),
    ],
)
def test_what_was_meant_is_said(make: Callable[[], Any], hint: str) -> None:
    outcome = outcome_of_value(make(), max_result_bytes=1_000)

    assert isinstance(outcome, Failed)
    assert outcome.error.code is TaskErrorCode.INVALID_RESULT
    assert hint in outcome.error.message
