"""A document that another parser read is held to what JSON holds, and to every rule of an array."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.array import CheckedArray, Limits, Problem, RejectedArray, check_array
from inboxd.array.document import check_document

from .checking import CATALOG, codes


def nowhere(path: tuple[str | int, ...], *, at_key: bool) -> None:
    """Know no place."""
    del path, at_key


def check(document: object, **limits: int) -> CheckedArray | RejectedArray:
    """Check a document of a file of a thousand bytes."""
    return check_document(
        document, size=1_000, limits=Limits(**limits), catalog=CATALOG, positions=nowhere
    )


def problems(document: object, **limits: int) -> list[Problem]:
    """Return the problems of a document that must be rejected."""
    result = check(document, **limits)
    assert isinstance(result, RejectedArray)
    return result.problems


def with_input(value: object) -> list[Any]:
    """Return an array in which *value* is an input of the only task."""
    return [{"id": "a", "executor": "noop", "inputs": {"x": value}}]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (math.nan, "not_finite"),
        (-math.inf, "not_finite"),
        (10**100, "out_of_range"),
        (-(10**100), "out_of_range"),
        (datetime.date(2026, 11, 24), "wrong_type"),
        ({1, 2}, "wrong_type"),
        ((1, 2), "wrong_type"),
        (b"bytes", "wrong_type"),
        (Decimal(1), "wrong_type"),
        (object(), "wrong_type"),
        ("\ud800", "invalid_json"),
    ],
)
def test_what_json_cannot_hold_is_an_error_at_its_place(value: object, code: str) -> None:
    found = problems(with_input([value]))

    assert [(one.code.value, one.pointer) for one in found] == [(code, "/0/inputs/x/0")]


@pytest.mark.parametrize(
    ("key", "code", "pointer"),
    [
        (1, "wrong_type", "/0/inputs/x/1"),
        (None, "wrong_type", "/0/inputs/x/None"),
        (True, "wrong_type", "/0/inputs/x/True"),
        ((1,), "wrong_type", "/0/inputs/x/(1,)"),
        ("\udc00", "invalid_json", "/0/inputs/x/\udc00"),
    ],
)
def test_a_key_that_is_no_text_is_an_error(key: object, code: str, pointer: str) -> None:
    found = problems(with_input({key: 1}))

    assert [(one.code.value, one.pointer) for one in found] == [(code, pointer)]


def test_the_largest_number_is_kept() -> None:
    result = check(with_input(10**100 - 1))

    assert isinstance(result, CheckedArray)
    assert b"9" * 100 in (next(iter(result.specs())).inputs or b"")


def test_every_error_is_reported() -> None:
    found = problems(with_input([math.nan, {3: b""}, 10**200]))

    assert [one.code.value for one in found] == [
        "not_finite", "wrong_type", "wrong_type", "out_of_range",
    ]  # fmt: skip


def nested(levels: int) -> object:
    """Return lists so deep, one in the other."""
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(("levels", "expected"), [(61, []), (62, ["too_deep"])])
def test_depth_counts_as_in_json(levels: int, expected: list[str]) -> None:
    document = with_input(nested(levels))
    result = check(document)
    found = [] if isinstance(result, CheckedArray) else [one.code.value for one in result.problems]

    assert found == expected
    assert [code for code, _ in codes(document)] == expected


def test_a_document_as_deep_as_python_can_make_one_is_no_crash() -> None:
    assert [one.code.value for one in problems(nested(100_000))] == ["too_deep"]


def test_a_document_that_holds_itself_is_too_deep() -> None:
    document: list[Any] = []
    document.append(document)

    assert [one.code.value for one in problems(document)] == ["too_deep"]


def test_aliases_that_blow_up_are_too_large() -> None:
    value: object = "lol"
    for _ in range(30):
        value = [value] * 10

    assert [one.code.value for one in problems(with_input(value))] == ["too_large"]


def test_one_long_text_repeated_is_too_large() -> None:
    text = "x" * 1_000_000

    found = problems(with_input([text] * 500))

    assert [one.code.value for one in found] == ["too_large"]


def test_what_is_repeated_and_stays_small_is_taken() -> None:
    shared = {"argv": ["true"]}
    tasks = [{"id": f"t{n}", "executor": "command", "inputs": shared} for n in range(1_000)]

    assert isinstance(check(tasks), CheckedArray)


@pytest.mark.parametrize("document", [1, "text", None, True, 1.5])
def test_what_is_neither_list_nor_dict_is_no_array(document: object) -> None:
    assert [one.code.value for one in problems(document)] == ["not_an_array"]


class Placed(dict[str, Any]):
    """A document that knows its places: the depth of the path is the line."""


def test_lines_and_columns_are_those_that_are_given() -> None:
    def positions(path: tuple[str | int, ...], *, at_key: bool) -> tuple[int, int]:
        return len(path) + 1, 7 if at_key else 9

    document = Placed(tasks=[{"id": "a", "executor": "noop", "prority": 1, "retry": -1}])
    result = check_document(
        document, size=1_000, limits=Limits(), catalog=CATALOG, positions=positions
    )

    assert isinstance(result, RejectedArray)
    assert [(one.code.value, one.line, one.column) for one in result.problems] == [
        ("unknown_field", 4, 7),
        ("out_of_range", 4, 9),
    ]


def test_the_place_of_the_idempotency_key_is_the_one_given() -> None:
    result = check_document(
        {"idempotency_key": "k", "tasks": [{"id": "a", "executor": "noop"}]},
        size=1_000,
        catalog=CATALOG,
        positions=lambda path, *, at_key: (len(path), 5),
    )

    assert isinstance(result, CheckedArray)
    assert result.key_place == (1, 5)


def test_what_a_plugin_finds_wrong_with_the_tree_stands_where_the_document_says() -> None:
    result = check_document(
        [{"id": "a", "executor": "noop", "metadata": {"owner": "nobody"}}],
        size=1_000,
        catalog=CATALOG,
        positions=lambda path, *, at_key: (len(path), 5),
    )
    assert isinstance(result, CheckedArray)
    placed = result.placed([Problem(pointer="/0/metadata/owner", message="not he")])

    assert [(one.pointer, one.line, one.column) for one in placed.problems] == [
        ("/0/metadata/owner", 3, 5)
    ]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(value=JSON_VALUES)
def test_a_document_is_judged_as_its_json_is(value: object) -> None:
    document = with_input(value)
    directly = check(document)
    as_json = check_array(msgspec.json.encode(document), catalog=CATALOG)

    assert type(directly) is type(as_json)
    if isinstance(directly, CheckedArray) and isinstance(as_json, CheckedArray):
        assert list(directly.specs()) == list(as_json.specs())
