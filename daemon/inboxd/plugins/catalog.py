"""The executors that can be named in a task file, as the check of a file sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inboxd.array.json_schema import SchemaCheck, SchemaError, compile_schema
from inboxd.errors import PluginError
from inboxd.plugins.live_executors import LiveExecutors
from inboxd.plugins.protocol import ChecksInputs, place_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inboxd.plugins.protocol import Executor, InputProblem
    from inboxd.task import PlaceKind

__all__ = ["ExecutorCatalog"]


class ExecutorCatalog:
    """Answers from the executors that are loaded; satisfies `inboxd.array.catalog.Catalog`."""

    def __init__(self, executors: Mapping[str, Executor]) -> None:
        """
        Compile the executors' schemas.

        Raises:
            PluginError: a schema cannot be compiled; `load_plugins` gives no such executor.
        """
        self._executors = executors
        self._kinds: dict[str, PlaceKind] = {}
        self._schemas: dict[str, SchemaCheck] = {}
        self._own_checks: dict[str, ChecksInputs] = {}
        self._add(executors)

    def _add(self, executors: Mapping[str, Executor]) -> None:
        for name, executor in executors.items():
            self._kinds[name] = place_kind(executor.isolation)
            if executor.inputs_schema is not None:
                try:
                    self._schemas[name] = compile_schema(dict(executor.inputs_schema))
                except SchemaError as error:
                    raise PluginError(f'inputs_schema of executor "{name}": {error}') from error
            if isinstance(executor, ChecksInputs):
                self._own_checks[name] = executor

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

    def names(self) -> Iterable[str]:
        """Return the names of all executors."""
        return self._kinds.keys()

    def wants_input_check(self, executor: str) -> bool:
        """Return False when any object will do."""
        return executor in self._schemas or executor in self._own_checks

    def input_problems(self, executor: str, inputs: dict[str, Any]) -> Sequence[InputProblem]:
        """Return what is wrong with a task's inputs; the executor's own check comes second."""
        schema = self._schemas.get(executor)
        if schema is not None and (problems := schema.problems(inputs)):
            return problems
        own_check = self._own_checks.get(executor)
        return () if own_check is None else own_check.input_problems(inputs)
