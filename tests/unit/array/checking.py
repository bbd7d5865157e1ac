"""A catalog of two executors, and short ways to check an array against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.array import CheckedArray, Limits, RejectedArray, check_array
from inboxd.array.json_schema import compile_schema
from inboxd.task import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from inboxd.array import InputProblem, Problem
    from inboxd.array.catalog import InputPath
    from inboxd.task import TaskSpec

__all__ = ["CATALOG", "accepted", "check", "codes", "only_problem", "rejected", "specs"]

_COMMAND_INPUTS = {
    "type": "object",
    "properties": {
        "argv": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "script": {"type": "string"},
        "env": {"type": "object", "additionalProperties": {"type": "string"}},
        "stdout": {"enum": ["text", "json"]},
    },
    "additionalProperties": False,
}


class TwoExecutors:
    """`noop` takes any inputs, `command` has a schema."""

    def __init__(self) -> None:
        self._kinds = {"command": PlaceKind.PROCESS, "noop": PlaceKind.ASYNC}
        self._schema = compile_schema(_COMMAND_INPUTS)

    def kind_of(self, executor: str) -> PlaceKind | None:
        """Return the kind of place."""
        return self._kinds.get(executor)

    def names(self) -> Iterable[str]:
        """Return both names."""
        return self._kinds

    def wants_input_check(self, executor: str) -> bool:
        """Return whether it is `command`."""
        return executor == "command"

    def wants_params_check(self, executor: str) -> bool:
        return False

    def params_problems(self, executor: str, params: dict[str, Any]) -> Sequence[InputProblem]:
        return ()

    def input_problems(
        self, executor: str, inputs: dict[str, Any], *, open_at: Collection[InputPath] = ()
    ) -> Sequence[InputProblem]:
        """Return what `command` does not take; nothing else is ever asked for."""
        assert executor == "command"
        return self._schema.problems(inputs, open_at=open_at)

    def code_places(self, executor: str, inputs: dict[str, Any]) -> Sequence[InputPath]:
        """Return the script of `command`."""
        return [("script",)] if executor == "command" else []


CATALOG = TwoExecutors()


def check(document: object, **limits: int) -> CheckedArray | RejectedArray:
    """Check a document: bytes as they are, text as UTF-8, anything else encoded as JSON."""
    match document:
        case bytes():
            data = document
        case str():
            data = document.encode()
        case _:
            data = msgspec.json.encode(document)
    return check_array(data, limits=Limits(**limits), catalog=CATALOG)


def accepted(document: object, **limits: int) -> CheckedArray:
    """Check a document that must be accepted."""
    result = check(document, **limits)
    assert isinstance(result, CheckedArray), [str(problem) for problem in result.problems]
    return result


def rejected(document: object, **limits: int) -> list[Problem]:
    """Return the problems of a document that must be rejected."""
    result = check(document, **limits)
    assert isinstance(result, RejectedArray)
    return result.problems


def only_problem(document: object, **limits: int) -> Problem:
    """Return the one problem of a document."""
    problems = rejected(document, **limits)
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def codes(document: object, **limits: int) -> list[tuple[str, str]]:
    """Return (code, pointer) of each problem; empty for an accepted document."""
    result = check(document, **limits)
    if isinstance(result, CheckedArray):
        return []
    return [(problem.code.value, problem.pointer) for problem in result.problems]


def specs(document: object) -> list[TaskSpec]:
    """Return the tasks of a document that must be accepted."""
    return list(accepted(document).specs())
