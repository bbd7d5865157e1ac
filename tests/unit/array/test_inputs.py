"""Inputs against the schemas of executors and of tasks."""

from __future__ import annotations

import http.server
import threading
from typing import Any

import pytest

from inboxd.array.json_schema import SchemaError, compile_schema

from .checking import codes, only_problem


def _command(**inputs: Any) -> list[dict[str, Any]]:
    return [{"id": "a", "executor": "command", "inputs": inputs}]


@pytest.mark.parametrize(
    ("inputs", "pointer"),
    [
        ({"argv": []}, "/0/inputs/argv"),
        ({"argv": ["ls", 1]}, "/0/inputs/argv/1"),
        ({"agv": ["ls"]}, "/0/inputs/agv"),
        ({"script": 1}, "/0/inputs/script"),
        ({"stdout": "yaml"}, "/0/inputs/stdout"),
        ({"env": {"A": "x", "B/C": 1}}, "/0/inputs/env/B~1C"),
    ],
)
def test_inputs_that_the_executor_does_not_take_are_pointed_into(
    inputs: dict[str, Any], pointer: str
) -> None:
    assert codes(_command(**inputs)) == [("invalid_inputs", pointer)]


def test_an_input_that_does_not_exist_has_the_nearest_name_as_its_hint() -> None:
    problem = only_problem('[{"id":"a","executor":"command","inputs":{"agv":["ls"]}}]')

    assert problem.hint == 'did you mean "argv"?'
    assert (problem.line, problem.column) == (1, 43)


def test_all_inputs_that_do_not_fit_are_reported() -> None:
    assert codes(_command(argv=[1, 2], stdout="x", y=1)) == [
        ("invalid_inputs", "/0/inputs/argv/0"),
        ("invalid_inputs", "/0/inputs/argv/1"),
        ("invalid_inputs", "/0/inputs/stdout"),
        ("invalid_inputs", "/0/inputs/y"),
    ]


def test_defaults_are_merged_in_before_the_check() -> None:
    document = {
        "defaults": {"executor": "command", "inputs": {"stdout": "yaml", "script": 1}},
        "tasks": [{"id": "a", "inputs": {"script": "true"}}, {"id": "b"}],
    }

    assert codes(document) == [
        ("invalid_inputs", "/defaults/inputs/stdout"),
        ("invalid_inputs", "/defaults/inputs/script"),
    ]


def test_a_task_s_own_schema_is_checked_beside_the_executor_s() -> None:
    tasks = [
        {
            "id": "a",
            "executor": "command",
            "inputs": {"argv": [1]},
            "schemas": {"input_schema": {"required": ["script"]}},
        }
    ]

    assert codes(tasks) == [
        ("invalid_inputs", "/0/inputs"),
        ("invalid_inputs", "/0/inputs/argv/0"),
    ]


def test_a_task_without_inputs_is_checked_as_an_empty_object() -> None:
    tasks = [
        {"id": "a", "executor": "noop", "schemas": {"input_schema": {"required": ["url"]}}},
    ]
    problem = only_problem(tasks)

    assert (problem.code, problem.pointer) == ("invalid_inputs", "/0")
    assert problem.message == '"url" is missing'


def test_a_default_schema_is_checked_for_every_task() -> None:
    document = {
        "defaults": {
            "executor": "noop",
            "schemas": {"input_schema": {"properties": {"n": {"type": "integer"}}}},
        },
        "tasks": [
            {"id": "a", "inputs": {"n": 1}},
            {"id": "b", "inputs": {"n": "1"}},
            {"id": "c", "inputs": {"n": "1"}, "schemas": {}},
        ],
    }

    assert codes(document) == [("invalid_inputs", "/tasks/1/inputs/n")]


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "objekt"}, "/type"),
        ({"properties": {"a": {"type": 3}}}, "/properties/a/type"),
        ({"required": "a"}, "/required"),
        ({"properties": {"a": {"pattern": "("}}}, "/properties/a/pattern"),
        ({"properties": {"a": {"pattern": "(?=a)b"}}}, "/properties/a/pattern"),
        ({"$ref": "#/$defs/nope"}, ""),
        ({"$ref": "https://example.org/schema"}, ""),
        ({"$schema": "https://example.org/meta"}, ""),
    ],
)
def test_a_schema_that_cannot_be_used_is_an_error_where_it_is_wrong(
    schema: dict[str, Any], pointer: str
) -> None:
    tasks = [{"id": "a", "executor": "noop", "schemas": {"input_schema": schema}}]

    assert codes(tasks) == [("invalid_value", "/0/schemas/input_schema" + pointer)]


