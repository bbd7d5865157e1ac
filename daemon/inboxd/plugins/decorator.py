"""
`@executor("name")`: an executor from a function, or from a class with `execute`.

What is made is an ordinary executor; nothing elsewhere knows how it came to be.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from inboxd.array.json_schema import SchemaError, compile_schema
from inboxd.errors import InvalidInputs
from inboxd.names import did_you_mean
from inboxd.plugins.executor_check import OWN_EXECUTORS, is_executor_name, shown_name
from inboxd.plugins.inputs_type import (
    conversion_problems,
    convert_inputs,
    is_inputs_type,
    makes_instances,
    schema_of,
)
from inboxd.plugins.protocol import Executor, Isolation
from inboxd.plugins.registered import register

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.plugins.protocol import InputProblem, TaskContext

__all__ = ["FunctionExecutor", "executor", "executors_in"]

P = ParamSpec("P")
R = TypeVar("R")

#: What says that an object was made by `@executor`, so that a module can be looked through.
_MARK = "__inboxd_executor__"


class FunctionExecutor(Generic[P, R]):
    """An executor that is a function; called, it is that function."""

    #: Those of the function.
    __name__: str
    __qualname__: str

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str,
        description: str,
        inputs_schema: Mapping[str, Any] | None,
        isolation: str,
    ) -> None:
        # The function's own name, module and docstring; what it is as an executor comes after.
        functools.update_wrapper(self, function)
        self._function = function
        self.name = name
        self.description = description
        self.inputs_schema = inputs_schema
        self.isolation = isolation
        setattr(self, _MARK, True)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, as a test of it does."""
        return self._function(*args, **kwargs)

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        """Call the function with the inputs of a task."""
        return cast("Callable[..., Any]", self._function)(inputs, context)

    def __repr__(self) -> str:
        return f"<executor {self.name!r} of {self._function!r}>"


class TypedFunctionExecutor(FunctionExecutor[P, R]):
    """An executor whose function takes an instance of a class in place of a dict."""

    #: Set by `_of_function`, beside the rest.
    inputs_type: Any

    def input_problems(self, inputs: dict[str, Any]) -> list[InputProblem]:
        """Return why inputs that fit the schema are refused by the class, as its own checks do."""
        return conversion_problems(inputs, self.inputs_type)

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        """
        Call the function with an instance made from the inputs of a task.

        Raises:
            InvalidInputs: the class refuses them.
        """
        try:
            instance = convert_inputs(inputs, self.inputs_type)
        except (ValueError, TypeError) as error:
            raise InvalidInputs(f"inputs: {error}") from error
        return cast("Callable[..., Any]", self._function)(instance, context)


class _HasExecute(Protocol):
    def execute(self, inputs: Any, context: Any, /) -> Any: ...


class _Decorator(Protocol):
    """What `executor(…)` returns."""

    # A class can be called as well; the first form that fits is taken.
    @overload
    def __call__(  # type: ignore[overload-overlap] # pyright: ignore[reportOverlappingOverload]
        self, what: type[_HasExecute], /
    ) -> Executor: ...
    @overload
    def __call__(self, what: Callable[P, R], /) -> FunctionExecutor[P, R]: ...


def executor(
    name: str,
    *,
    description: str | None = None,
    inputs_schema: object = None,
    isolation: str | None = None,
) -> _Decorator:
    """
    Make an executor of a function `f(inputs, context)`, or of a class with `execute`.

    A function can still be called as itself. In place of a class stands the one instance of it,
    made without arguments. Sessions of this process know it by its name from then on; a daemon
    knows what entry points name.

    Args:
        name: what a task file says in `executor`.
        description: one sentence; by default the first line of the docstring.
        inputs_schema: a JSON Schema, or a type it is made from (`schema_of`); by default what the
            annotation of `inputs` says, where that is such a type. A function whose `inputs` are
            annotated with a dataclass, a Struct or a model gets an instance of it.
        isolation: one of `Isolation`; by default `async` for a coroutine function, else `thread`.

    Raises:
        TypeError: what is decorated cannot be an executor.
        ValueError: the name or the isolation cannot be one, or the name is one of inboxd's own.
    """
    if not isinstance(cast("object", name), str):
        raise TypeError(f'an executor has a name: write @executor("name"), not {shown_name(name)}')
    if not is_executor_name(name):
        raise ValueError(
            f"an executor's name is letters, digits and ._:- (128 at most), not {shown_name(name)}"
        )
    if name in OWN_EXECUTORS:
        raise ValueError(f'executor "{name}" is inboxd\'s own; give yours another name')
    if isolation is not None and isolation not in list(Isolation):
        hint = did_you_mean(str(isolation), list(Isolation)) or f"one of {', '.join(Isolation)}"
        raise ValueError(f'@executor("{name}"): no isolation {shown_name(isolation)}; {hint}')

    def decorate(what: Any) -> Any:
        make = _of_class if isinstance(what, type) else _of_function
        made = make(
            what,
            name=name,
            description=description,
            inputs_schema=inputs_schema,
            isolation=isolation,
        )
        register(made)
        return made

    return cast("_Decorator", decorate)


def executors_in(plugin: object) -> list[Executor]:
    """
    Return the executors that a plugin offers without the hook `inboxd_executors`.

    They are the plugin itself, where its entry point names an executor, or else all that
    `@executor` made in the module that it names, in the order in which they stand there.
    """
    if isinstance(plugin, type):
        return []
    if isinstance(plugin, Executor):
        return [plugin]
    if not inspect.ismodule(plugin):
        return []
    found: dict[int, Executor] = {
        id(member): member for member in vars(plugin).values() if is_made_by_executor(member)
    }
    return list(found.values())


