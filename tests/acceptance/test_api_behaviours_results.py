"""What tasks return, and how it reaches the tasks after them, through the Python API."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import TaskStatus, create_session, executor

from .api_trees import ended_as, ran, start_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd import Session

#: `max_result_bytes` of the session: small, so that a result that is too large is quickly made.
MOST_BYTES = 100_000


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with create_session(max_result_bytes=MOST_BYTES) as session:
        yield session


#: What `behave-give` returns: any object of Python, of JSON or not.
GIVEN: list[Any] = [None]


@executor("behave-give")
async def give(inputs: dict[str, Any], context: Any) -> Any:
    return GIVEN[0]


#: Of several planes, what JSON escapes, what reorders text, and what looks like our expressions.
UNICODE = 'é ß 漢字 🎉 \u202e\u200b \x00\x1f\x7f "\\/ {{ tasks.a.result }} {{{{ \U0010fffd'


@pytest.mark.parametrize(
    "value",
    [
        None,
        False,
        0,
        "",
        [],
        {},
        -0.5,
        1e308,
        2**63,
        -(2**70),
        UNICODE,
        {UNICODE: [UNICODE, None, {"": []}]},
        "x" * (MOST_BYTES - 2),
    ],
    ids=lambda value: repr(value)[:20].encode("unicode_escape").decode(),
)
def test_a_result_comes_through_as_it_was(session: Session, value: Any) -> None:
    """Expected: equal and of the same type in the handle, the context and the inputs."""
    GIVEN[0] = value
    tasks = ran(
        session,
        {"id": "a", "executor": "behave-give"},
        {
            "id": "b",
            "executor": "behave-look",
            "dependencies": ["a"],
            "inputs": {"whole": "{{ tasks.a.result }}", "text": "<{{ tasks.a.status }}>"},
        },
    )

    assert ended_as(tasks["a"]) == ("completed", None, None)
    assert (tasks["a"].result, type(tasks["a"].result)) == (value, type(value))
    assert ended_as(tasks["b"]) == ("completed", None, None)
    assert {
        "dependencies": {"a": value},
        "inputs": {"whole": value, "text": "<completed>"},
    } == LOOKED
    assert type(LOOKED["inputs"]["whole"]) is type(value)


#: What reached the last attempt of `behave-look`.
LOOKED: dict[str, Any] = {}


@executor("behave-look")
async def look(inputs: dict[str, Any], context: Any) -> None:
    LOOKED.clear()
    LOOKED.update(dependencies=dict(context.dependencies), inputs=inputs)


def test_a_result_of_none_blocks_nobody(session: Session) -> None:
    """Expected: a line of three and a join run, each given None by those before."""
    tasks = ran(
        session,
        {"id": "a"},
        {"id": "b", "dependencies": ["a"]},
        {"id": "c", "executor": "behave-read", "dependencies": ["a", "b"]},
    )

    assert start_order(tasks) == ["a", "b", "c"]
    assert tasks["a"].result is None
    assert tasks["c"].result["dependencies"] == {"a": None, "b": None}


def test_expressions_take_a_result_apart(session: Session) -> None:
    """Expected: values with their types alone, as text within text, null where nothing is."""
    page = {"items": [{"url": "http://x/é", "size": 3}, {"url": "y", "size": 4}], "more": True}
    tasks = ran(
        session,
        {"id": "a.b:c-d", "executor": "behave-answer", "inputs": {"value": page}},
        {
            "id": "e",
            "executor": "behave-read",
            "dependencies": ["a.b:c-d"],
            "inputs": {
                "url": "{{ tasks.a.b:c-d.result.items[0].url }}",
                "sizes": "{{tasks.a.b:c-d.result.items[*].size}}",
                "sum": "{{ tasks.a.b:c-d.result.sum(items[*].size) }}",
                "text": "get {{ tasks.a.b:c-d.result.items[0] }}, more: "
                "{{ tasks.a.b:c-d.result.more }}",
                "nothing": "{{ tasks.a.b:c-d.result.items[9].url }}",
                "plain": "{{ nothing.of.ours }}",
                "literal": "{{{{ tasks.a.b:c-d.result }}",
            },
        },
    )

    assert tasks["e"].result["inputs"] == {
        "url": "http://x/é",
        "sizes": [3, 4],
        "sum": 7,
        "text": 'get {"url":"http://x/é","size":3}, more: true',
        "nothing": None,
        "plain": "{{ nothing.of.ours }}",
        "literal": "{{ tasks.a.b:c-d.result }}",
    }


def test_a_fallback_reads_the_error_and_no_result_of_its_primary(session: Session) -> None:
    """Expected: `.result` null, `.status` and `.error` of the one that failed."""
    tasks = ran(
        session,
        {"id": "a", "executor": "behave-refuse", "inputs": {"message": "no more paper"}},
        {
            "id": "b",
            "executor": "behave-read",
            "dependencies": [{"id": "a", "on": "failure"}],
            "inputs": {
                "result": "{{ tasks.a.result }}",
                "status": "{{ tasks.a.status }}",
                "code": "{{ tasks.a.error.code }}",
                "message": "it said: {{ tasks.a.error.message }}",
            },
        },
    )

    assert tasks["b"].result == {
        "dependencies": {"a": None},
        "inputs": {
            "result": None,
            "status": "failed",
            "code": "exception",
            "message": "it said: no more paper",
        },
    }


def test_the_result_of_a_dependency_of_a_dependency_is_read_by_expression(
    session: Session,
) -> None:
    """Expected: the expression reaches it; the context has what the task itself depends on."""
    tasks = ran(
        session,
        {"id": "a", "executor": "behave-answer", "inputs": {"value": 7}},
        {"id": "b", "dependencies": ["a"]},
        {
            "id": "c",
            "executor": "behave-read",
            "dependencies": ["b"],
            "inputs": {"far": "{{ tasks.a.result }}"},
        },
    )

    assert tasks["c"].result == {"inputs": {"far": 7}, "dependencies": {"b": None}}


def test_the_context_knows_a_dependency_by_its_name_too(session: Session) -> None:
    """Expected: by id and by name the same value; keys are the ids."""
    seen: list[Any] = []

    @executor("behave-by-name")
    async def by_name(inputs: dict[str, Any], context: Any) -> None:
        seen.append((sorted(context.dependencies), context.dependencies["the first"]))

    ran(
        session,
        {"id": "a", "name": "the first", "executor": "behave-answer", "inputs": {"value": 1}},
        {"id": "b", "executor": "behave-by-name", "dependencies": ["the first"]},
    )

    assert seen == [(["a"], 1)]


def test_a_hundred_results_meet_in_one_task(session: Session) -> None:
    """Expected: all of them, each under its id."""
    several = [
        {"id": f"t{number}", "executor": "behave-answer", "inputs": {"value": number}}
        for number in range(100)
    ]
    tasks = ran(
        session,
        *several,
        {
            "id": "all",
            "executor": "behave-read",
            "dependencies": [task["id"] for task in several],
        },
    )

    assert tasks["all"].result["dependencies"] == {f"t{number}": number for number in range(100)}


# What is no result -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [
        ("x" * (MOST_BYTES - 1), "result_too_large", "100,000"),
        (float("nan"), "invalid_result", "NaN"),
        ([1, {"x": float("inf")}], "invalid_result", "at [1].x"),
        ({1, 2}, "invalid_result", "set"),
        (object(), "invalid_result", "object"),
        ({1: 2}, "invalid_result", "key 1"),
        ("\ud800", "invalid_result", "surrogate"),
    ],
    ids=["large", "nan", "inf", "set", "object", "int key", "surrogate"],
)
def test_what_is_no_json_fails_the_task_and_not_the_session(
    session: Session, value: Any, code: str, said: str
) -> None:
    """Expected: `failed` with the code beside each; its dependant is skipped; others go on."""
    GIVEN[0] = value
    tasks = ran(
        session,
        {"id": "a", "executor": "behave-give"},
        {"id": "b", "dependencies": ["a"]},
        {"id": "c"},
    )

    assert ended_as(tasks["a"]) == ("failed", code, None)
    assert tasks["a"].error is not None
    assert said in tasks["a"].error.message
    assert tasks["a"].result is None
    assert ended_as(tasks["b"]) == ("skipped", "dependency_failed", "a")
    assert ended_as(tasks["c"]) == ("completed", None, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        (datetime(2026, 11, 24, 10, tzinfo=UTC), "2026-11-24T10:00:00Z"),
        (OrderedDict(b=1, a=None), {"b": 1, "a": None}),
        (TaskStatus.FAILED, "failed"),
    ],
)
def test_what_python_has_besides_becomes_the_json_that_says_the_same(
    session: Session, value: Any, expected: Any
) -> None:
    """Expected: what stands beside each, of the types that JSON has."""
    GIVEN[0] = value
    task = ran(session, {"id": "a", "executor": "behave-give"})["a"]

    assert ended_as(task) == ("completed", None, None)
    assert (task.result, type(task.result)) == (expected, type(expected))


def test_inputs_that_do_not_fit_when_they_are_filled_in_are_not_tried_again(
    session: Session,
) -> None:
    """Expected: `failed` with `invalid_inputs`, one attempt in spite of its retries."""
    tasks = ran(
        session,
        {"id": "a", "executor": "behave-answer", "inputs": {"value": "no number"}},
        {
            "id": "b",
            "executor": "behave-answer",
            "dependencies": ["a"],
            "inputs": {"value": "{{ tasks.a.result }}"},
            "schemas": {"input_schema": {"properties": {"value": {"type": "integer"}}}},
            "retry": 3,
        },
    )

    assert ended_as(tasks["b"]) == ("failed", "invalid_inputs", None)
    assert tasks["b"].attempts == 1


def test_an_expression_that_cannot_be_evaluated_fails_its_task(session: Session) -> None:
    """Expected: `unresolved_reference`, one attempt in spite of its retries."""
    tasks = ran(
        session,
        {"id": "a", "executor": "behave-answer", "inputs": {"value": "no number"}},
        {
            "id": "b",
            "dependencies": ["a"],
            "inputs": {"value": "{{ tasks.a.result.abs(@) }}"},
            "retry": 3,
        },
    )

    assert ended_as(tasks["b"]) == ("failed", "unresolved_reference", None)
    assert tasks["b"].attempts == 1


def test_what_an_executor_does_to_its_inputs_stays_with_the_attempt(session: Session) -> None:
    """Expected: the second attempt, and the handle, have the inputs as they were given."""
    seen: list[Any] = []

    @executor("behave-spoil")
    async def spoil(inputs: dict[str, Any], context: Any) -> None:
        seen.append(list(inputs["list"]))
        inputs["list"].append("spoilt")
        raise RuntimeError("again")

    given = {"list": [1]}
    tasks = ran(
        session,
        {
            "id": "a",
            "executor": "behave-spoil",
            "inputs": given,
            "retry": {"limit": 1, "delay": 0},
        },
    )

    assert seen == [[1], [1]]
    assert tasks["a"].inputs == {"list": [1]} == given
