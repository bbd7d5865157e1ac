"""Inputs in which expressions stand for values that nobody knows yet, against schemas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.array.json_schema import compile_schema

OPEN = "{{ tasks.a.result }}"


def problems(schema: object, value: object, *open_at: tuple[str | int, ...]) -> list[str]:
    """Return the messages of what never can match."""
    return [one.message for one in compile_schema(schema).problems(value, open_at=open_at)]


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"x": {"type": "integer"}}},
        {"properties": {"x": {"enum": ["a", "b"]}}},
        {"properties": {"x": {"type": "array", "items": {"type": "string"}}}},
        {"properties": {"x": {"pattern": "^[0-9]+$", "maxLength": 3}}},
        {"properties": {"x": False}},
        {"const": {"x": 1}},
        {"anyOf": [{"properties": {"x": {"const": 1}}}, {"required": ["y"]}]},
        {"oneOf": [{"properties": {"x": {"const": 1}}}, {"required": ["y"]}]},
        {"not": {"properties": {"x": {"type": "string"}}}},
        {"if": {"properties": {"x": {"const": 1}}}, "else": {"required": ["y"]}},
        {"if": {"properties": {"x": {"type": "string"}}}, "then": {"required": ["y"]}},
        {"additionalProperties": {"type": "number"}},
        {"properties": {"x": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "number"}}},
        {"allOf": [{"properties": {"x": {"type": "null"}}}]},
        {"unevaluatedProperties": {"type": "null"}},
    ],
)
def test_an_expression_fits_what_some_value_fits(schema: object) -> None:
    assert problems(schema, {"x": OPEN}, ("x",)) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"items": {"type": "integer"}},
        {"contains": {"const": 7}},
        {"uniqueItems": True},
        {"enum": [[1, 2]]},
    ],
)
def test_an_expression_fits_as_an_item_too(schema: object) -> None:
    assert problems({"properties": {"x": schema}}, {"x": [OPEN, OPEN]}, ("x", 0), ("x", 1)) == []


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"additionalProperties": False, "properties": {"x": {}}}, {"x": OPEN, "z": 1}, '"z" is'),
        ({"required": ["y"]}, {"x": OPEN}, '"y" is missing'),
        ({"properties": {"y": {"type": "integer"}}}, {"x": OPEN, "y": "1"}, "a whole number"),
        ({"maxProperties": 1}, {"x": OPEN, "y": 1}, ""),
        ({"type": "array"}, {"x": OPEN}, "an array is wanted here"),
        ({"propertyNames": {"maxLength": 1}}, {"x": OPEN, "long": 1}, ""),
    ],
)
def test_what_is_wrong_whatever_the_value_is_counts(
    schema: object, value: dict[str, Any], message: str
) -> None:
    (found,) = problems(schema, value, ("x",))

    assert found.startswith(message)


_SCALARS = st.sampled_from([1, 0, "a", "", None, True, 2.5])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner),
    max_leaves=6,
)
_LEAF_SCHEMAS = st.sampled_from(
    [
        True, {"type": "integer"}, {"type": "string"}, {"type": ["null", "array"]}, {"const": 1},
        {"enum": ["a", None]}, {"minLength": 1}, {"minimum": 1}, {"required": ["x"]},
        {"uniqueItems": True}, {"maxItems": 1},
    ]
)  # fmt: skip
_SCHEMAS = st.recursive(
    _LEAF_SCHEMAS,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("xyz"), inner).map(lambda each: {"properties": each}),
        st.dictionaries(st.sampled_from("xyz"), inner).map(
            lambda each: {"properties": each, "additionalProperties": False}
        ),
        inner.map(lambda one: {"additionalProperties": one}),
        inner.map(lambda one: {"items": one}),
        inner.map(lambda one: {"contains": one}),
        inner.map(lambda one: {"not": one}),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"anyOf": each}),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"oneOf": each}),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"allOf": each}),
        st.tuples(inner, inner, inner).map(
            lambda each: {"if": each[0], "then": each[1], "else": each[2]}
        ),
        inner.map(lambda one: {"dependentSchemas": {"x": one}}),
        inner.map(lambda one: {"propertyNames": one}),
        inner.map(lambda one: {"unevaluatedProperties": one}),
    ),
    max_leaves=6,
)


@given(_SCHEMAS, st.dictionaries(st.sampled_from("xyz"), _VALUES, min_size=1), _VALUES)
def test_nothing_that_could_become_right_is_a_problem(
    schema: object, value: dict[str, Any], other: object
) -> None:
    check = compile_schema(schema)
    key = min(value)
    open_problems = check.problems({**value, key: OPEN}, open_at=[(key,)])

    # It fits with this value, so it is no problem that the value is not known yet.
    if not check.problems({**value, key: other}):
        assert open_problems == []
