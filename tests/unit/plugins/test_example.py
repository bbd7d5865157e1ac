"""Examples of tasks, and the words for inputs, made from schemas."""

from __future__ import annotations

from typing import Any

import pytest

from inboxd.array.json_schema import compile_schema
from inboxd.plugins.example import example_task, sample_of
from inboxd.plugins.inputs_table import InputLine, input_lines, takes_others

PARTS: dict[str, dict[str, Any]] = {
    "const": {"const": 7},
    "default": {"type": "integer", "default": 3},
    "examples": {"type": "string", "examples": ["north"]},
    "enum": {"enum": ["a", "b"]},
    "least": {"type": "integer", "minimum": 10},
    "more": {"type": "integer", "exclusiveMinimum": 10, "multipleOf": 5},
    "most": {"type": "number", "maximum": -2},
    "less": {"type": "number", "exclusiveMaximum": 0},
    "url": {"type": "string", "format": "uri"},
    "long": {"type": "string", "minLength": 9},
    "short": {"type": "string", "maxLength": 2},
    "yes": {"type": "boolean"},
    "nothing": {"type": "null"},
    "either": {"type": ["integer", "null"]},
    "choice": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    "list": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
    "open": {},
    "inner": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {}},
        "required": ["a"],
    },
    "part": {"$ref": "#/$defs/part"},
}


@pytest.mark.parametrize("name", PARTS)
def test_what_must_be_there_gets_a_value_that_fits(name: str) -> None:
    schema = {
        "type": "object",
        "properties": {name: PARTS[name], "other": {"type": "string"}},
        "required": [name],
        "$defs": {"part": {"type": "integer", "minimum": 5}},
    }
    sample = sample_of(schema)

    assert list(sample) == [name]
    assert compile_schema(schema).problems(sample) == []


def test_what_the_schema_gives_examples_of_is_shown_too() -> None:
    schema = {"properties": {"a": {"examples": [1, 2]}, "b": {"default": 3}}}

    assert sample_of(schema) == {"a": 1}


def test_a_schema_whose_top_refers_to_a_part_is_understood() -> None:
    part = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    schema = {"$ref": "#/$defs/part", "$defs": {"part": part}}

    assert sample_of(schema) == {"a": True}


def test_a_schema_that_refers_to_itself_has_an_end() -> None:
    schema = {"properties": {"a": {"$ref": "#"}}, "required": ["a"]}

    assert list(sample_of(schema)) == ["a"]


@pytest.mark.parametrize("reference", ["#/$defs/none", "other.json", "#"])
def test_a_reference_that_leads_nowhere_gives_no_inputs(reference: str) -> None:
    assert sample_of({"$ref": reference}) == {}


class Greeter:
    name = "greet"
    description = "Greets."
    inputs_schema: dict[str, Any] | None = {"properties": {"a": {}}, "required": ["a"]}  # noqa: RUF012 - read only
    isolation = "async"

    def execute(self, inputs: dict[str, Any], context: object) -> None: ...


class Shown(Greeter):
    example: Any = {"whom": "Ada"}  # noqa: RUF012 - read only
    example_params: Any = {"loud": True}  # noqa: RUF012 - read only


def test_an_executor_may_say_itself_what_is_shown() -> None:
    made, shown = (example_task(one, one.inputs_schema) for one in (Greeter(), Shown()))

    assert made == {"id": "example", "executor": "greet", "inputs": {"a": "text"}}
    assert shown == {
        "id": "example",
        "executor": "greet",
        "inputs": {"whom": "Ada"},
        "params": {"loud": True},
    }


def test_the_inputs_are_listed_with_those_first_that_must_be_there() -> None:
    schema = {
        "properties": {
            "mode": {"enum": ["fit", "fill"], "default": "fit", "description": "How  it\nfits."},
            "files": {"type": "array", "items": {"type": "string"}},
            "size": {"anyOf": [{"type": "integer"}, {"type": "null"}, {"type": "integer"}]},
            "part": {"$ref": "#/$defs/part"},
            "never": False,
        },
        "required": ["files"],
        "$defs": {"part": {"type": ["object", "array"]}},
    }

    assert input_lines(schema) == [
        InputLine(name="files", type="list of string", is_required=True, default=None, meaning=""),
        InputLine(
            name="mode",
            type='"fit" or "fill"',
            is_required=False,
            default='"fit"',
            meaning="How it fits.",
        ),
        InputLine(name="size", type="integer or null", is_required=False, default=None, meaning=""),
        InputLine(name="part", type="object or list", is_required=False, default=None, meaning=""),
        InputLine(name="never", type="none", is_required=False, default=None, meaning=""),
    ]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, True),
        ({"additionalProperties": False}, False),
        ({"unevaluatedProperties": False}, False),
        ({"additionalProperties": {"type": "string"}}, True),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"additionalProperties": False}}}, False),
    ],
)
def test_whether_other_inputs_are_taken_is_known(schema: dict[str, Any], expected: bool) -> None:
    assert takes_others(schema) is expected