def is_made_by_executor(value: object) -> bool:
    """Whether `@executor` made it; a class of which it made an instance is not meant."""
    # Static: nothing of what else stands in a module is to run for the question.
    return not isinstance(value, type) and inspect.getattr_static(value, _MARK, False) is True


def _of_function(
    function: Any,
    *,
    name: str,
    description: str | None,
    inputs_schema: object,
    isolation: str | None,
) -> FunctionExecutor[Any, Any]:
    where = f'@executor("{name}")'
    if not callable(function):
        raise TypeError(f"{where} is for a function or a class, not {shown_name(function)}")
    annotation = _annotation_of_inputs(function, where, is_needed=inputs_schema is None)
    is_coroutine = inspect.iscoroutinefunction(function)
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(f"{where}: a generator gives no result; return one value")
    if is_coroutine and isolation in (Isolation.THREAD, Isolation.COMMAND):
        raise TypeError(f"{where}: a coroutine function runs on the loop, not as {isolation}")
    kind = annotation if is_inputs_type(annotation) else None
    if kind is None and inputs_schema is None and not _is_any_object(annotation):
        raise TypeError(
            f"{where}: inputs are an object, and {shown_name(annotation)} is no type of one;"
            " annotate them with a dataclass, a TypedDict or dict, or give inputs_schema="
        )
    facts: dict[str, Any] = {
        "name": name,
        "description": _description(function) if description is None else description,
        "inputs_schema": _schema(kind if inputs_schema is None else inputs_schema, where),
        "isolation": isolation or (Isolation.ASYNC if is_coroutine else Isolation.THREAD),
    }
    if not makes_instances(kind):
        return FunctionExecutor(function, **facts)
    made = TypedFunctionExecutor[Any, Any](function, **facts)
    made.inputs_type = kind
    return made


def _of_class(
    kind: type[Any],
    *,
    name: str,
    description: str | None,
    inputs_schema: object,
    isolation: str | None,
) -> Executor:
    where = f'@executor("{name}")'
    execute = getattr(kind, "execute", None)
    if not callable(execute):
        raise TypeError(f"{where}: the class {kind.__qualname__} has no method execute")
    try:
        made: Any = kind()
    except TypeError as error:
        raise TypeError(
            f"{where}: {kind.__qualname__}() cannot be made without arguments: {error}"
        ) from error
    # The method bound, as a function, says all that is asked of a function.
    schema = getattr(kind, "inputs_schema", None) if inputs_schema is None else inputs_schema
    as_function = _of_function(
        made.execute,
        name=name,
        description=None,
        inputs_schema=schema,
        isolation=isolation or getattr(kind, "isolation", None),
    )
    made.name = name
    made.description = description or getattr(kind, "description", None) or _description(kind)
    made.inputs_schema = as_function.inputs_schema
    made.isolation = as_function.isolation
    if isinstance(as_function, TypedFunctionExecutor):
        made.execute = as_function.execute
        if not hasattr(kind, "input_problems"):
            made.input_problems = as_function.input_problems
    setattr(made, _MARK, True)
    return cast("Executor", made)


def _annotation_of_inputs(function: Any, where: str, *, is_needed: bool) -> object:
    """Return how the first parameter is annotated, None for nothing, once two can be given."""
    signature = inspect.signature(function)
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise TypeError(
            f"{where}: it is called as f(inputs, context), and takes {signature}"
        ) from error
    if list(signature.parameters)[:2] == ["context", "inputs"]:
        raise TypeError(f"{where}: it is called as f(inputs, context): exchange the two parameters")
    annotation = next(iter(signature.parameters.values())).annotation
    if annotation is inspect.Parameter.empty:
        return None
    if not isinstance(annotation, str):
        return annotation
    inner = inspect.unwrap(getattr(function, "__func__", function))
    holder = SimpleNamespace(__annotations__={"inputs": annotation})
    try:
        hints = typing.get_type_hints(
            holder, globalns=getattr(inner, "__globals__", {}), include_extras=True
        )
    except Exception as error:
        # Names of the module may be imported for type checkers only; that is fine for a dict.
        if not is_needed or annotation.split("[")[0].rpartition(".")[2] in _UNTYPED:
            return None
        raise TypeError(
            f"{where}: the annotation {annotation!r} of the inputs cannot be read here ({error});"
            " import it at run time, at the top of the module, or give inputs_schema="
        ) from error
    return hints["inputs"]


#: Annotations that say nothing about the inputs.
_UNTYPED = ("dict", "Dict", "Mapping", "MutableMapping", "Any", "object")


def _is_any_object(annotation: object) -> bool:
    """Whether an annotation says no more of the inputs than that they are an object."""
    if annotation in (None, Any, object):
        return True
    bare = typing.get_args(annotation)[0] if _is_annotated(annotation) else annotation
    kind = typing.get_origin(bare) or bare
    return isinstance(kind, TypeVar) or (isinstance(kind, type) and issubclass(kind, Mapping))


def _is_annotated(annotation: object) -> bool:
    return typing.get_origin(annotation) is typing.Annotated


def _schema(value: object, where: str) -> dict[str, Any] | None:
    try:
        schema = schema_of(value)
    except TypeError as error:
        raise TypeError(f"{where}: {error}") from error
    if isinstance(value, Mapping):
        try:
            compile_schema(schema)
        except SchemaError as error:
            raise ValueError(f"{where}: inputs_schema is no JSON Schema: {error}") from error
    return schema


def _description(what: Any) -> str:
    """Return the first line of its docstring, or which object it is."""
    text = inspect.cleandoc(what.__doc__ or "")
    return text.partition("\n")[0] or f"Runs {what.__module__}.{what.__qualname__}."
