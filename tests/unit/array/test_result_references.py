"""Expressions at intake: what must be there, must come before, and must not become code."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from inboxd.array import CheckedArray, Problem, RejectedArray, check_array
from inboxd.executors.command import Command
from inboxd.executors.noop import Noop
from inboxd.plugins.catalog import ExecutorCatalog

CATALOG = ExecutorCatalog({"command": Command(), "noop": Noop()})


def check(document: object) -> CheckedArray | RejectedArray:
    """Check a document with the built-in executors."""
    return check_array(msgspec.json.encode(document), catalog=CATALOG)


def problems(document: object) -> list[Problem]:
    """Return what is wrong with a document; empty for an accepted one."""
    result = check(document)
    return result.problems if isinstance(result, RejectedArray) else []


def codes(document: object) -> list[tuple[str, str]]:
    """Return (code, pointer) of each problem."""
    return [(one.code.value, one.pointer) for one in problems(document)]


def reads(document: object) -> dict[str, Any]:
    """Return what each task of an accepted document reads; None for one that reads nothing."""
    result = check(document)
    assert isinstance(result, CheckedArray), [str(one) for one in result.problems]
    return {
        spec.id: None if spec.reads is None else msgspec.json.decode(spec.reads)
        for spec in result.specs()
    }


def task(task_id: str, *before: str, **inputs: object) -> dict[str, Any]:
    """Return a `noop` task that depends on those *before*."""
    return {"id": task_id, "executor": "noop", "dependencies": list(before), "inputs": inputs}


def test_a_task_reads_those_that_come_before() -> None:
    tasks = [
        task("a"),
        task("b", "a", x="{{ tasks.a.result }}"),
        task("c", "b", x=["{{ tasks.b.status }}", {"y": "<{{ tasks.a.error.message }}>"}]),
        task("d", "c", x="plain {{ x }}"),
        task("e", "c", x="{{{{ tasks.a.result }}"),
    ]

    assert reads(tasks) == {"a": None, "b": {"a": 0}, "c": {"b": 1, "a": 0}, "d": None, "e": {}}


def test_an_expression_written_by_escapes_is_one() -> None:
    text = (
        r'[{"id":"a","executor":"noop"},{"id":"b","executor":"noop","dependencies":["a"],'
        r'"inputs":{"x":"\u007b{ t\u0061sks.a.result }}"}}]'
    )
    result = check_array(text.encode(), catalog=CATALOG)
    assert isinstance(result, CheckedArray)

    assert [spec.reads for spec in result.specs()] == [None, b'{"a":0}']


#: As long as an id may be, and alike, so that each hint takes its time.
_LONG_NAMES = ["a." * 55 + f"{number:010d}" for number in range(20_000)]


@pytest.mark.parametrize(
    ("suffix", "dependencies", "code"),
    [
        ("", _LONG_NAMES, None),
        ("", [], "unknown_reference"),
        ("z", [], "unknown_reference"),
    ],
)
def test_references_to_many_long_names_are_checked_at_once(
    suffix: str, dependencies: list[str], code: str | None
) -> None:
    expressions = [f"{{{{ tasks.{name}{suffix}.result }}}}" for name in _LONG_NAMES]
    tasks = [*(task(name) for name in _LONG_NAMES), task("z", *dependencies, x=expressions)]
    started = time.process_time()
    found = problems(tasks)

    assert {one.code.value for one in found} == ({code} if code else set())
    # Some seconds; hours when each of them is compared with all the others.
    assert time.process_time() - started < 40


def test_a_name_that_one_task_has_will_do() -> None:
    tasks = [
        {"id": "a", "name": "the {first}} one", "executor": "noop"},
        task("b", "a", x="{{ tasks.the {first}} one.result }}"),
    ]

    assert reads(tasks)["b"] == {"the {first}} one": 0}


def test_the_longest_reference_that_names_a_task_wins() -> None:
    tasks = [
        task("a"),
        task("a.result"),
        task("b", "a", "a.result", x="{{ tasks.a.result.result }} {{ tasks.a.result }}"),
    ]

    assert reads(tasks)["b"] == {"a.result": 1, "a": 0}


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        (
            "{{ tasks.fetc.result }}",
            "unknown_reference",
            'no task "fetc" in this file',
            'did you mean "fetch"?',
        ),
        (
            "{{ tasks.other.result }}",
            "unknown_reference",
            '"other" is no dependency of this task, so it need not have ended before',
            'add "other" to `dependencies`',
        ),
        (
            "{{ tasks.use.result }}",
            "unknown_reference",
            '"use" is the task itself, which has no result before it ran',
            "a task reads what others gave",
        ),
        (
            "{{ tasks.twin.result }}",
            "ambiguous_reference",
            '2 tasks are named "twin": /3, /4',
            "refer to one by its id",
        ),
        (
            "{{ tasks.fetch }}",
            "invalid_expression",
            '"{{ tasks.fetch }}": it does not say what it reads of the task',
            "write {{ tasks.fetch.result }}, or .status or .error",
        ),
        (
            "{{ tasks.fetch.result.a..b }}",
            "invalid_expression",
            '"{{ tasks.fetch.result.a..b }}": what follows .result is no JMESPath expression:'
            " at character 4, .: Expecting: ['quoted_identifier', 'unquoted_identifier',"
            " 'lbracket', 'lbrace'], got: dot",
            "https://jmespath.org shows how one is written",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(
    text: str, code: str, message: str, hint: str
) -> None:
    tasks = [
        task("fetch"),
        task("use", "fetch", x=["", text]),
        task("other"),
        {"id": "t1", "name": "twin", "executor": "noop"},
        {"id": "t2", "name": "twin", "executor": "noop"},
    ]
    (problem,) = problems(tasks)

    assert (problem.code.value, problem.pointer, problem.message, problem.hint) == (
        code,
        "/1/inputs/x/1",
        message,
        hint,
    )


def test_a_dependant_is_no_dependency() -> None:
    tasks = [task("a", x="{{ tasks.b.result }}"), task("b", "a")]

    assert codes(tasks) == [("unknown_reference", "/0/inputs/x")]


def test_a_dependency_of_any_kind_will_do() -> None:
    tasks = [
        task("a"),
        {
            "id": "b",
            "executor": "noop",
            "join": "any",
            "dependencies": [{"id": "a", "on": "failure"}],
            "inputs": {"x": "{{ tasks.a.error }}"},
        },
    ]

    assert codes(tasks) == []


def test_all_are_reported_with_what_else_is_wrong() -> None:
    tasks = [
        task("a", x="{{ tasks.nope.result }} {{ tasks.a.result[ }}"),
        {"id": "b", "executor": "nobody", "inputs": {"x": "{{ tasks.a.result }}"}},
    ]

    assert codes(tasks) == [
        ("unknown_reference", "/0/inputs/x"),
        ("invalid_expression", "/0/inputs/x"),
        ("unknown_executor", "/1/executor"),
        ("unknown_reference", "/1/inputs/x"),
    ]


def test_a_misspelt_dependency_is_reported_once() -> None:
    tasks = [task("fetch"), task("use", "fetc", x="{{ tasks.fetch.result }}")]

    assert codes(tasks) == [("unknown_reference", "/1/dependencies/0")]


def test_a_circle_is_reported_without_what_follows_from_it() -> None:
    tasks = [task("a", "b", x="{{ tasks.b.result }}"), task("b", "a", x="{{ tasks.c.result }}")]
    tasks.append(task("c"))

    assert codes(tasks) == [("dependency_cycle", "/0/dependencies")]


def test_defaults_are_checked_for_each_task_that_has_them() -> None:
    document = {
        "defaults": {"executor": "noop", "inputs": {"x": "{{ tasks.a.result }}"}},
        "tasks": [
            {"id": "a"},
            {"id": "b", "dependencies": ["a"]},
            {"id": "c"},
            {"id": "d", "inputs": {"x": 1}},
        ],
    }
    found = problems(document)

    assert [(one.pointer, one.message) for one in found] == [
        ("/defaults/inputs/x", '"a" has this by default, and cannot read its own result'),
        (
            "/defaults/inputs/x",
            '"a" is no dependency of task "c", which has this by default, so it need not have'
            " ended before",
        ),
    ]


def test_a_task_without_inputs_reads_by_default() -> None:
    document = {
        "defaults": {"executor": "noop", "inputs": {"x": "{{ tasks.a.result }}", "y": 1}},
        "tasks": [
            {"id": "a", "inputs": {"x": None}},
            {"id": "b", "dependencies": ["a"]},
            {"id": "c", "dependencies": ["a"], "inputs": {"y": 2}},
        ],
    }

    assert reads(document) == {"a": None, "b": {"a": 0}, "c": {"a": 0}}


@pytest.mark.parametrize(
    ("inputs", "pointer"),
    [
        ({"script": "echo {{ tasks.a.result }}"}, "/1/inputs/script"),
        ({"argv": ["sh", "-c", "echo {{ tasks.a.result }}"]}, "/1/inputs/argv/2"),
        ({"argv": ["env", "X=1", "/bin/bash", "-ec", "{{ tasks.a.result }}"]}, "/1/inputs/argv/4"),
        ({"argv": ["python3", "-c", "print('{{ tasks.a.result }}')"]}, "/1/inputs/argv/2"),
        ({"argv": ["sh", "-s"], "stdin": "{{ tasks.a.result }}"}, "/1/inputs/stdin"),
    ],
)
def test_no_expression_stands_where_its_value_would_become_code(
    inputs: dict[str, Any], pointer: str
) -> None:
    tasks = [
        task("a"),
        {"id": "b", "executor": "command", "dependencies": ["a"], "inputs": inputs},
    ]
    (problem,) = problems(tasks)

    assert (problem.code.value, problem.pointer) == ("invalid_expression", pointer)
    assert problem.hint == "pass it by `env`, and let the code read the variable"


@pytest.mark.parametrize(
    "inputs",
    [
        {"argv": ["echo", "{{ tasks.a.result }}"]},
        {"argv": ["sh", "-c", 'echo "$1"', "sh", "{{ tasks.a.result }}"]},
        {"argv": ["python3", "script.py", "-c", "{{ tasks.a.result }}"]},
        {"script": 'echo "$X"', "env": {"X": "{{ tasks.a.result }}"}},
        {"argv": ["cat"], "stdin": "{{ tasks.a.result }}"},
        {"argv": "{{ tasks.a.result }}"},
        {"script": "echo {{{{ x }}"},
    ],
)
def test_an_expression_may_stand_where_its_value_stays_data(inputs: dict[str, Any]) -> None:
    tasks = [
        task("a"),
        {"id": "b", "executor": "command", "dependencies": ["a"], "inputs": inputs},
    ]

    assert codes(tasks) == []


def test_keys_and_params_hold_no_expressions() -> None:
    tasks = [
        {
            "id": "a",
            "executor": "noop",
            "inputs": {"{{ tasks.nope.result }}": 1},
            "params": {"x": "{{ tasks.nope.result }}"},
        }
    ]
    result = check(tasks)
    assert isinstance(result, CheckedArray)

    assert [(one.code.value, one.pointer) for one in result.warnings] == [
        ("invalid_expression", "/0/params/x")
    ]


def test_a_dollar_before_the_braces_is_warned_of() -> None:
    tasks = [task("a"), task("b", "a", x="${{ tasks.a.result }}")]
    result = check(tasks)
    assert isinstance(result, CheckedArray)

    assert [str(one.message) for one in result.warnings] == [
        'the $ of "${{ tasks." stays in the text'
    ]


def test_more_mistakes_than_are_reported_are_counted() -> None:
    tasks = [task(f"t{n}", x="{{ tasks.nope.result }}") for n in range(2_000)]
    result = check(tasks)
    assert isinstance(result, RejectedArray)

    assert (len(result.problems), result.has_more) == (100, True)
