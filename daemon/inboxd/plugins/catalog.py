"""The executors that can be named in a task file, as the check of a file sees them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from inboxd.array.catalog import InputProblem
from inboxd.array.json_schema import SchemaCheck, SchemaError, compile_schema
from inboxd.errors import PluginError
from inboxd.plugins.asking import ASK_SECONDS, watched
from inboxd.plugins.checks import ExecutorChecks
from inboxd.plugins.inputs_type import schema_of
from inboxd.plugins.live_executors import LiveExecutors
from inboxd.plugins.protocol import ChecksInputs, ChecksParams, FindsCode, place_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from inboxd.array.catalog import InputPath
    from inboxd.plugins.protocol import Executor
    from inboxd.task import PlaceKind

__all__ = ["ExecutorCatalog"]

T = TypeVar("T")


class ExecutorCatalog:
    """Answers from the executors that are loaded; satisfies `inboxd.array.catalog.Catalog`."""

    def __init__(
        self,
        executors: Mapping[str, Executor],
        *,
        checks: ExecutorChecks | None = None,
        ask_seconds: float = ASK_SECONDS,
    ) -> None:
        """
        Compile the executors' schemas.

        Args:
            executors: by name; it may grow (`LiveExecutors`).
            checks: know whose the executors are, by default those of `LiveExecutors`.
            ask_seconds: the time of one executor's own check for one file.

        Raises:
            PluginError: a schema cannot be compiled; `load_plugins` gives no such executor.
        """
        self._executors = executors
        if checks is None:
            checks = (
                executors.checks() if isinstance(executors, LiveExecutors) else ExecutorChecks()
            )
        self._checks = checks
        self._ask_seconds = ask_seconds
        self._kinds: dict[str, PlaceKind] = {}
        self._schemas: dict[str, SchemaCheck] = {}
        self._own_checks: dict[str, Callable[..., Sequence[InputProblem]]] = {}
        self._params_checks: dict[str, Callable[..., Sequence[InputProblem]]] = {}
        self._code_inputs: dict[str, tuple[str, ...]] = {}
        self._code_finders: dict[str, Callable[..., Sequence[InputPath]]] = {}
        self._add(executors)

    def _add(self, executors: Mapping[str, Executor]) -> None:
        for name, executor in executors.items():
            self._kinds[name] = place_kind(executor.isolation)
            if executor.inputs_schema is not None:
                try:
                    self._schemas[name] = _compiled(schema_of(executor.inputs_schema))
                except (SchemaError, TypeError) as error:
                    raise PluginError(f'inputs_schema of executor "{name}": {error}') from error
            if isinstance(executor, ChecksInputs):
                self._own_checks[name] = self._checks.guarded(name, executor, "input_problems")
            if isinstance(executor, ChecksParams):
                self._params_checks[name] = self._checks.guarded(name, executor, "params_problems")
            if code_inputs := getattr(executor, "code_inputs", ()):
                self._code_inputs[name] = tuple(code_inputs)
            if isinstance(executor, FindsCode):
                self._code_finders[name] = self._checks.guarded(name, executor, "code_places")

    def replace(self, name: str, executor: Executor) -> None:
        """Know an executor under a name, in place of another of that name."""
        for known in (
            self._schemas, self._own_checks, self._params_checks, self._code_inputs,
            self._code_finders,
        ):  # fmt: skip
            known.pop(name, None)
        self._add({name: executor})

    def watched(self, function: Callable[[], T]) -> T:
        """
        Return what a check with this catalog gives; no executor's own check holds it up.

        Args:
            function: only looks; it is called again when such a check did not return.
        """
        # What a plugin makes meanwhile (`resolve`) has its checks, too.
        if self._checks.has_others or getattr(self._executors, "may_grow", False):
            return watched(function, seconds=self._ask_seconds)
        return function()

    def kind_of(self, executor: str) -> PlaceKind | None:
        """Return which kind of place the executor takes; None when nobody offers it."""
        return self._kinds.get(executor)

    def resolve(self, executor: str, task: Mapping[str, Any]) -> PlaceKind | None:
        """Have an executor made; see `inboxd.array.resolving.MakesExecutors`."""
        executors = self._executors
        made = executors.resolve(executor, task) if isinstance(executors, LiveExecutors) else None
        if made is None:
            return None
        self._add({executor: made})
        return self._kinds[executor]

    def why_unknown(self, executor: str) -> str | None:
        """Return why an executor is not there; see `inboxd.array.resolving.ExplainsUnknown`."""
        executors = self._executors
        return executors.why_missing(executor) if isinstance(executors, LiveExecutors) else None

    def names(self) -> Iterable[str]:
        """Return the names of all executors."""
        return self._kinds.keys()

    def wants_input_check(self, executor: str) -> bool:
        """Return False when any object will do."""
        return executor in self._schemas or executor in self._own_checks

    def wants_params_check(self, executor: str) -> bool:
        """Return False when any params will do."""
        return executor in self._params_checks

    def params_problems(self, executor: str, params: dict[str, Any]) -> Sequence[InputProblem]:
        """Return what is wrong with a task's params."""
        check = self._params_checks.get(executor)
        if check is None:
            return ()
        try:
            return check(params)
        except PluginError as error:
            return [_unchecked(executor, "params", error)]

    def input_problems(
        self, executor: str, inputs: dict[str, Any], *, open_at: Collection[InputPath] = ()
    ) -> Sequence[InputProblem]:
        """
        Return what is wrong with a task's inputs; the executor's own check comes second.

        Where values are still open (see `inboxd.array.catalog.Catalog`), that check is made only
        of inputs that fit the schema as they are, since it is promised such.
        """
        schema = self._schemas.get(executor)
        if schema is not None and (found := schema.problems(inputs)):
            return schema.problems(inputs, open_at=open_at) if open_at else found
        own_check = self._own_checks.get(executor)
        if own_check is None:
            return ()
        try:
            problems = own_check(inputs)
        except PluginError as error:
            return [_unchecked(executor, "inputs", error)]
        return [one for one in problems if not _may_be_right(one, open_at)] if open_at else problems

    def code_places(self, executor: str, inputs: dict[str, Any]) -> Sequence[InputPath]:
        """
        Return which of these inputs are code: by the executor's word, and by its own search.

        Raises:
            PluginError: that search failed.
        """
        places: list[InputPath] = [(name,) for name in self._code_inputs.get(executor, ())]
        finder = self._code_finders.get(executor)
        return places if finder is None else [*places, *finder(inputs)]


