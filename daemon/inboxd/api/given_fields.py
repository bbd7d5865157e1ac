"""The fields of one task as a program gives them: made JSON, and checked by every rule for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec

from inboxd.api.entry import references_of
from inboxd.api.problems import of_the_list
from inboxd.api.task import Task
from inboxd.array.check import RejectedArray
from inboxd.array.document import check_document
from inboxd.array.invalid import InvalidTaskArray
from inboxd.array.limits import Limits
from inboxd.array.problem import MOST_PROBLEMS, Problem, ProblemCode, pointer, quoted
from inboxd.clock import rfc3339
from inboxd.task import PlaceKind, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from inboxd.array.catalog import InputPath, InputProblem

__all__ = ["as_written", "checked"]

#: What one task by itself cannot tell.
_OF_THE_TREE = frozenset({ProblemCode.UNKNOWN_REFERENCE, ProblemCode.AMBIGUOUS_REFERENCE})
#: The fields that are durations, those of `retry` among them.
_DURATIONS = frozenset({"timeout", "delay", "max_delay"})
#: Wrong by itself only where a task names its own id: a name may be that of another task's id.
_OF_ITSELF = frozenset(
    {ProblemCode.SELF_DEPENDENCY, ProblemCode.DEPENDENCY_CYCLE, ProblemCode.PARENT_CYCLE}
)


def as_written(fields: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return fields as a task array has them, where a program has a type of its own for them.

    A task stands for its id, a `timedelta` for seconds, a `datetime` for its text, a mapping of
    whatever kind for an object.

    Args:
        fields: by name.
    """
    return {key: _written(key, value) for key, value in fields.items()}


def checked(
    task_id: str,
    document: Mapping[str, Any],
    *,
    extra: object = None,
    problems: Sequence[Problem] = (),
) -> dict[str, Any]:
    """
    Return a copy of the document of a draft, when all is right that needs no other task.

    What only the tree can say is looked at when it is distributed: whether there is a task of each
    name, whether somebody offers the executor, and what that takes.

    Args:
        task_id: its id.
        document: its other fields, as a task array has them.
        extra: the `x-…` fields that come to those; None: none.
        problems: what is wrong besides.

    Raises:
        InvalidTaskArray: all that is wrong; pointers start at the task (`/priority`), or at the
            keyword (`/extra/y`).
    """
    own, of_extra = _own_fields(extra)
    document = {**document, **own}
    found, has_more = _problems_of(task_id, document)
    found += [*problems, *of_extra]
    if found:
        raise InvalidTaskArray(
            found[:MOST_PROBLEMS], has_more=has_more or len(found) > MOST_PROBLEMS
        )
    return msgspec.json.decode(msgspec.json.encode(document), type=dict[str, Any])


def _problems_of(task_id: str, document: Mapping[str, Any]) -> tuple[list[Problem], bool]:
    """Return what is wrong with the fields of a task, and whether there is more."""
    limits = Limits()
    found = check_document(
        [{"id": task_id, **document}],
        # There is no file, whose size would bound the values: the limits do.
        size=limits.max_bytes,
        limits=limits,
        catalog=_ANY_EXECUTOR,
        positions=_nowhere,
    )
    if not isinstance(found, RejectedArray):
        return [], False
    problems = [problem for problem in found.problems if problem.code not in _OF_THE_TREE]
    if problems and all(problem.code in _OF_ITSELF for problem in problems):
        problems = problems if task_id in references_of(document) else []
    if not problems:
        return [], False
    return [_of_the_task(problem) for problem in problems], found.has_more


def _own_fields(extra: object) -> tuple[dict[str, Any], list[Problem]]:
    """Return the `x-…` fields of `extra`, and what in it is none."""
    if extra is None:
        return {}, []
    if not isinstance(extra, Mapping):
        message = "`extra` is a mapping of `x-…` fields"
        return {}, [Problem(code=ProblemCode.WRONG_TYPE, pointer="/extra", message=message)]
    own: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in cast("Mapping[object, object]", extra).items():
        if isinstance(key, str) and key.startswith("x-"):
            own[key] = value
            continue
        problems.append(
            Problem(
                code=ProblemCode.UNKNOWN_FIELD,
                pointer=pointer(("extra", str(key))),
                message=f"{quoted(str(key))} is no `x-…` field",
                hint="give the fields of a task by keyword, and only `x-…` fields in `extra`",
            )
        )
    return own, problems


def _written(key: str, value: Any) -> Any:
    if isinstance(value, Task):
        return value.id
    if isinstance(value, str):
        # An enum that is text stands for its value; `str` of it would be its name.
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, timedelta) and key in _DURATIONS:
        return value.total_seconds()
    if isinstance(value, datetime) and key == "not_before":
        return _time(value)
    if isinstance(value, RetryPolicy):
        return {
            "limit": value.limit,
            "delay": value.delay_seconds,
            "backoff": value.backoff,
            "max_delay": value.max_delay_seconds,
            "jitter": value.jitter,
        }
    if key == "retry" and isinstance(value, Mapping):
        parts = cast("Mapping[str, Any]", value)
        return {part: _written(part, given) for part, given in parts.items()}
    if key == "dependencies" and isinstance(value, Iterable) and not isinstance(value, Mapping):
        return [_edge(edge) for edge in cast("Iterable[object]", value)]
    if isinstance(value, Mapping):
        # Not of whatever kind: JSON is written of dicts.
        return dict(cast("Mapping[object, object]", value))
    return value


def _time(value: datetime) -> str:
    """Return a time as text; what is no time in UTC is refused as such a text is."""
    try:
        return value.isoformat() if value.utcoffset() is None else rfc3339(value)
    except OverflowError:  # year 10000, in UTC
        return value.isoformat()


def _edge(edge: Any) -> Any:
    if isinstance(edge, Mapping):
        parts = cast("Mapping[str, Any]", edge)
        return {part: _written(part, given) for part, given in parts.items()}
    return _written("", edge)


def _of_the_task(problem: Problem) -> Problem:
    problem = of_the_list(problem)
    if problem.pointer == "/0" or problem.pointer.startswith("/0/"):
        return replace(problem, pointer=problem.pointer[2:])
    return problem


class _AnyExecutor:
    """A catalog in which every executor is, and each takes everything."""

    def kind_of(self, executor: str) -> PlaceKind | None:
        """Return some kind of place."""
        del executor
        return PlaceKind.PROCESS

    def names(self) -> Iterable[str]:
        """Return none: nothing is unknown."""
        return ()

    def wants_input_check(self, executor: str) -> bool:
        """Return False: any object will do."""
        del executor
        return False

    def wants_params_check(self, executor: str) -> bool:
        """Return False: any params will do."""
        del executor
        return False

    def params_problems(self, executor: str, params: dict[str, Any]) -> Sequence[InputProblem]:
        """Return none."""
        del executor, params
        return ()

    def input_problems(
        self, executor: str, inputs: dict[str, Any], *, open_at: Collection[InputPath] = ()
    ) -> Sequence[InputProblem]:
        """Return none."""
        del executor, inputs, open_at
        return ()

    def code_places(self, executor: str, inputs: dict[str, Any]) -> Sequence[InputPath]:
        """Return none: what is code is looked for when the tree is distributed."""
        del executor, inputs
        return ()


_ANY_EXECUTOR = _AnyExecutor()


def _nowhere(path: object, *, at_key: bool) -> None:
    """A value that was never in a file has no place in one."""
