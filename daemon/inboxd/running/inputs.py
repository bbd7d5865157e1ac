"""
Fill in what the inputs of a task refer to, and check what has become of them.

Values are data: they are put in and never looked through for expressions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from inboxd.array.expressions import Expression, has_opening, parse_text, strings_in
from inboxd.array.json_schema import SchemaError, compile_schema
from inboxd.array.problem import pointer, quoted
from inboxd.array.queries import Allowance, QueryError, parse_query
from inboxd.array.result_references import lies_in
from inboxd.errors import PluginError
from inboxd.names import escaped
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.store.task_results import reads_of
from inboxd.task import Failed, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inboxd.array.catalog import Catalog, InputPath, InputProblem
    from inboxd.array.expressions import Field
    from inboxd.running.attempt import Attempt
    from inboxd.running.ended_results import EndedFields, EndedResults
    from inboxd.store.reader import StoreReader

__all__ = ["MOST_FILLED_BYTES", "prepare"]

#: So many bytes the inputs of one task may have as JSON when all is filled in: some results, each
#: of at most 1 MiB. More is for files.
MOST_FILLED_BYTES = 16 * 1024 * 1024
#: So many problems stand in one error.
_MOST_PROBLEMS = 3


class _Unresolved(Exception):
    """An expression that cannot be evaluated."""


class _TooLarge(Exception):
    """What is filled in is more than is taken."""


def prepare(
    attempt: Attempt, reader: StoreReader, results: EndedResults, catalog: Catalog
) -> Attempt | Failed:
    """
    Return the attempt with its inputs as the executor takes them.

    Args:
        attempt: its inputs as they are written.
        reader: of the store that it was recorded in.
        results: of the tasks in that store.
        catalog: what the executors take.

    Returns:
        The same attempt where there is nothing to fill in. A failure, which no retry mends, where
        an expression cannot be evaluated, or what came of it is not what the executor takes.

    Raises:
        StoreError: the store cannot be read.
    """
    if not attempt.has_references or attempt.inputs is None:
        return attempt
    reads = reads_of(reader, attempt.task)
    inputs: dict[str, Any] = msgspec.json.decode(attempt.inputs)
    first = attempt.task - attempt.position
    filling = _Filling(reads.positions, lambda position: results.fields(first + position))
    open_at = [path for path, text in strings_in(inputs, ()) if has_opening(text)]
    try:
        filled = cast("dict[str, Any]", filling.filled(inputs))
        # Encoded and decoded again: what is handed over is JSON, whatever JMESPath made.
        encoded = msgspec.json.encode(filled)
        if len(encoded) > MOST_FILLED_BYTES:
            return _too_large()
        filled = msgspec.json.decode(encoded, type=dict[str, Any])
    except _Unresolved as error:
        return _failed(TaskErrorCode.UNRESOLVED_REFERENCE, str(error))
    except _TooLarge:
        return _too_large()
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        return _failed(
            TaskErrorCode.UNRESOLVED_REFERENCE, f"inputs: what was filled in is no JSON: {error}"
        )

    def check() -> str | None:
        return _problems(attempt, filled, open_at, reads.other, catalog)

    problems = catalog.watched(check) if isinstance(catalog, ExecutorCatalog) else check()
    if problems:
        return _failed(TaskErrorCode.INVALID_INPUTS, problems)
    return msgspec.structs.replace(attempt, inputs=encoded, has_references=False)


class _Filling:
    """The values of one attempt's expressions, each looked up and evaluated once."""

    def __init__(self, positions: Mapping[str, int], ended: Callable[[int], EndedFields]) -> None:
        self._positions = positions
        self._ended = ended
        self._tasks: dict[int, EndedFields] = {}
        self._values: dict[tuple[int, Field, str], Any] = {}
        self._texts: dict[tuple[int, Field, str], str] = {}
        self._allowance = Allowance()
        self._left = MOST_FILLED_BYTES

    def filled(self, value: Any) -> Any:
        """Return decoded inputs with everything filled in; nested at most as deep as a file is."""
        if isinstance(value, str):
            return self._text(value) if has_opening(value) else value
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            return {key: self.filled(member) for key, member in members.items()}
        if isinstance(value, list):
            return [self.filled(item) for item in cast("Iterable[Any]", value)]
        return value

    def _text(self, text: str) -> Any:
        parsed = parse_text(text, self._positions.__contains__)
        if (single := parsed.single) is not None:
            value = self._value(single)
            # What stands in many places is written as often.
            self._spend(len(self._written(single)))
            return value
        parts: list[str] = []
        for part in parsed.parts:
            if isinstance(part, Expression):
                parts.append(self._written(part))
            else:
                # A mistake was refused when the file was checked.
                parts.append(part if isinstance(part, str) else part.source)
            self._spend(len(parts[-1]))
        return "".join(parts)

    def _spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise _TooLarge

    def _key(self, expression: Expression) -> tuple[int, Field, str]:
        return self._positions[expression.reference], expression.field, expression.query

    def _written(self, expression: Expression) -> str:
        """Return the value as it stands inside of a text."""
        key = self._key(expression)
        if key not in self._texts:
            value = self._value(expression)
            self._texts[key] = (
                value if isinstance(value, str) else msgspec.json.encode(value).decode()
            )
        return self._texts[key]

    def _value(self, expression: Expression) -> Any:
        key = self._key(expression)
        if key not in self._values:
            try:
                query = parse_query(expression.query)
                value = self._task(key[0]).value(key[1])
                self._values[key] = query.evaluate(value, self._allowance)
            except QueryError as error:
                raise _Unresolved(f"inputs: {quoted(expression.source)}: {error}") from error
        return self._values[key]

    def _task(self, position: int) -> EndedFields:
        if position not in self._tasks:
            self._tasks[position] = self._ended(position)
        return self._tasks[position]


