"""JSON on a terminal: the same document, without a character that acts on the terminal."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from inboxd.cli.render.json_forms import encoded, for_terminal
from inboxd.names import escaped

WILD = st.recursive(
    st.text(st.characters(codec="utf-8")) | st.integers() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(WILD)
def test_the_document_stays_the_same(value: object) -> None:
    assert json.loads(for_terminal(encoded(value))) == value


@given(WILD)
def test_nothing_in_it_acts_on_the_terminal(value: object) -> None:
    text = for_terminal(encoded(value) + b"\n").decode()

    assert text[:-1] == escaped(text[:-1])


def test_characters_beyond_sixteen_bits_and_del_are_escaped_in_the_way_of_json() -> None:
    assert for_terminal('"\U000e0041 \x7f \u202e ü"'.encode()) == (
        '"\\udb40\\udc41 \\u007f \\u202e ü"'.encode()
    )
