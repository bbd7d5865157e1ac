"""The schema of the task file with what executors take: typos fail, what the daemon takes fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from inboxd.array.composed_schema import COMPOSED_ID, OfferedInputs, composed_schema
from inboxd.executors.command import INPUTS_SCHEMA

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "inbox" / "examples").glob("*.json"))

#: A resize job: closed, with one that must be there, and values of every kind.
RESIZE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://example.org/resize",
    "type": "object",
    "properties": {
        "width": {"type": "integer", "minimum": 1, "description": "In pixels."},
        "files": {"type": "array", "items": {"type": "string", "maxLength": 8}, "minItems": 1},
        "mode": {"enum": ["fit", "fill"]},
        "box": {"$ref": "#/$defs/box"},
        "note": {"description": "Anything."},
    },
    "required": ["width"],
    "additionalProperties": False,
    "$defs": {
        "box": {"type": "object", "properties": {"left": {"type": "integer"}}},
    },
}
#: A tree: refers to its own top, and to an anchor.
MENU: dict[str, Any] = {
    "type": "object",
    "properties": {
        "label": {"$ref": "#label"},
        "children": {"type": "array", "items": {"$ref": "#"}},
    },
    "required": ["label"],
    "additionalProperties": False,
    "$defs": {"box": {"$anchor": "label", "type": "string", "maxLength": 5}},
}
#: What msgspec makes of a class: the top refers to a part.
TYPED: dict[str, Any] = {
    "$ref": "#/$defs/Shrink",
    "$defs": {
        "Shrink": {
            "type": "object",
            "properties": {"by": {"type": "number"}},
            "required": ["by"],
            "additionalProperties": False,
        }
    },
}
CHOICE: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"oneOf": [{"const": 1}, {"type": "string", "maxLength": 3}]}},
    "additionalProperties": False,
}
FOREIGN: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"a": {"type": "integer"}},
}
SCHEMAS = {
    "command": INPUTS_SCHEMA,
    "resize": RESIZE,
    "menu": MENU,
    "shrink": TYPED,
    "choose": CHOICE,
    "old": FOREIGN,
    "noop": None,
    "a:1": RESIZE,
    "a": MENU,
}
SCHEMA = composed_schema(
    OfferedInputs(name=name, description=f"Does {name}.", schema=schema)
    for name, schema in SCHEMAS.items()
)
VALIDATOR = jsonschema_rs.validator_for(SCHEMA)

EXPRESSION = "{{ tasks.x.result.y }}"


def task(executor: str, **inputs: Any) -> dict[str, Any]:
    return {"id": "t", "executor": executor, "inputs": inputs}


def test_it_is_a_schema_of_its_draft_with_a_name_of_its_own() -> None:
    jsonschema_rs.meta.validate(SCHEMA)

    assert SCHEMA["$id"] == COMPOSED_ID


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_it_takes_the_examples(path: Path) -> None:
    found = [error.message for error in VALIDATOR.iter_errors(json.loads(path.read_text()))]

    assert found == []


@pytest.mark.parametrize(
    "one",
    [
        task("resize", width=3, files=["a"], mode="fit", box={"left": 1}, note=None),
        task("resize", width=EXPRESSION, files=EXPRESSION, mode=EXPRESSION, box=EXPRESSION),
        task("resize", width=1, files=["{{tasks.x.status}} and more"], box={"left": EXPRESSION}),
        task("resize", width={"$secret": "width"}),
        task("a:1", width=1),
        task("menu", label="top", children=[{"label": "one", "children": [{"label": "two"}]}]),
        task("menu", label=EXPRESSION, children=[EXPRESSION, {"label": EXPRESSION}]),
        task("a", label="top"),
        task("shrink", by=0.5),
        task("choose", a=1),
        task("choose", a=EXPRESSION),
        task("noop", anything=[1]),
        task("old", a="anything: drafts are not mixed"),
        task("nobody", a=1),
        {"id": "t", "params": {"executor_id": "resize"}, "inputs": {"width": 1}},
        {"id": "t", "schemas": {"method": "resize"}, "inputs": {"width": 1}},
        {"id": "resize", "inputs": {"width": 1}},
        {"id": "resize", "name": "other", "inputs": {"colour": 1}},
        {"id": "t", "executor": "noop", "params": {"executor_id": "resize"}},
        {"id": "t", "params": {"executor_id": "noop"}, "schemas": {"method": "resize"}},
    ],
)
def test_it_takes_what_the_executor_takes(one: dict[str, Any]) -> None:
    errors = [*VALIDATOR.iter_errors([one]), *VALIDATOR.iter_errors({"tasks": [one]})]

    assert [error.message for error in errors] == []


@pytest.mark.parametrize(
    "one",
    [
        task("command", argvv=["ls"]),
        task("command", argv="ls"),
        task("resize", width=1, colour="red"),
        task("resize", width="3"),
        task("resize", width=0),
        task("resize"),
        {"id": "t", "executor": "resize"},
        task("resize", width=1, files=["too long for that"]),
        task("resize", width=1, box={"left": "1"}),
        task("resize", width="{{ task.x }}"),
        task("resize", width={"$secret": "a", "other": 1}),
        task("menu", label="longer than five"),
        task("menu", label="top", children=[{"label": "one", "children": [{"lable": "two"}]}]),
        task("a", width=1),
        task("a:1", label="top"),
        task("shrink", by="much"),
        task("shrink"),
        task("choose", a="too long"),
        task("choose", b=1),
        {"id": "t", "params": {"executor_id": "resize"}, "inputs": {"widht": 1}},
        {"id": "t", "schemas": {"method": "resize"}, "inputs": {"widht": 1}},
        {"id": "resize", "inputs": {"widht": 1}},
        {"name": "resize", "inputs": {"widht": 1}},
    ],
)
def test_it_refuses_what_the_executor_does_not_take(one: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid([one])
    assert not VALIDATOR.is_valid({"tasks": [one]})


@pytest.mark.parametrize(
    ("defaults", "one", "is_taken"),
    [
        ({"executor": "resize"}, {"id": "t", "inputs": {"width": 1}}, True),
        ({"executor": "resize"}, {"id": "t", "inputs": {"widht": 1}}, False),
        ({"executor": "resize"}, {"id": "t", "executor": "noop", "inputs": {"x": 1}}, True),
        ({"executor": "resize"}, {"id": "menu", "inputs": {"width": 1}}, True),
        ({"executor": "shrink"}, {"id": "t", "inputs": {"width": 1}}, False),
        # What must be there may come from the defaults.
        ({"inputs": {"width": 1}}, {"id": "t", "executor": "resize"}, True),
        ({"inputs": {"width": 1}}, task("resize", mode="fit"), True),
        ({"inputs": {"width": 1}}, task("resize", mode="fit", colour="red"), False),
        ({"params": {"executor_id": "menu"}}, {"id": "t", "schemas": {"method": "resize"}}, True),
        ({"executor": "resize", "params": {"executor_id": "noop"}}, {"id": "t"}, True),
        ({"retry": 3}, task("resize", width=1), True),
        ({"retry": 3}, task("resize"), False),
    ],
)
def test_defaults_are_taken_into_account(
    defaults: dict[str, Any], one: dict[str, Any], is_taken: bool
) -> None:
    assert VALIDATOR.is_valid({"defaults": defaults, "tasks": [one]}) is is_taken


def test_it_still_refuses_what_is_wrong_with_a_task() -> None:
    assert not VALIDATOR.is_valid([{**task("resize", width=1), "prority": 1}])
    assert not VALIDATOR.is_valid({"tasks": []})
    assert not VALIDATOR.is_valid({"tasks": [task("noop")], "nmae": "x"})


def test_editors_are_told_the_names_and_what_they_do() -> None:
    named = SCHEMA["$defs"]["task"]["properties"]["executor"]["anyOf"]

    assert {"const": "resize", "description": "Does resize."} in named


def test_without_executors_it_takes_any_inputs() -> None:
    empty = jsonschema_rs.validator_for(composed_schema([]))

    assert empty.is_valid([task("resize", whatever=1)])
    assert empty.is_valid({"defaults": {"executor": "x"}, "tasks": [{"id": "t"}]})


def test_every_reference_leads_to_a_part_of_the_one_document() -> None:
    references = set[str]()
    rest: list[Any] = [SCHEMA]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            assert "$id" not in part or part is SCHEMA
            if isinstance(part.get("$ref"), str):
                references.add(part["$ref"])
            rest.extend(part.values())
        elif isinstance(part, list):
            rest.extend(part)

    assert {one.removeprefix("#/$defs/") for one in references} <= SCHEMA["$defs"].keys()
