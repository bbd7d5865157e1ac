"""Each field of a task: what it takes, and what is said of what it does not take."""

from __future__ import annotations

from typing import Any

import pytest

from inboxd.task import Delivery, Join, RetryPolicy

from .checking import codes, only_problem, specs


def _task(**fields: Any) -> list[dict[str, Any]]:
    return [{"id": "a", "executor": "noop", **fields}]


@pytest.mark.parametrize(
    ("field", "value", "code", "pointer"),
    [
        ("id", 1, "wrong_type", "/0/id"),
        ("id", None, "wrong_type", "/0/id"),
        ("id", "", "invalid_id", "/0/id"),
        ("id", "-a", "invalid_id", "/0/id"),
        ("id", "a b", "invalid_id", "/0/id"),
        ("id", "a/b", "invalid_id", "/0/id"),
        ("id", "é", "invalid_id", "/0/id"),
        ("id", "a\nb", "invalid_id", "/0/id"),
        ("id", "a\n", "invalid_id", "/0/id"),
        ("id", "a\0b", "invalid_id", "/0/id"),
        ("id", "a" * 129, "invalid_id", "/0/id"),
        ("name", "", "invalid_value", "/0/name"),
        ("name", "n" * 256, "name_too_long", "/0/name"),
        ("name", "a\0b", "invalid_value", "/0/name"),
        ("name", 5, "wrong_type", "/0/name"),
        ("description", ["x"], "wrong_type", "/0/description"),
        ("metadata", "x", "wrong_type", "/0/metadata"),
        ("metadata", None, "wrong_type", "/0/metadata"),
        ("user_id", 7, "wrong_type", "/0/user_id"),
        ("parent_id", 7, "wrong_type", "/0/parent_id"),
        ("priority", -1, "out_of_range", "/0/priority"),
        ("priority", 1000, "out_of_range", "/0/priority"),
        ("priority", 10**99, "out_of_range", "/0/priority"),
        ("priority", "2", "wrong_type", "/0/priority"),
        ("priority", 2.0, "wrong_type", "/0/priority"),
        ("priority", True, "wrong_type", "/0/priority"),
        ("priority", None, "wrong_type", "/0/priority"),
        ("dependencies", "b", "wrong_type", "/0/dependencies"),
        ("dependencies", None, "wrong_type", "/0/dependencies"),
        ("dependencies", [1], "wrong_type", "/0/dependencies/0"),
        ("dependencies", [None], "wrong_type", "/0/dependencies/0"),
        ("join", "some", "invalid_value", "/0/join"),
        ("join", True, "wrong_type", "/0/join"),
        ("allow_failure", "true", "wrong_type", "/0/allow_failure"),
        ("allow_failure", 1, "wrong_type", "/0/allow_failure"),
        ("executor", "", "invalid_value", "/0/executor"),
        ("executor", 1, "wrong_type", "/0/executor"),
        ("inputs", [], "wrong_type", "/0/inputs"),
        ("inputs", None, "wrong_type", "/0/inputs"),
        ("params", "x", "wrong_type", "/0/params"),
        ("schemas", [], "wrong_type", "/0/schemas"),
        ("schemas", {"metod": "noop"}, "unknown_field", "/0/schemas/metod"),
        ("schemas", {"method": 1}, "wrong_type", "/0/schemas/method"),
        ("schemas", {"input_schema": "x"}, "wrong_type", "/0/schemas/input_schema"),
        ("retry", -1, "out_of_range", "/0/retry"),
        ("retry", True, "wrong_type", "/0/retry"),
        ("retry", 1.5, "wrong_type", "/0/retry"),
        ("retry", "3", "wrong_type", "/0/retry"),
        ("retry", None, "wrong_type", "/0/retry"),
        ("retry", 10**7, "out_of_range", "/0/retry"),
        ("retry", {"limits": 3}, "unknown_field", "/0/retry/limits"),
        ("retry", {"limit": -1}, "out_of_range", "/0/retry/limit"),
        ("retry", {"delay": "1x"}, "invalid_value", "/0/retry/delay"),
        ("retry", {"delay": -1}, "out_of_range", "/0/retry/delay"),
        ("retry", {"delay": None}, "wrong_type", "/0/retry/delay"),
        ("retry", {"backoff": 0.5}, "out_of_range", "/0/retry/backoff"),
        ("retry", {"backoff": "2"}, "wrong_type", "/0/retry/backoff"),
        ("retry", {"jitter": 1.1}, "out_of_range", "/0/retry/jitter"),
        ("retry", {"max_delay": "11 years"}, "invalid_value", "/0/retry/max_delay"),
        ("retry", {"delay": "10m", "max_delay": "5m"}, "conflicting_fields", "/0/retry/delay"),
        ("timeout", 0, "out_of_range", "/0/timeout"),
        ("timeout", -1, "out_of_range", "/0/timeout"),
        ("timeout", "0s", "out_of_range", "/0/timeout"),
        ("timeout", "ten minutes", "invalid_value", "/0/timeout"),
        ("timeout", "10", "invalid_value", "/0/timeout"),
        ("timeout", "", "invalid_value", "/0/timeout"),
        ("timeout", "-1s", "invalid_value", "/0/timeout"),
        ("timeout", "9999999d", "out_of_range", "/0/timeout"),
        ("timeout", 1e12, "out_of_range", "/0/timeout"),
        ("timeout", False, "wrong_type", "/0/timeout"),
        ("timeout", [1], "wrong_type", "/0/timeout"),
        ("not_before", "2026-11-24T10:00:00", "invalid_value", "/0/not_before"),
        ("not_before", "tomorrow", "invalid_value", "/0/not_before"),
        ("not_before", "", "invalid_value", "/0/not_before"),
        ("not_before", "2026-02-30T10:00:00Z", "invalid_value", "/0/not_before"),
        ("not_before", 1764000000, "wrong_type", "/0/not_before"),
        ("not_before", None, "wrong_type", "/0/not_before"),
        ("delivery", "exactly_once", "invalid_value", "/0/delivery"),
        ("delivery", 1, "wrong_type", "/0/delivery"),
        ("hold", "yes", "wrong_type", "/0/hold"),
        ("hold", None, "wrong_type", "/0/hold"),
        ("held", True, "unknown_field", "/0/held"),
        ("priorty", 1, "unknown_field", "/0/priorty"),
        ("X-upper", 1, "unknown_field", "/0/X-upper"),
        ("$schema", "x", "unknown_field", "/0/$schema"),
    ],
)
def test_a_field_refuses_what_it_does_not_take(
    field: str, value: Any, code: str, pointer: str
) -> None:
    problem = only_problem(_task(**{field: value}))

    assert (problem.code.value, problem.pointer) == (code, pointer)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "a" * 128},
        {"id": "A1._:-z"},
        {"id": "0"},
        {"name": "n" * 255},
        {"name": "日" * 255},
        {"description": "", "metadata": {}, "user_id": None, "parent_id": None},
        {"priority": 0},
        {"priority": 999},
        {"hold": True},
        {"hold": False},
        {"dependencies": []},
        {"timeout": None},
        {"timeout": 1},
        {"timeout": 0.25},
        {"timeout": "500ms"},
        {"retry": 0},
        {"retry": {}},
        {"retry": {"backoff": 1, "jitter": 0, "delay": 0, "max_delay": "0s"}},
        {"schemas": {}},
        {"schemas": {"input_schema": True}},
        {"not_before": "2026-11-24T10:00:00+05:30"},
        {"x-": 1, "x-anything at all": {"a": [1]}},
        {"inputs": {"{{": "{{ plain }} text", "secret": "$secret"}},
    ],
)
def test_a_field_takes_its_extremes(fields: dict[str, Any]) -> None:
    assert codes(_task(**fields)) == []


