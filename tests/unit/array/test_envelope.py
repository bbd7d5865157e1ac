"""The file as an object: its own fields, and defaults."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inboxd.task import Delivery, Join, RetryPolicy

from .checking import accepted, check, codes, only_problem, specs

_TASKS = [{"id": "a", "executor": "noop"}]


@pytest.mark.parametrize("document", ["1", '"text"', "null", "true", "1.5"])
def test_a_document_is_an_array_or_an_object(document: str) -> None:
    assert codes(document) == [("not_an_array", "")]


def test_an_object_needs_tasks() -> None:
    assert codes({}) == [("missing_field", "")]
    assert codes({"task": []}) == [("missing_field", ""), ("unknown_field", "/task")]


def test_one_task_by_itself_is_recognised() -> None:
    problem = only_problem({"id": "a", "executor": "noop", "inputs": {}})

    assert (problem.code, problem.hint) == ("not_an_array", "put it in [ ]")


@pytest.mark.parametrize("tasks", [1, "a", None, {}, True])
def test_tasks_is_an_array(tasks: object) -> None:
    assert codes({"tasks": tasks}) == [("not_an_array", "/tasks")]


def test_an_array_without_a_task_is_refused() -> None:
    assert codes([]) == [("empty_array", "")]
    assert codes({"tasks": []}) == [("empty_array", "/tasks")]
    assert codes(" [ ] ") == [("empty_array", "")]


@pytest.mark.parametrize(
    ("field", "value", "code", "pointer"),
    [
        ("name", 1, "wrong_type", "/name"),
        ("name", "", "invalid_value", "/name"),
        ("name", "n" * 256, "name_too_long", "/name"),
        ("name", "a\0", "invalid_value", "/name"),
        ("user_id", 1, "wrong_type", "/user_id"),
        ("idempotency_key", "", "invalid_value", "/idempotency_key"),
        ("idempotency_key", "k" * 256, "out_of_range", "/idempotency_key"),
        ("idempotency_key", None, "wrong_type", "/idempotency_key"),
        ("strict_priority", 1, "wrong_type", "/strict_priority"),
        ("metadata", [], "wrong_type", "/metadata"),
        ("$schema", 1, "wrong_type", "/$schema"),
        ("description", "x", "unknown_field", "/description"),
        ("strict_priorty", True, "unknown_field", "/strict_priorty"),
        ("defaults", [], "wrong_type", "/defaults"),
        ("defaults", {"id": "a"}, "unknown_field", "/defaults/id"),
        ("defaults", {"name": "a"}, "unknown_field", "/defaults/name"),
        ("defaults", {"parent_id": "a"}, "unknown_field", "/defaults/parent_id"),
        ("defaults", {"dependencies": []}, "unknown_field", "/defaults/dependencies"),
        ("defaults", {"hold": 1}, "wrong_type", "/defaults/hold"),
        ("defaults", {"priority": -1}, "out_of_range", "/defaults/priority"),
        ("defaults", {"retry": {"limit": "x"}}, "wrong_type", "/defaults/retry/limit"),
        ("defaults", {"timeout": "x"}, "invalid_value", "/defaults/timeout"),
        ("defaults", {"executor": "nope"}, "unknown_executor", "/defaults/executor"),
        ("defaults", {"inputs": {"x": "{{ tasks.a"}}, "invalid_expression", "/defaults/inputs/x"),
        ("defaults", {"params": {"$secret": "s"}}, "unknown_secret", "/defaults/params/$secret"),
        ("defaults", {"params": {"executor_id": 1}}, "wrong_type", "/defaults/params/executor_id"),
    ],
)
def test_the_envelope_refuses_what_it_does_not_take(
    field: str, value: Any, code: str, pointer: str
) -> None:
    problem = only_problem({field: value, "tasks": _TASKS})

    assert (problem.code.value, problem.pointer) == (code, pointer)


def test_the_envelope_s_own_fields_are_kept() -> None:
    array = accepted(
        '{"$schema":"x","name":"nightly","user_id":"u","idempotency_key":"k",'
        '"strict_priority":true,"metadata":{"m": 1},"x-mine":[ ],'
        '"tasks":[{"id":"a","executor":"noop"}]}'
    )

    assert (array.name, array.user_id, array.idempotency_key) == ("nightly", "u", "k")
    assert array.strict_priority
    assert array.other == b'{"metadata":{"m": 1},"x-mine":[ ]}'


def test_a_bare_array_has_no_fields_of_an_envelope() -> None:
    array = accepted(_TASKS)

    assert (array.name, array.user_id, array.idempotency_key, array.other) == (None,) * 4
    assert not array.strict_priority


def test_tasks_may_stand_anywhere_among_the_fields() -> None:
    document = '{"name":"n","tasks":[{"id":"a"}],"defaults":{"executor":"noop"}}'

    assert specs(document)[0].executor == "noop"


def test_a_task_s_own_value_wins_over_a_default() -> None:
    defaults = {
        "executor": "command",
        "priority": 7,
        "join": "any",
        "allow_failure": True,
        "retry": 3,
        "timeout": "1m",
        "not_before": "1970-01-01T00:00:01Z",
        "hold": True,
        "delivery": "at_most_once",
        "description": "default",
        "metadata": {"d": 1},
        "user_id": "u",
        "x-a": 1,
    }
    own = {
        "executor": "noop",
        "priority": 0,
        "join": "all",
        "allow_failure": False,
        "retry": 0,
        "timeout": None,
        "not_before": "1970-01-01T00:00:02Z",
        "hold": False,
        "delivery": "at_least_once",
        "description": "own",
        "metadata": {"o": 1},
        "user_id": None,
        "x-a": 2,
    }
    script = {"script": "true"}
    with_default, with_own = specs(
        {"defaults": defaults, "tasks": [{"id": "a", "inputs": script}, {"id": "b", **own}]}
    )

    assert (with_default.executor, with_own.executor) == ("command", "noop")
    assert (with_default.priority, with_own.priority) == (7, 0)
    assert (with_default.join, with_own.join) == (Join.ANY, Join.ALL)
    assert (with_default.allow_failure, with_own.allow_failure) == (True, False)
    assert (with_default.retry, with_own.retry) == (RetryPolicy(limit=3), None)
    assert (with_default.timeout_seconds, with_own.timeout_seconds) == (60, None)
    assert (with_default.not_before_micros, with_own.not_before_micros) == (1_000_000, 2_000_000)
    assert (with_default.hold, with_own.hold) == (True, False)
    assert (with_default.delivery, with_own.delivery) == (
        Delivery.AT_MOST_ONCE,
        Delivery.AT_LEAST_ONCE,
    )
    assert json.loads(with_default.other or b"") == {
        "description": "default",
        "metadata": {"d": 1},
        "user_id": "u",
        "not_before": "1970-01-01T00:00:01Z",
        "x-a": 1,
    }
    assert json.loads(with_own.other or b"") == {
        "description": "own",
        "metadata": {"o": 1},
        "user_id": None,
        "not_before": "1970-01-01T00:00:02Z",
        "x-a": 2,
    }


def test_inputs_and_params_merge_one_level_deep() -> None:
    defaults = {
        "inputs": {"a": {"x": 1}, "b": 2},
        "params": {"p": {"x": 1}, "q": 2},
        "executor": "noop",
    }
    own, without = specs(
        {
            "defaults": defaults,
            "tasks": [
                {"id": "a", "inputs": {"a": {"y": 1}, "c": 3}, "params": {"p": []}},
                {"id": "b"},
            ],
        }
    )

    assert json.loads(own.inputs or b"") == {"a": {"y": 1}, "b": 2, "c": 3}
    assert json.loads(own.params or b"") == {"p": [], "q": 2}
    assert json.loads(without.inputs or b"") == defaults["inputs"]
    assert json.loads(without.params or b"") == defaults["params"]


@pytest.mark.parametrize(
    ("defaults", "task", "executor"),
    [
        ({}, {"executor": "noop"}, "noop"),
        ({}, {"executor": "noop", "params": {"executor_id": "command"}}, "noop"),
        ({}, {"params": {"executor_id": "noop"}, "schemas": {"method": "command"}}, "noop"),
        ({}, {"schemas": {"method": "noop"}, "name": "command"}, "noop"),
        ({}, {"name": "noop"}, "noop"),
        ({}, {"id": "noop"}, "noop"),
        ({}, {"id": "command", "name": "noop"}, "noop"),
        ({"executor": "noop"}, {"name": "command"}, "noop"),
        ({"executor": "noop"}, {"executor": "command"}, "command"),
        ({"executor": "noop"}, {"params": {"executor_id": "command"}}, "command"),
        ({"executor": "noop"}, {"schemas": {"method": "command"}}, "command"),
        ({"params": {"executor_id": "noop"}}, {"name": "command"}, "noop"),
        ({"params": {"executor_id": "noop"}}, {"schemas": {"method": "command"}}, "command"),
        ({"params": {"executor_id": "noop"}}, {"params": {"x": 1}}, "noop"),
        ({"schemas": {"method": "noop"}}, {"name": "command"}, "noop"),
        ({"schemas": {"method": "noop"}}, {"name": "command", "schemas": {}}, "command"),
        ({"executor": "noop", "params": {"executor_id": "command"}}, {}, "noop"),
    ],
)
def test_the_executor_is_the_first_that_is_named(
    defaults: dict[str, Any], task: dict[str, Any], executor: str
) -> None:
    named = {"id": "a", **task} if "name" not in task and "id" not in task else task

    assert specs({"defaults": defaults, "tasks": [named]})[0].executor == executor


@pytest.mark.parametrize(
    ("task", "pointer"),
    [
        ({"id": "a", "executor": "nope"}, "/tasks/0/executor"),
        ({"id": "a", "params": {"executor_id": "nope"}}, "/tasks/0/params/executor_id"),
        ({"id": "a", "schemas": {"method": "nope"}}, "/tasks/0/schemas/method"),
        ({"id": "a", "name": "Nope"}, "/tasks/0/name"),
        ({"id": "a"}, "/tasks/0/id"),
    ],
)
def test_an_unknown_executor_is_reported_where_it_is_named(
    task: dict[str, Any], pointer: str
) -> None:
    assert codes({"tasks": [task]}) == [("unknown_executor", pointer)]


def test_an_unknown_default_executor_is_reported_once() -> None:
    tasks = [{"id": f"t{number}"} for number in range(50)]

    assert codes({"defaults": {"executor": "commnd"}, "tasks": tasks}) == [
        ("unknown_executor", "/defaults/executor")
    ]


def test_an_unknown_executor_has_the_nearest_name_as_its_hint() -> None:
    assert only_problem([{"id": "a", "executor": "comand"}]).hint == 'did you mean "command"?'
    assert only_problem([{"id": "a", "executor": "zzz"}]).hint == "there are: command, noop"


@pytest.mark.parametrize("value", [1, "", None])
def test_an_executor_id_that_is_no_name_is_an_error(value: object) -> None:
    [(code, pointer)] = codes([{"id": "a", "params": {"executor_id": value}}])

    assert (code, pointer) == (
        "invalid_value" if value == "" else "wrong_type",
        "/0/params/executor_id",
    )


def test_near_misses_of_expressions_are_warnings() -> None:
    array = accepted(
        {
            "defaults": {"executor": "noop", "inputs": {"a": "{{ steps.x }}"}},
            "tasks": [{"id": "a", "inputs": {"b": ["{{task.y}}", "{{ x }}"]}}],
        }
    )

    assert [(warning.code.value, warning.pointer) for warning in array.warnings] == [
        ("invalid_expression", "/defaults/inputs/a"),
        ("invalid_expression", "/tasks/0/inputs/b/0"),
    ]


def test_a_rejected_array_has_its_warnings_too() -> None:
    result = check([{"id": "a", "executor": "nope", "inputs": {"b": "{{task.y}}"}}])

    assert [warning.pointer for warning in result.warnings] == ["/0/inputs/b"]
