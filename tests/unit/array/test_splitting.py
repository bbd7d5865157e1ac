"""Cutting an array into chunks: wherever it is cut, its items stay what they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.array.split import split_items

from .slow_json import json_documents, mutated, verdict

_items = st.fixed_dictionaries(
    {"id": st.text(max_size=4)},
    optional={
        "inputs": st.lists(
            st.fixed_dictionaries({"id": st.text("}],{ \"'\\:id", max_size=12)}), max_size=4
        ),
        "name": st.text("}],{ \"'\\:id", max_size=12),
    },
)
_arrays = st.lists(_items, min_size=1, max_size=30)
_styles = st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 1}, {"indent": 2}])


def _split(data: bytes, opened_at: int = 0, **options: int) -> Any:
    limits = {"max_depth": 64, "max_tasks": 1_000, "chunk_bytes": 100, **options}
    return split_items(data, opened_at, path=(), **limits)


@given(_arrays, _styles)
def test_the_chunks_hold_the_items_in_order(items: list[Any], style: dict[str, Any]) -> None:
    data = json.dumps(items, **style).encode()
    split = _split(data)
    read = [json.loads(b"[" + data[chunk.start : chunk.end] + b"]") for chunk in split.chunks]

    assert [item for chunk in read for item in chunk] == items
    assert [chunk.count for chunk in split.chunks] == [len(chunk) for chunk in read]
    assert [chunk.first for chunk in split.chunks] == [
        sum(len(chunk) for chunk in read[:index]) for index in range(len(read))
    ]
    assert (split.count, split.end, split.broken) == (len(items), len(data), None)


@given(_arrays, _styles)
def test_what_follows_the_array_is_left_alone(items: list[Any], style: dict[str, Any]) -> None:
    array = json.dumps(items, **style).encode()
    data = b'{"tasks":' + array + b', "metadata": {"x": [{"id": "a"}, {"id": "b"}]}}'
    split = _split(data, len(b'{"tasks":'))

    assert (split.count, split.end) == (len(items), len(b'{"tasks":' + array))


@given(mutated(st.builds(lambda items: json.dumps(items).encode(), _arrays)))
def test_broken_text_is_found_wherever_it_is(data: bytes) -> None:
    split = _split(data) if data[:1] == b"[" else None
    if split is None:
        return
    is_whole = split.broken is None and not data[split.end :].strip(b" \t\n\r")
    theirs = verdict(data, max_depth=64)

    # Texts inside of strings are read when the chunks are decoded, not when they are cut.
    if not theirs <= {"duplicate_key", "not_finite", "out_of_range", "not_utf8", "too_deep"}:
        assert not is_whole
    elif not theirs:
        assert is_whole


@given(st.lists(json_documents, min_size=1, max_size=6))
def test_items_of_any_kind_are_counted(items: list[bytes]) -> None:
    split = _split(b"[" + b" , ".join(items) + b"]", chunk_bytes=20)

    assert (split.count, split.broken) == (len(items), None)


def test_a_large_array_is_cut_into_chunks_of_about_the_size_asked_for() -> None:
    data = json.dumps([{"id": f"t{number}"} for number in range(1_000)]).encode()
    sizes = [chunk.end - chunk.start for chunk in _split(data, chunk_bytes=1_000).chunks]

    assert all(size <= 2_000 for size in sizes)
    assert all(size > 900 for size in sizes)


def test_an_item_longer_than_a_chunk_is_a_chunk_of_its_own() -> None:
    long = {"id": "long", "inputs": [{"id": number} for number in range(200)]}
    data = json.dumps([{"id": "a"}, long, {"id": "b"}, long]).encode()
    split = _split(data)

    assert (split.count, split.end) == (4, len(data))


def test_cutting_stops_when_there_are_too_many_items() -> None:
    data = json.dumps([{"id": f"t{number}"} for number in range(1_000)]).encode()

    assert 10 < _split(data, max_tasks=10).count < 30


@pytest.mark.parametrize("text", [b"[]", b"[ \n]"])
def test_an_empty_array_has_no_chunks(text: bytes) -> None:
    split = _split(text)

    assert (split.chunks, split.count, split.end) == ([], 0, len(text))