@pytest.mark.parametrize("item", [1, "a", None, [], True, 1.5])
def test_a_task_is_an_object(item: object) -> None:
    assert codes([item, {"id": "b", "executor": "noop"}]) == [("wrong_type", "/0")]


def test_a_task_needs_an_id_or_a_name() -> None:
    assert codes([{"executor": "noop"}]) == [("missing_field", "/0")]
    assert codes([{}]) == [("missing_field", "/0")]


def test_the_hint_for_an_unknown_field_is_the_nearest_known_one() -> None:
    assert only_problem(_task(priorty=1)).hint == 'did you mean "priority"?'
    assert only_problem(_task(Timeout=1)).hint == 'did you mean "timeout"?'
    assert only_problem(_task(zzz=1)).hint == "keys of your own begin with x-"


def test_an_unknown_field_is_pointed_at_by_its_key() -> None:
    problem = only_problem('[{"id":"a","executor":"noop", "prio" : 1}]')

    assert problem.column == 31


def test_a_task_without_optional_fields_has_the_defaults_of_the_contract() -> None:
    (spec,) = specs(_task())

    assert (spec.id, spec.name, spec.parent, spec.priority, spec.edges) == ("a", "a", None, 2, ())
    assert (spec.join, spec.allow_failure, spec.retry) == (Join.ALL, False, None)
    assert (spec.timeout_seconds, spec.not_before_micros) == (None, None)
    assert spec.delivery is Delivery.AT_LEAST_ONCE
    assert (spec.inputs, spec.params, spec.other) == (None, None, None)
    assert not spec.has_dependants