@pytest.mark.parametrize("schema", [True, {}, {"$ref": "#"}, {"allOf": [{"$ref": "#"}]}])
def test_schemas_that_take_anything_take_anything(schema: dict[str, Any] | bool) -> None:
    assert compile_schema(schema).problems({"a": [1, {"b": None}]}) == []


def test_a_false_schema_takes_nothing() -> None:
    [problem] = compile_schema(False).problems({})

    assert problem.path == ()


@pytest.mark.parametrize("schema", [1, "x", None, []])
def test_a_schema_is_an_object_or_a_boolean(schema: object) -> None:
    with pytest.raises(SchemaError, match="an object or a boolean"):
        compile_schema(schema)


def test_an_older_draft_is_used_when_the_schema_says_so() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "items": [{"type": "string"}],
    }

    assert [problem.path for problem in compile_schema(schema).problems([1, 2])] == [(0,)]


class _Counter(http.server.BaseHTTPRequestHandler):
    requests = 0

    def do_GET(self) -> None:
        type(self).requests += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")


def test_nothing_is_fetched_for_a_schema() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), _Counter)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/schema.json"
        for schema in (
            {"$ref": address},
            {"$schema": address},
            {"$id": address, "$ref": "other.json"},
            {"properties": {"a": {"$dynamicRef": address + "#a"}}},
        ):
            with pytest.raises(SchemaError, match="nothing is fetched"):
                compile_schema(schema)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)

    assert _Counter.requests == 0


def test_no_file_is_read_for_a_schema(tmp_path: Any) -> None:
    target = tmp_path / "schema.json"
    target.write_text("{}")

    with pytest.raises(SchemaError, match="nothing is fetched"):
        compile_schema({"$ref": target.as_uri()})


def test_a_pattern_that_would_take_for_ever_elsewhere_is_quick() -> None:
    check = compile_schema({"properties": {"a": {"pattern": "^(a+)+$"}}})

    assert len(check.problems({"a": "a" * 50_000 + "!"})) == 1


def test_a_pattern_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(SchemaError):
        compile_schema({"pattern": "(((a{1000}){1000}){1000}){1000}"})


def test_a_message_about_a_long_value_stays_short() -> None:
    check = compile_schema({"properties": {"a": {"const": 1}, "b": {"enum": ["x"]}}})
    problems = check.problems({"a": "y" * 100_000, "b": "z" * 100_000})

    assert [len(problem.message) < 200 for problem in problems] == [True, True]


def test_no_more_than_100_problems_of_one_value_are_looked_for() -> None:
    check = compile_schema({"items": {"type": "string"}})

    assert len(check.problems(list(range(10_000)))) == 100


def test_forms_that_exclude_each_other_are_named_so() -> None:
    check = compile_schema({"oneOf": [{"required": ["argv"]}, {"required": ["script"]}]})

    assert [problem.message for problem in check.problems({"argv": 1, "script": 1})] == [
        "an object matches several forms that exclude each other"
    ]
    assert [problem.message for problem in check.problems({})] == [
        "an object matches none of the forms it may have"
    ]


def test_a_number_that_json_does_not_have_is_a_problem_not_an_error() -> None:
    check = compile_schema({"properties": {"a": {"type": "string"}}})

    assert len(check.problems({"a": float("nan")})) == 1


def test_a_schema_that_nests_too_deep_is_an_error_of_the_schema() -> None:
    schema: dict[str, Any] = {}
    for _ in range(400):
        schema = {"properties": {"a": schema}}

    with pytest.raises(SchemaError, match="Recursion"):
        compile_schema(schema)


def test_many_different_schemas_are_all_checked() -> None:
    tasks = [
        {
            "id": f"t{number}",
            "executor": "noop",
            "inputs": {"n": number % 300},
            "schemas": {"input_schema": {"properties": {"n": {"maximum": number}}}},
        }
        for number in range(600)
    ]

    assert codes(tasks) == []
