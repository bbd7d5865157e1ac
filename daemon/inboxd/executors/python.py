"""
The executor `python`: calls a function that the configuration allows, in a worker process.

Nothing of a function is imported in the daemon: what a file may name is decided by its text and
the allow-list alone.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from functools import reduce
from typing import TYPE_CHECKING, Any, cast

from inboxd.errors import InvalidInputs, NoRetry
from inboxd.executors.python_settings import Allowed, PythonSettings, python_settings
from inboxd.names import escaped, nearest
from inboxd.plugins.hookspecs import hookimpl
from inboxd.plugins.protocol import InputProblem, Isolation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inboxd.plugins.protocol import Executor, TaskContext

__all__ = ["PythonFunction", "inboxd_executors"]

#: `executor_id` may name the executor itself.
_PARAMS = ("function", "executor_id")
_LONGEST_SIGNATURE = 200


class PythonFunction:
    """Calls `params.function` with `inputs` as its keyword arguments."""

    name = "python"
    description = (
        "Calls the function that `params.function` names and [executors.python] allows, in a worker"
        " process; `inputs` are its keyword arguments."
    )
    inputs_schema: Mapping[str, Any] | None = None
    isolation: str = Isolation.PROCESS
    example: Mapping[str, Any] = {"number": 6}

    def __init__(self) -> None:
        self._settings = PythonSettings()

    @property
    def example_params(self) -> Mapping[str, Any]:
        """The `params` of a task: the first function that is allowed by its name, if one is."""
        functions = self._settings.functions
        return {"function": functions[0] if functions else "package.module:function"}

    @property
    def max_memory_bytes(self) -> int | None:
        """What a worker process may have of address space."""
        return self._settings.max_memory_bytes

    def configure(self, options: Mapping[str, Any]) -> None:
        """
        Take `[executors.python]`.

        Raises:
            ValueError: with what is wrong.
        """
        self._settings = python_settings(options)

    def params_problems(self, params: Mapping[str, Any]) -> list[InputProblem]:
        """Return what is wrong with a task's `params`: all of it, in order."""
        problems: list[InputProblem] = []
        missing = [name for name in _PARAMS if name not in params]
        for key in params:
            if key in _PARAMS or key.startswith("x-"):
                continue
            meant = nearest(key, missing)
            hint = "the function's arguments stand in `inputs`; `params` names the `function`"
            if meant is not None:
                missing.remove(meant)
                hint = f'did you mean "{meant}"?'
            problems.append(
                InputProblem(
                    path=(key,),
                    message=f'python has no param "{escaped(key)}"',
                    hint=hint,
                    at_key=True,
                )
            )
        if "function" in missing:
            hint = '"params": {"function": "package.module:function"}'
            problems.append(InputProblem(message="params.function is needed", hint=hint))
        elif "function" in params:
            problem = self._settings.problem_of(params["function"])
            if problem is not None:
                message, hint = problem
                problems.append(InputProblem(path=("function",), message=message, hint=hint))
        return problems

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        """
        Call the function; in a worker process.

        Raises:
            NoRetry: it is not allowed.
            InvalidInputs: it has no such arguments.
            BaseException: what it raises, and what its import raises.
        """
        for problem in self.params_problems(context.params):
            raise NoRetry(problem.message)
        named = str(context.params["function"])
        for directory in reversed(self._settings.path):
            if directory not in sys.path:
                sys.path.insert(0, directory)
        function = _function(named, self._settings.allowing(named))
        return function(**_arguments(named, function, inputs, context))


def _function(named: str, allowed: Allowed | None) -> Callable[..., Any]:
    module_name, _, path = named.partition(":")
    module = importlib.import_module(module_name)
    try:
        found: Any = reduce(getattr, path.split("."), module)
    except AttributeError as error:
        raise NoRetry(f"{named}: {error}") from error
    if not callable(found):
        raise NoRetry(f"{named} is no function, but {type(found).__name__}")
    origin: object = getattr(found, "__module__", None)
    if allowed is not None and allowed.is_pattern and origin != module_name:
        # `from os import system` puts a name into a module; a pattern does not mean such.
        raise NoRetry(
            f"{named} comes from {origin}, and a pattern allows only what the module itself"
            f' defines; write "{named}" into the setting executors.python.allow, if it is meant'
        )
    return cast("Callable[..., Any]", found)


def _arguments(
    named: str, function: Callable[..., Any], inputs: dict[str, Any], context: TaskContext
) -> dict[str, Any]:
    """Return the keyword arguments of a call, with the context where the function asks for it."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return inputs  # of a function that is written in C
    arguments = dict(inputs)
    wanted = signature.parameters.get("context")
    if (
        wanted is not None
        and "context" not in inputs
        and wanted.default is wanted.empty
        and wanted.kind in (wanted.POSITIONAL_OR_KEYWORD, wanted.KEYWORD_ONLY)
    ):
        arguments["context"] = context
    try:
        signature.bind(**arguments)
    except TypeError as error:
        takes = str(signature)[:_LONGEST_SIGNATURE]
        raise InvalidInputs(f"inputs: {named}{takes}: {error}") from error
    return arguments


@hookimpl
def inboxd_executors() -> Iterable[Executor]:
    """Offer `python`."""
    return [PythonFunction()]