def test_every_field_reaches_the_spec() -> None:
    (spec,) = specs(
        '[{"id":"a","name":"A","description":"d","metadata":{"m":1},"user_id":"u","priority":0,'
        '"join":"any","allow_failure":true,"executor":"noop","inputs":{ "i" : 1.50 },'
        '"params":{"p":[]},"schemas":{"method":"x"},"retry":{"limit":3,"delay":"2s","backoff":3,'
        '"max_delay":60,"jitter":0.5},"timeout":"90s","not_before":"1970-01-01T00:00:01Z",'
        '"delivery":"at_most_once","x-mine":[1]}]'
    )

    assert (spec.id, spec.name, spec.priority, spec.join) == ("a", "A", 0, Join.ANY)
    assert (spec.allow_failure, spec.executor, spec.delivery) == (
        True,
        "noop",
        Delivery.AT_MOST_ONCE,
    )
    assert (spec.inputs, spec.params) == (b'{ "i" : 1.50 }', b'{"p":[]}')
    assert spec.retry == RetryPolicy(
        limit=3, delay_seconds=2, backoff=3, max_delay_seconds=60, jitter=0.5
    )
    assert (spec.timeout_seconds, spec.not_before_micros) == (90, 1_000_000)
    assert spec.other == (
        b'{"description":"d","metadata":{"m":1},"user_id":"u","schemas":{"method":"x"},'
        b'"not_before":"1970-01-01T00:00:01Z","x-mine":[1]}'
    )


@pytest.mark.parametrize(
    ("retry", "policy"),
    [
        (0, None),
        (3, RetryPolicy(limit=3)),
        ({}, None),
        ({"limit": 0, "delay": "9s"}, None),
        ({"limit": 2}, RetryPolicy(limit=2)),
        ({"limit": 2, "delay": "500ms"}, RetryPolicy(limit=2, delay_seconds=0.5)),
        (
            {"limit": 2, "delay": "10m"},
            RetryPolicy(limit=2, delay_seconds=600, max_delay_seconds=600),
        ),
    ],
)
def test_retry_is_a_number_or_an_object(retry: Any, policy: RetryPolicy | None) -> None:
    assert specs(_task(retry=retry))[0].retry == policy


def test_inputs_are_stored_as_they_were_written() -> None:
    written = '{"b": 1.0, "a":[1e2, "\\u00e9"],\n "c":{} }'
    (spec,) = specs(f'[{{"id":"a","executor":"noop","inputs":{written}}}]')

    assert spec.inputs == written.encode()


@pytest.mark.parametrize("empty", ["{}", "{ }", "{\n}"])
def test_empty_objects_are_stored_as_nothing(empty: str) -> None:
    (spec,) = specs(f'[{{"id":"a","executor":"noop","inputs":{empty},"params":{empty}}}]')

    assert (spec.inputs, spec.params) == (None, None)


@pytest.mark.parametrize("key", ["inputs", "params"])
@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"$secret": "token"}, "/$secret"),
        ({"env": {"T": {"$secret": "token"}}}, "/env/T/$secret"),
        ({"list": [1, {"$secret": 1}]}, "/list/1/$secret"),
    ],
)
def test_a_secret_is_an_error_until_there_are_secrets(key: str, value: Any, pointer: str) -> None:
    assert codes(_task(**{key: value})) == [("unknown_secret", f"/0/{key}{pointer}")]


def test_a_secret_whose_key_is_escaped_is_found() -> None:
    text = r'[{"id":"a","executor":"noop","inputs":{"x":{"\u0024secret":"t"}}}]'

    assert codes(text) == [("unknown_secret", "/0/inputs/x/$secret")]


def test_two_braces_are_plain_text_outside_of_inputs() -> None:
    text = "{{ tasks.a.result }}"

    assert codes(_task(params={"x": text}, metadata={"x": text}, description=text)) == []


def test_several_errors_of_one_task_come_in_the_order_of_the_file() -> None:
    text = '[{"retry":-1,"id":"a b","priority":true,"executor":"nope","timeout":"x","prio":1}]'

    assert codes(text) == [
        ("out_of_range", "/0/retry"),
        ("invalid_id", "/0/id"),
        ("wrong_type", "/0/priority"),
        ("unknown_executor", "/0/executor"),
        ("invalid_value", "/0/timeout"),
        ("unknown_field", "/0/prio"),
    ]
