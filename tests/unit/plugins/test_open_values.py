"""What an executor says of inputs in which expressions stand, and which of them are code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxd.executors.command import Command
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.executor_check import executor_problem
from inboxd.plugins.protocol import InputProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.plugins.protocol import TaskContext

OPEN = "{{ tasks.a.result }}"


class Query:
    """Runs what stands in `sql`; its own check finds what it is told to find."""

    name = "query"
    description = "Runs a query."
    inputs_schema: Mapping[str, Any] | None = {
        "properties": {"sql": {"type": "string"}, "rows": {"type": "integer"}},
        "additionalProperties": False,
    }
    isolation = "thread"
    code_inputs: Any = ("sql",)

    def __init__(self, *found: InputProblem) -> None:
        self.found = found
        self.asked = 0

    def input_problems(self, inputs: dict[str, Any]) -> list[InputProblem]:
        self.asked += 1
        return list(self.found)

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> None:
        del inputs, context


def found(executor: Query, inputs: dict[str, Any], *open_at: tuple[str | int, ...]) -> list[str]:
    """Return the messages of what is wrong."""
    catalog = ExecutorCatalog({"query": executor})
    return [one.message for one in catalog.input_problems("query", inputs, open_at=open_at)]


def test_an_executor_names_the_inputs_that_are_code() -> None:
    assert ExecutorCatalog({"query": Query()}).code_places("query", {}) == [("sql",)]


def test_an_executor_may_look_for_code_besides() -> None:
    catalog = ExecutorCatalog({"command": Command()})

    assert catalog.code_places("command", {"argv": ["sh", "-c", "x"]}) == [("script",), ("argv", 2)]


def test_an_executor_that_says_nothing_has_no_code() -> None:
    executor = Query()
    executor.code_inputs = ()

    assert ExecutorCatalog({"query": executor}).code_places("query", {"sql": "x"}) == []


@pytest.mark.parametrize("wrong", ["sql", [1], {"sql": True}, None])
def test_code_inputs_are_names(wrong: object) -> None:
    executor = Query()
    executor.code_inputs = wrong
    problem = executor_problem(executor)

    assert problem is not None
    assert problem.startswith('executor "query": code_inputs is a list of names, not ')


@pytest.mark.parametrize(
    ("problem", "counts"),
    [
        (InputProblem(path=("sql",), message="of a part that is known"), True),
        (InputProblem(path=("rows",), message="of the value itself"), False),
        (InputProblem(path=("rows", "x"), message="of a part of the value"), False),
        (InputProblem(path=(), message="of all together"), False),
        (InputProblem(path=("z",), message="of a key", at_key=True), True),
        (InputProblem(path=(), message="of what is missing", whatever_values=True), True),
    ],
)
def test_what_may_depend_on_an_open_value_does_not_count(
    problem: InputProblem, counts: bool
) -> None:
    messages = found(Query(problem), {"sql": "x"}, ("rows",))

    assert messages == ([problem.message] if counts else [])


def test_an_executor_s_own_check_is_made_only_of_what_fits_its_schema() -> None:
    executor = Query(InputProblem(message="anything"))

    assert found(executor, {"sql": "x", "rows": OPEN}, ("rows",)) == []
    assert executor.asked == 0


def test_a_misspelt_key_is_found_beside_an_open_value() -> None:
    assert found(Query(), {"rows": OPEN, "sqll": "x"}, ("rows",)) == ['"sqll" is not taken']


def test_a_command_without_program_is_found_beside_an_open_value() -> None:
    problems = ExecutorCatalog({"command": Command()}).input_problems(
        "command", {"env": {"X": OPEN}}, open_at=[("env", "X")]
    )

    assert [one.message for one in problems] == ["one of argv and script is needed"]
