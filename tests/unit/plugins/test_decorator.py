"""`@executor` makes executors of functions and classes, and says at import what cannot be one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

import pytest

from inboxd.errors import InvalidInputs
from inboxd.plugins.decorator import executor, executors_in
from inboxd.plugins.executor_check import executor_problem
from inboxd.plugins.protocol import Executor, Isolation
from inboxd.testing import TestContext

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from inboxd.plugins.protocol import TaskContext

    class OnlyForCheckers: ...


@dataclass
class Greeting:
    whom: str
    times: int = 1

    def __post_init__(self) -> None:
        if self.times < 1:
            raise ValueError("greet once at least")


class GreetingDict(TypedDict):
    whom: str


def test_a_function_runs_in_a_thread_and_a_coroutine_function_on_the_loop() -> None:
    @executor("one")
    def one(inputs: dict[str, Any], context: TaskContext) -> int:
        return 1

    @executor("two")
    async def two(inputs: dict[str, Any], context: TaskContext) -> int:
        return 2

    assert (one.isolation, two.isolation) == (Isolation.THREAD, Isolation.ASYNC)
    assert (executor_problem(one), executor_problem(two)) == (None, None)
    assert one.execute({}, TestContext()) == 1
    assert asyncio.run(two.execute({}, TestContext())) == 2


def test_the_function_can_be_called_as_itself() -> None:
    @executor("one")
    def one(inputs: dict[str, Any], context: TaskContext) -> int:
        """Count."""
        return len(inputs)

    assert one({"a": 1}, TestContext()) == 1
    assert (one.__name__, one.__doc__) == ("one", "Count.")


def test_the_first_line_of_the_docstring_describes_it_unless_something_else_does() -> None:
    def one(inputs: dict[str, Any], context: TaskContext) -> None:
        """
        Do nothing.

        At all.
        """

    assert executor("one")(one).description == "Do nothing."
    assert executor("one", description="Rests.")(one).description == "Rests."
    assert executor("one")(lambda inputs, context: None).description.startswith("Runs ")


def test_an_annotation_that_is_a_type_of_inputs_is_the_schema() -> None:
    @executor("greet")
    def greet(inputs: Greeting, context: TaskContext) -> str:
        return " ".join(["Hello"] * inputs.times + [inputs.whom])

    assert greet.inputs_schema is not None
    assert greet.inputs_schema["required"] == ["whom"]
    assert greet.inputs_schema["additionalProperties"] is False


def test_a_function_of_a_dataclass_gets_an_instance_and_its_own_check_is_the_executor_s() -> None:
    @executor("greet")
    def greet(inputs: Greeting, context: TaskContext) -> str:
        return " ".join(["Hello"] * inputs.times + [inputs.whom])

    problems = greet.input_problems({"whom": "Ada", "times": 0})  # type: ignore[attr-defined] # has it only with such a type

    assert greet.execute({"whom": "Ada", "times": 2}, TestContext()) == "Hello Hello Ada"
    assert [problem.message for problem in problems] == ["greet once at least"]
    with pytest.raises(InvalidInputs, match="greet once at least"):
        greet.execute({"whom": "Ada", "times": 0}, TestContext())


def test_a_function_of_a_typed_dict_gets_the_dict() -> None:
    @executor("greet")
    def greet(inputs: GreetingDict, context: TaskContext) -> str:
        return inputs["whom"]

    assert greet.inputs_schema is not None
    assert greet.inputs_schema["required"] == ["whom"]
    assert greet.execute({"whom": "Ada"}, TestContext()) == "Ada"


def test_a_schema_that_is_given_counts_and_the_annotation_says_what_comes() -> None:
    schema = {"type": "object", "properties": {"whom": {"type": "string"}}}

    @executor("greet", inputs_schema=schema)
    def greet(inputs: Greeting, context: TaskContext) -> Greeting:
        return inputs

    assert greet.inputs_schema == schema
    assert greet.execute({"whom": "Ada"}, TestContext()) == Greeting(whom="Ada")


def test_a_class_becomes_its_instance() -> None:
    class Count:
        """Counts its calls."""

        def __init__(self) -> None:
            self.calls = 0

        async def execute(self, inputs: dict[str, Any], context: TaskContext) -> int:
            self.calls += 1
            return self.calls

    count = executor("count", isolation="async")(Count)

    assert executor_problem(count) is None
    assert (count.name, count.description) == ("count", "Counts its calls.")
    assert [asyncio.run(count.execute({}, TestContext())) for _ in range(2)] == [1, 2]


def test_a_class_with_a_type_of_inputs_gets_instances_too() -> None:
    class Greet:
        def execute(self, inputs: Greeting, context: TaskContext) -> str:
            return inputs.whom

    greet = executor("greet")(Greet)

    assert greet.execute({"whom": "Ada"}, TestContext()) == "Ada"
    assert greet.isolation == Isolation.THREAD


def _generator(inputs: dict[str, Any], context: TaskContext) -> Any:
    yield 1


async def _async_generator(inputs: dict[str, Any], context: TaskContext) -> AsyncIterator[int]:
    yield 1


async def _coroutine(inputs: dict[str, Any], context: TaskContext) -> None: ...


def _unreadable(inputs: OnlyForCheckers, context: TaskContext) -> None: ...


class _NeedsArguments:
    def __init__(self, size: int) -> None: ...

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> None: ...


@pytest.mark.parametrize(
    ("what", "options", "message"),
    [
        (lambda inputs: None, {}, r"called as f\(inputs, context\), and takes \(inputs\)"),
        (lambda a, b, c: None, {}, r"takes \(a, b, c\)"),
        (_generator, {}, "return one value"),
        (_async_generator, {}, "return one value"),
        (_coroutine, {"isolation": "thread"}, "runs on the loop, not as thread"),
        (_unreadable, {}, "'OnlyForCheckers' of the inputs cannot be read here"),
        (object, {}, "the class object has no method execute"),
        (_NeedsArguments, {}, "cannot be made without arguments"),
        (3, {}, "for a function or a class, not 3"),
        (lambda inputs, context: None, {"inputs_schema": int}, "int describes something else"),
    ],
)
def test_what_cannot_be_an_executor_is_told_where_it_is_decorated(
    what: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=rf'@executor\("x"\).*{message}'):
        executor("x", **options)(what)


def test_the_schema_that_is_given_spares_the_annotation() -> None:
    made = executor("x", inputs_schema={"type": "object"})(_unreadable)

    assert made.inputs_schema == {"type": "object"}


def test_an_executor_needs_a_name() -> None:
    with pytest.raises(TypeError, match=r'write @executor\("name"\)'):
        executor(_coroutine)  # type: ignore[arg-type] # that is the mistake
    with pytest.raises(ValueError, match="letters, digits"):
        executor("no blanks")
    with pytest.raises(ValueError, match='did you mean "thread"'):
        executor("x", isolation="tread")


def test_a_module_offers_what_was_decorated_in_it_once_and_in_order() -> None:
    module = ModuleType("some_plugin")
    second = executor("second")(_coroutine)
    first = executor("first")(_unreadable_not := lambda inputs, context: None)
    vars(module).update(first=first, plain=_unreadable_not, second=second, alias=first, kind=int)

    assert executors_in(module) == [first, second]


def test_an_executor_offers_itself_and_anything_else_offers_nothing() -> None:
    made = executor("one")(_coroutine)

    assert isinstance(made, Executor)
    assert executors_in(made) == [made]
    assert [executors_in(other) for other in (object(), type(made), 3)] == [[], [], []]


class HasSize(Protocol):
    size: int


@pytest.mark.parametrize("kind", [int, str, list[int], HasSize])
def test_inputs_that_are_no_object_are_refused_where_it_is_decorated(kind: Any) -> None:
    def run(inputs: Any, context: Any) -> None:
        """Runs."""

    run.__annotations__["inputs"] = kind

    with pytest.raises(TypeError, match="is no type of one; annotate them with"):
        executor("refused")(run)


def test_a_schema_that_is_none_is_refused_where_it_is_decorated() -> None:
    with pytest.raises(ValueError, match="inputs_schema is no JSON Schema"):

        @executor("refused", inputs_schema={"type": "objekt"})
        def run(inputs: dict[str, Any], context: Any) -> None:
            """Runs."""