def _problems(
    attempt: Attempt,
    inputs: dict[str, Any],
    open_at: Iterable[InputPath],
    other: bytes | None,
    catalog: Catalog,
) -> str | None:
    """Return what is wrong with inputs that are filled in, in one sentence; None: nothing."""
    try:
        code = catalog.code_places(attempt.executor, inputs)
    except PluginError as error:
        return f"inputs: {attempt.executor} could not say which of them are code: {error}"
    for path in open_at:
        # A value may be a part of code, and code a part of a value.
        if lies_in(path, code) or any(lies_in(place, [path]) for place in code):
            return (
                f"{_shown(path)}: a value was filled in where {attempt.executor} takes code;"
                " pass it by another of the inputs"
            )
    found = [
        *catalog.input_problems(attempt.executor, inputs),
        *_own_schema_problems(inputs, other),
    ]
    if not found:
        return None
    more = f"; and {len(found) - _MOST_PROBLEMS} more" if len(found) > _MOST_PROBLEMS else ""
    return "; ".join(_sentence(one) for one in found[:_MOST_PROBLEMS]) + more


def _own_schema_problems(inputs: dict[str, Any], other: bytes | None) -> list[InputProblem]:
    """Return what the task's own `schemas.input_schema` does not take."""
    if other is None or b'"input_schema"' not in other:
        return []
    schemas = msgspec.json.decode(other).get("schemas", {})
    if "input_schema" not in schemas:
        return []
    try:
        return compile_schema(schemas["input_schema"]).problems(inputs)
    except SchemaError:  # another version of the library took it when the file was checked
        return []


def _sentence(problem: InputProblem) -> str:
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"{_shown(problem.path)}: {problem.message}{hint}"


def _shown(path: InputPath) -> str:
    return escaped(f"inputs{pointer(path)}")


def _too_large() -> Failed:
    return _failed(
        TaskErrorCode.INVALID_INPUTS,
        f"inputs: with all values filled in they are larger than {MOST_FILLED_BYTES // 2**20} MiB;"
        " hand large data over in files",
    )


def _failed(code: TaskErrorCode, message: str) -> Failed:
    return Failed(error=TaskError(code=code, message=message[:1_000]), retryable=False)
