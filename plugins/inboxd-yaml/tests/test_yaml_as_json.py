"""The same array as YAML and as JSON is the same array."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml
from hypothesis import given
from hypothesis import strategies as st

from inboxd.array import CheckedArray, check_array
from inboxd.array.document import check_document
from inboxd.executors.noop import Noop
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.protocol import ParseProblem
from inboxd_yaml.document import read_document
from inboxd_yaml.places import YamlArray, YamlObject

CATALOG = ExecutorCatalog({"noop": Noop()})

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.integers(-(10**99), 10**99) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=15,
)


@st.composite
def arrays(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw an array of tasks with edges to earlier ones and any inputs."""
    count = draw(st.integers(1, 5))
    return [
        {
            "id": f"t{number}",
            "executor": "noop",
            "name": draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=9)),
            "inputs": draw(st.dictionaries(TEXTS, VALUES, max_size=4)),
            "dependencies": draw(
                st.lists(st.sampled_from([f"t{n}" for n in range(number)]), max_size=2)
                if number
                else st.just([])
            ),
            "priority": draw(st.integers(0, 999)),
        }
        for number in range(count)
    ]


class Quoting(yaml.CSafeDumper):
    """Writes YAML without aliases and with every text in quotes, as JSON's are."""

    def ignore_aliases(self, data: object) -> bool:
        """Write everything out."""
        del data
        return True


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


def _float(dumper: yaml.CSafeDumper, number: float) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:float", repr(number))


Quoting.add_representer(str, _text)
Quoting.add_representer(float, _float)


def specs_of(result: object) -> object:
    """Return the tasks of an accepted array, else the codes and pointers of its errors."""
    if isinstance(result, CheckedArray):
        return list(result.ids), list(result.specs())
    return [(one.code, one.pointer) for one in result.problems]  # type: ignore[attr-defined]  # rejected


def read(data: bytes) -> YamlArray | YamlObject | ParseProblem:
    """Return the document, or why there is none; whatever else is raised fails the test."""
    try:
        return read_document(data)
    except ParseProblem as problem:
        return problem


def from_yaml(text: str) -> object:
    """Return what a YAML file comes to."""
    document = read(text.encode())
    if isinstance(document, ParseProblem):
        return document.message
    return specs_of(
        check_document(document, size=len(text), catalog=CATALOG, positions=document.position_of)
    )


@given(array=arrays(), flow=st.booleans(), unicode=st.booleans())
def test_an_array_as_yaml_is_the_array_that_its_json_is(
    array: list[dict[str, Any]], flow: bool, unicode: bool
) -> None:
    text = yaml.dump(
        array, Dumper=Quoting, default_flow_style=flow, allow_unicode=unicode, sort_keys=False
    )

    assert from_yaml(text) == specs_of(check_array(msgspec.json.encode(array), catalog=CATALOG))


@given(array=arrays())
def test_json_read_as_yaml_is_the_same_or_refused(array: list[dict[str, Any]]) -> None:
    data = msgspec.json.encode(array)
    found = from_yaml(data.decode())
    expected = specs_of(check_array(data, catalog=CATALOG))

    # Characters that JSON takes raw and YAML does not are an error, and never changed.
    assert str(found).startswith("the character U+") or found == expected


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert isinstance(read(data), list | dict | ParseProblem)


@given(text=st.text(st.sampled_from("ab:-&*[]{},\n \t#?!|>'\"%@`~<01."), max_size=60))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    found = read(text.encode())

    if isinstance(found, ParseProblem):
        place = (found.line, found.column)
    else:
        place = found.position_of(()) or (None, None)
    line, column = place
    assert line is not None
    assert column is not None
    assert 1 <= line <= text.count("\n") + 2
    assert column >= 1
