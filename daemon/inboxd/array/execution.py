"""Who executes a task, and whether its inputs are what that executor takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import UNSET

from inboxd.array.json_schema import SchemaError, compile_schema
from inboxd.array.problem import Finding, Path, ProblemCode, quoted
from inboxd.array.resolving import ExplainsUnknown, MakesExecutors, RefusesExecutors
from inboxd.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from inboxd.array.catalog import Catalog, InputPath, InputProblem
    from inboxd.array.json_schema import SchemaCheck
    from inboxd.array.records import CheckedTask
    from inboxd.task import PlaceKind

__all__ = ["ExecutorEntry", "Executors", "InputChecks", "executor_named_by", "secrets_in"]

#: An array has few different schemas; more than these are compiled again.
_MOST_SCHEMAS = 256
#: Plugins are asked for so many executors of one file that nobody registered.
_MOST_ASKED = 100
#: So many executors are named in a hint.
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorEntry:
    """What the check must know of one executor."""

    number: int
    name: str
    kind: PlaceKind
    wants_check: bool
    wants_params_check: bool


class Executors:
    """The executors that an array names, each asked for once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._entries: dict[str, ExecutorEntry | None] = {}
        self._asked = 0
        #: By number.
        self.found: list[ExecutorEntry] = []

    def get(self, name: str, task: CheckedTask) -> ExecutorEntry | None:
        """Return the executor that a task names so; None when nobody offers it."""
        if name in self._entries:
            return self._entries[name]
        kind = self._catalog.kind_of(name)
        if kind is None and self._asked < _MOST_ASKED and isinstance(self._catalog, MakesExecutors):
            self._asked += 1
            kind = self._catalog.resolve(name, _as_written(name, task))
        entry = None
        if kind is not None:
            wants_check = self._catalog.wants_input_check(name)
            entry = ExecutorEntry(
                number=len(self.found),
                name=name,
                kind=kind,
                wants_check=wants_check,
                wants_params_check=self._catalog.wants_params_check(name),
            )
            self.found.append(entry)
        self._entries[name] = entry
        return entry

    def unknown(self, name: str, path: Path, *, is_label: bool) -> Finding:
        """
        Say that nobody offers an executor.

        Args:
            name: of the executor.
            path: what names it.
            is_label: True when that is the task's `name` or `id`, for want of anything better.
        """
        catalog = self._catalog
        refusal = catalog.why_refused(name) if isinstance(catalog, RefusesExecutors) else None
        if refusal is not None:
            # It is there, so that no other name would help.
            return Finding(code=ProblemCode.UNKNOWN_EXECUTOR, path=path, message=refusal)
        known = sorted(self._catalog.names())
        there_are = f"there are: {', '.join(known[:_MOST_NAMED])}" if known else "none is installed"
        hint = did_you_mean(name, known)
        why = catalog.why_unknown(name) if isinstance(catalog, ExplainsUnknown) else None
        if is_label:
            message = f"no executor is named, and the task's own name, {quoted(name)}, is none"
            hint = why or f"{hint or 'say who executes it by `executor`'}; {there_are}"
        else:
            message = f"there is no executor {quoted(name)}"
            hint = why or hint or there_are
        return Finding(code=ProblemCode.UNKNOWN_EXECUTOR, path=path, message=message, hint=hint)


def _as_written(name: str, task: CheckedTask) -> dict[str, Any]:
    return {
        "id": name if task.id is UNSET else task.id,
        "params": {} if task.params is UNSET else task.params,
        "inputs": {} if task.inputs is UNSET else task.inputs,
    }


def executor_named_by(task: CheckedTask) -> tuple[str, Path] | None:
    """Return the executor that the fields of a task name, and which field does; None: none does."""
    if task.executor is not UNSET:
        return task.executor, ("executor",)
    if task.params is not UNSET:
        named = task.params.get("executor_id")
        if isinstance(named, str) and named:
            return named, ("params", "executor_id")
    if task.schemas is not UNSET and task.schemas.method is not UNSET:
        return task.schemas.method, ("schemas", "method")
    return None


class InputChecks:
    """Checks inputs against executors' and tasks' own schemas."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._compiled: dict[bytes, SchemaCheck | SchemaError] = {}

    def by_executor(
        self, executor: str, inputs: dict[str, Any], open_at: Collection[InputPath]
    ) -> list[InputProblem]:
        """Return what the executor does not take, whatever the values at *open_at* will be."""
        return list(self._catalog.input_problems(executor, inputs, open_at=open_at))

    def params_by_executor(self, executor: str, params: dict[str, Any]) -> list[InputProblem]:
        """Return what the executor does not take of a task's params."""
        return list(self._catalog.params_problems(executor, params))

    def compiled(self, schema: object) -> SchemaCheck | SchemaError:
        """Return the compiled schema, or why it is none; the same schema is compiled once."""
        key = msgspec.json.encode(schema)
        found = self._compiled.get(key)
        if found is None:
            try:
                found = compile_schema(schema)
            except SchemaError as error:
                found = error
            if len(self._compiled) >= _MOST_SCHEMAS:
                self._compiled.clear()
            self._compiled[key] = found
        return found


def secrets_in(value: object, path: Path) -> Iterator[Finding]:
    """Say of each `$secret` in decoded `inputs` or `params` that there is none yet."""
    rest: list[tuple[object, Path]] = [(value, path)]
    while rest:
        part, where = rest.pop()
        if isinstance(part, dict):
            for key, member in cast("dict[str, Any]", part).items():
                if key == "$secret":
                    yield _secret(member, (*where, key))
                rest.append((member, (*where, key)))
        elif isinstance(part, list):
            rest.extend(
                (item, (*where, index)) for index, item in enumerate(cast("Sequence[Any]", part))
            )


def _secret(name: object, path: Path) -> Finding:
    named = f" {quoted(name)}" if isinstance(name, str) else ""
    return Finding(
        code=ProblemCode.UNKNOWN_SECRET,
        path=path,
        message=f"there is no secret{named}: secrets come with a later version of inboxd",
        hint="hand it over in a file, or by `[run] environment`",
        at_key=True,
    )
