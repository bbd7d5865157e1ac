"""The fast decoder and the slow words about it say the same of every value."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.array.fields import ENVELOPE, TASK
from inboxd.array.records import CheckedTask, LinkedTask, StoredTask
from inboxd.array.schema import task_array_schema
from inboxd.array.shape import check_shape

from .checking import codes

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 1001),
    st.sampled_from([0.0, 0.5, 1.0, 2.5, -1.0, 1e9, 10**7, 10**30]),
    st.sampled_from(["", "a", "all", "any", "success", "end", "10m", "90", "at_least_once"]),
    st.text(max_size=3),
    st.just("n" * 256),
)
_keys = st.sampled_from(
    [*TASK["properties"], "on", "required", "limit", "delay", "backoff", "method", "x", "x-a"]
)
_anything = st.recursive(
    _scalars,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(_keys, inside, max_size=4),
    max_leaves=6,
)
_tasks = st.dictionaries(
    st.sampled_from([*TASK["properties"], "x-own", "y"]), _anything, max_size=4
)


def _converter_takes(task: dict[str, Any]) -> bool:
    try:
        msgspec.convert(task, CheckedTask)
    except msgspec.ValidationError:
        return False
    return True


def _decoder_takes(task: dict[str, Any]) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode(task), type=CheckedTask)
    except msgspec.ValidationError:
        return False
    return True


@given(_tasks)
def test_the_decoder_refuses_exactly_what_has_a_finding(task: dict[str, Any]) -> None:
    without_own = {key: value for key, value in task.items() if not key.startswith("x-")}
    findings = list(check_shape(without_own, TASK, (0,)))

    assert _decoder_takes(without_own) == (not findings)
    assert _converter_takes(without_own) == (not findings)


@given(_tasks)
def test_keys_of_one_s_own_are_no_finding(task: dict[str, Any]) -> None:
    findings = check_shape({"x-a": 1, "x-b": None, **task}, TASK, (0,))

    assert all(not str(finding.path[1]).startswith("x-") for finding in findings)


def test_the_records_have_the_fields_of_the_file() -> None:
    fields = set(TASK["properties"])

    assert set(CheckedTask.__struct_fields__) == fields
    assert set(LinkedTask.__struct_fields__) == {"dependencies", "parent_id"}
    assert set(StoredTask.__struct_fields__) == fields - {"id", "dependencies", "parent_id"}


_SCHEMA = jsonschema_rs.validator_for(task_array_schema())


@given(
    st.lists(_tasks, max_size=3)
    | st.dictionaries(st.sampled_from([*ENVELOPE["properties"], "y"]), _anything, max_size=4)
)
def test_what_the_published_schema_refuses_is_never_accepted(document: Any) -> None:
    # Not the other way round: references and executors are not a matter of form.
    if not _SCHEMA.is_valid(document):
        assert codes(document)


@given(st.lists(_tasks, min_size=1, max_size=3))
def test_errors_of_form_are_errors_of_the_published_schema(tasks: list[dict[str, Any]]) -> None:
    of_form = {"unknown_field", "missing_field", "wrong_type", "invalid_id", "name_too_long"}
    found = {code for code, _ in codes(tasks)} & of_form
    # A whole number written with a fraction is an integer for JSON Schema.
    has_fraction = any(text in str(tasks) for text in (".0", "e+"))

    if found and not has_fraction:
        assert not _SCHEMA.is_valid(tasks)


@pytest.mark.parametrize(
    ("schema", "value", "message", "hint"),
    [
        ("priority", "2", 'a whole number is wanted here, not "2"', "write it without the quotes"),
        (
            "allow_failure",
            "true",
            'true or false is wanted here, not "true"',
            "write it without the quotes",
        ),
        ("dependencies", "a", 'an array is wanted here, not "a"', "put it in [ ]"),
        ("inputs", None, "an object is wanted here, not null", "leave the field out"),
        (
            "retry",
            1.5,
            "a whole number or an object is wanted here, not 1.5",
            "write it without a fraction",
        ),
        ("name", {"a": 1}, "text is wanted here, not an object", None),
        ("join", "al", '"all" or "any" is wanted here, not "al"', 'did you mean "all"?'),
        ("priority", 1000, "a number from 0 to 999 is wanted here, not 1000", None),
        ("timeout", 0, "a number above 0, and at most 315,360,000 is wanted here, not 0", None),
        ("name", "n" * 300, "the text has 300 characters; at most 255 are taken", None),
    ],
)
def test_a_finding_says_what_is_wanted_and_what_is_there(
    schema: str, value: Any, message: str, hint: str | None
) -> None:
    [finding] = check_shape(value, TASK["properties"][schema], (schema,))

    assert (finding.message, finding.hint) == (message, hint)