def _compiled(schema: object) -> SchemaCheck:
    """Return a schema compiled, as `compile_schema` does; a session asks again with each tree."""
    try:
        text = msgspec.json.encode(schema)
        if msgspec.json.decode(text) == schema:
            return _compiled_text(text)
    except (TypeError, ValueError, RecursionError):
        pass  # it is no JSON: the compiler says what is wrong with it
    return compile_schema(schema)


#: The executors of a process are few; a schema that a plugin changes is another text.
@lru_cache(maxsize=256)
def _compiled_text(schema: bytes) -> SchemaCheck:
    return compile_schema(msgspec.json.decode(schema))


def _unchecked(executor: str, what: str, error: PluginError) -> InputProblem:
    return InputProblem(
        message=f'executor "{executor}" could not check the {what}: {error}',
        hint="this is the plugin's fault, and the daemon's log has the traceback: mend or update"
        " the plugin, and give the file again",
        whatever_values=True,
    )


def _may_be_right(problem: InputProblem, open_at: Collection[InputPath]) -> bool:
    """Return whether what an executor's own check found may depend on a value at *open_at*."""
    path = problem.path
    # A key is as wrong whatever its own value becomes; above it anything may come.
    above = path[:-1] if problem.at_key else path
    if any(above[: len(place)] == place for place in open_at):
        return True
    if problem.at_key or problem.whatever_values:
        return False
    return any(place[: len(path)] == path for place in open_at)
