"""Types of inputs become JSON Schemas that people and editors can read, and that refuse typos."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, NotRequired, TypedDict

import msgspec
import pytest

from inboxd.array.json_schema import compile_schema
from inboxd.plugins.inputs_type import (
    conversion_problems,
    convert_inputs,
    is_inputs_type,
    makes_instances,
    schema_of,
)

Width = Annotated[int, msgspec.Meta(description="In pixels.", ge=1)]


class Size(msgspec.Struct):
    """How large."""

    width: Width
    height: Width = 100


class Resize(msgspec.Struct):
    """Resizes pictures."""

    file: str
    size: Size
    more: list[Size] = []


class Node(msgspec.Struct):
    value: int
    children: list[Node] = []


@dataclass
class Copy:
    source: str
    at: datetime
    times: int = 1
    to: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        if self.source in self.to:
            raise ValueError("a file cannot be copied onto itself")


class Move(TypedDict):
    source: str
    to: NotRequired[str]


class Circle(msgspec.Struct, tag=True):
    radius: float


class Square(msgspec.Struct, tag=True):
    side: float


class Model:
    """Stands for a model of pydantic, which is asked by these two methods."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": {"a": {"type": "integer"}}}

    @classmethod
    def model_validate(cls, values: dict[str, Any]) -> Model:
        if values.get("a") == 13:
            raise ModelError
        return cls(values)


class ModelError(ValueError):
    def errors(self) -> list[dict[str, Any]]:
        return [{"loc": ("a",), "msg": "13 brings bad luck"}]


def test_nothing_and_a_schema_stay_what_they_are() -> None:
    schema = {"type": "object", "required": ["a"]}

    assert (schema_of(None), schema_of(schema)) == (None, schema)


def test_a_struct_keeps_its_words_bounds_and_defaults() -> None:
    assert schema_of(Size) == {
        "title": "Size",
        "description": "How large.",
        "type": "object",
        "properties": {
            "width": {"type": "integer", "minimum": 1, "description": "In pixels."},
            "height": {
                "type": "integer",
                "minimum": 1,
                "description": "In pixels.",
                "default": 100,
            },
        },
        "required": ["width"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        (Resize, {"file": "a", "size": {"width": 1}}),
        (Copy, {"source": "a", "at": "2026-11-24T10:00:00Z"}),
        (Move, {"source": "a"}),
        (Node, {"value": 1, "children": [{"value": 2}]}),
        (Model, {"a": 1}),
        (Circle | Square, {"type": "Circle", "radius": 1.5}),
    ],
)
def test_a_typo_is_refused_and_what_is_meant_is_taken(kind: object, good: dict[str, Any]) -> None:
    check = compile_schema(schema_of(kind))

    assert check.problems(good) == []
    assert check.problems({**good, "typo": 1}) != []


def test_a_typo_is_refused_inside_as_well() -> None:
    check = compile_schema(schema_of(Resize))
    (problem,) = check.problems({"file": "a", "size": {"width": 1, "hieght": 1}})

    assert problem.path == ("size", "hieght")
    assert problem.hint == 'did you mean "height"?'


def test_a_type_that_says_so_takes_other_keys() -> None:
    open_one = Annotated[Copy, msgspec.Meta(extra_json_schema={"additionalProperties": True})]
    check = compile_schema(schema_of(open_one))

    assert check.problems({"source": "a", "at": "now", "anything": 1}) == []


def test_a_mapping_of_one_kind_of_values_is_a_type() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}

    assert schema_of(dict[str, int]) == schema


@pytest.mark.parametrize("kind", [int, list[str], Copy | None, 3, "Resize", list[complex]])
def test_what_gives_no_object_is_refused_in_words(kind: object) -> None:
    with pytest.raises(TypeError, match=r"inputs|no JSON Schema can be made from list"):
        schema_of(kind)


def test_only_classes_of_values_have_instances() -> None:
    kinds = [Resize, Copy, Model, Circle | Square, Move, dict[str, int], dict[str, Any], dict, None]

    assert [makes_instances(kind) for kind in kinds] == [True] * 4 + [False] * 5
    assert [is_inputs_type(kind) for kind in kinds] == [True] * 6 + [False] * 3


def test_inputs_become_an_instance_with_its_defaults() -> None:
    made = convert_inputs({"file": "a", "size": {"width": 3}}, Resize)

    assert made == Resize(file="a", size=Size(width=3, height=100))


def test_what_a_class_refuses_by_itself_is_a_problem() -> None:
    inputs = {"source": "a", "at": "2026-11-24T10:00:00Z", "to": ["a"]}
    (problem,) = conversion_problems(inputs, Copy)

    assert (problem.path, problem.message) == ((), "a file cannot be copied onto itself")


def test_a_problem_of_a_value_says_where_it_is() -> None:
    inputs = {"file": "a", "size": {"width": 1}, "more": [{"width": 1}, {"width": "2"}]}
    (problem,) = conversion_problems(inputs, Resize)

    assert problem.path == ("more", 1, "width")
    assert problem.message == "Expected `int`, got `str`"


def test_a_model_tells_its_own_problems() -> None:
    (problem,) = conversion_problems({"a": 13}, Model)

    assert (problem.path, problem.message) == (("a",), "13 brings bad luck")
    assert conversion_problems({"a": 1}, Model) == []


def test_a_whole_number_with_a_point_is_told_in_words() -> None:
    @dataclass
    class Sized:
        size: int

    (problem,) = conversion_problems({"size": 1.0}, Sized)

    assert problem.path == ("size",)
    assert problem.message == "a whole number is wanted here, written without a point"
