"""What the checkout publishes about task files is what the code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from inboxd.array import ProblemCode
from inboxd.array.problem import CODE_MEANINGS
from inboxd.array.reference import SHOWN_BY_NO_FILE, render_markdown
from inboxd.array.schema import schema_text, task_array_schema

from .invalid_examples import DIRECTORY, example_names, receipt_of, receipt_path

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "inbox" / "examples").glob("*.json"))
#: Broken examples whose form is right: only a schema of the whole world could refuse them.
RIGHT_IN_FORM = {
    "ambiguous_reference",
    "dependency_cycle",
    "duplicate_id",
    "duplicate_key",
    "invalid_expression",
    "invalid_inputs",
    "parent_cycle",
    "self_dependency",
    "too_deep",
    "unknown_executor",
    "unknown_reference",
    "unknown_secret",
}


def test_the_schema_in_config_is_current() -> None:
    assert (ROOT / "config" / "task-array.schema.json").read_text("utf-8") == schema_text()


def test_the_reference_of_the_task_file_is_current() -> None:
    assert (ROOT / "docs" / "reference" / "task-file.md").read_text("utf-8") == render_markdown()


def test_every_code_has_a_meaning() -> None:
    assert list(CODE_MEANINGS) == list(ProblemCode)


def test_every_code_that_a_file_can_show_is_shown_by_one() -> None:
    assert {*example_names(), *SHOWN_BY_NO_FILE} == {code.value for code in ProblemCode}


@pytest.mark.parametrize("name", example_names())
def test_a_broken_example_gets_the_receipt_beside_it(name: str) -> None:
    expected = json.loads(receipt_path(name).read_text("utf-8"))

    assert receipt_of(name) == expected
    assert name in {error["code"] for error in expected["errors"]}


def test_no_receipt_lies_there_without_its_file() -> None:
    receipts = {path.name for path in DIRECTORY.glob("*.receipt.json")}

    assert receipts == {f"{name}.receipt.json" for name in example_names()}


def test_the_schema_is_a_valid_schema_of_its_draft() -> None:
    jsonschema_rs.meta.validate(task_array_schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_schema_takes_the_examples(path: Path) -> None:
    errors = jsonschema_rs.validator_for(task_array_schema()).iter_errors(
        json.loads(path.read_text("utf-8"))
    )

    assert [error.message for error in errors] == []


@pytest.mark.parametrize("name", sorted(set(example_names()) - RIGHT_IN_FORM))
def test_the_schema_refuses_what_is_wrong_in_form(name: str) -> None:
    try:
        document: Any = json.loads((DIRECTORY / f"{name}.json").read_text("utf-8"))
    except ValueError:
        return  # no JSON at all
    if name == "not_finite":
        return  # JSON for Python alone

    assert not jsonschema_rs.validator_for(task_array_schema()).is_valid(document)


def test_every_field_of_the_schema_says_what_it_is_for() -> None:
    schema = task_array_schema()
    rest: list[Any] = [schema["$defs"]["task"], schema["$defs"]["envelope"]]
    while rest:
        part = rest.pop()
        for name, field in part.get("properties", {}).items():
            assert field.get("description"), name
            rest.append(field)
