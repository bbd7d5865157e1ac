"""From paths to offsets, from offsets to lines and columns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.array.locate import find, lines_and_columns, skip_value

from .slow_json import json_documents

_keys = st.text('ab"\\é/~{}[]:,', max_size=3)
_values = st.recursive(
    st.none() | st.integers() | st.text('ab"\\é{}[]:,\n', max_size=5),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(_keys, inside, max_size=4),
    max_leaves=20,
)


def _paths(value: Any) -> list[tuple[str | int, ...]]:
    paths: list[tuple[str | int, ...]] = [()]
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for token, member in members:
        paths.extend((token, *path) for path in _paths(member))
    return paths


@given(_values, st.data(), st.sampled_from([None, 1]), st.booleans())
def test_a_path_leads_to_its_value(
    value: Any, choice: st.DataObject, indent: int | None, ascii_only: bool
) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    path = choice.draw(st.sampled_from(_paths(value)))
    for token in path:
        value = value[token]
    start = find(data, 0, path)

    assert json.loads(data[start : skip_value(data, start)]) == value


@given(json_documents)
def test_a_value_is_skipped_to_its_end(data: bytes) -> None:
    assert skip_value(data + b" , 1", 0) == len(data)


@pytest.mark.parametrize(
    ("path", "at_key", "found"),
    [
        (("a",), False, "2,"),
        (("a",), True, '"a":2'),
        (("b", 1, "c"), True, '"c"'),
        (("b", 1, "nope"), False, '{"c"'),
        (("b", 7), False, "[1"),
        (("nope", "x"), False, '{"a"'),
        (("b", "x"), False, "[1"),
        (("é",), False, "3"),
    ],
)
def test_a_path_leads_as_far_as_there_is_something(
    path: tuple[str | int, ...], at_key: bool, found: str
) -> None:
    data = b'{"a":1, "a":2, "b":[1,{"c":null}], "\\u00e9":3}'
    offset = find(data, 0, path, at_key=at_key)

    assert data[offset:].decode().startswith(found)


@given(st.text("a\n\ré日😀", max_size=40), st.data())
def test_lines_and_columns_count_line_feeds_and_characters(
    text: str, choice: st.DataObject
) -> None:
    places = choice.draw(st.lists(st.integers(0, len(text)), max_size=5))
    data = text.encode()
    offsets = [len(text[:place].encode()) for place in places]
    counted = lines_and_columns(data, offsets)

    for place, offset in zip(places, offsets, strict=True):
        before = text[:place]
        assert counted[offset] == (
            before.count("\n") + 1,
            len(before.rsplit("\n", maxsplit=1)[-1]) + 1,
        )


def test_columns_of_a_long_line_are_right_past_the_pieces_it_is_counted_in() -> None:
    data = "é".encode() * 1_500_000

    assert lines_and_columns(data, [2_999_998]) == {2_999_998: (1, 1_500_000)}
