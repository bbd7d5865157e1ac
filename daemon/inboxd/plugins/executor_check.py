"""What must be true of an executor before its name is given to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from inboxd.array.json_schema import SchemaError, compile_schema
from inboxd.names import did_you_mean, escaped
from inboxd.plugins.inputs_type import schema_of
from inboxd.plugins.protocol import Executor, Isolation

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OWN_EXECUTORS", "executor_problem", "is_executor_name"]

#: The executors that inboxd itself comes with; a test holds them against its entry points.
OWN_EXECUTORS = frozenset({"command", "noop", "python"})

#: The form of a task's id, so that a name can stand wherever an id can.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def is_executor_name(name: object) -> bool:
    """Whether a task file can name an executor so."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def executor_problem(executor: Any, *, giver: str = "inboxd_executors()") -> str | None:
    """Return one sentence on what is wrong with what *giver*, a hook, gave; or None."""
    shown = escaped(repr(executor))[:100]
    if isinstance(executor, type):
        return f"{giver} gave the class {shown}; give an instance of it"
    if not isinstance(executor, Executor):
        missing = [
            name
            for name in ("name", "description", "inputs_schema", "isolation", "execute")
            if not hasattr(executor, name)
        ]
        return f"{giver} gave {shown}, which has no {', '.join(missing)}"
    # The protocol says what these are; what a plugin gives may still be anything.
    name: Any = executor.name
    isolation: Any = executor.isolation
    if not is_executor_name(name):
        return (
            f"an executor's name is letters, digits and ._:- (128 at most), not {shown_name(name)}"
        )
    if isolation not in list(Isolation):
        hint = did_you_mean(str(isolation), list(Isolation))
        text = f'executor "{name}": there is no isolation {shown_name(isolation)}'
        return text if hint is None else f"{text}; {hint}"
    if not callable(executor.execute):
        return f'executor "{name}": execute is not callable'
    code_inputs: object = getattr(executor, "code_inputs", ())
    if not _are_names(code_inputs):
        return f'executor "{name}": code_inputs is a list of names, not {shown_name(code_inputs)}'
    if executor.inputs_schema is None:
        return None
    try:
        compile_schema(schema_of(executor.inputs_schema))
    except (SchemaError, TypeError, ValueError) as error:
        return f'executor "{name}": inputs_schema is no JSON Schema: {escaped(str(error))}'
    return None


def _are_names(value: object) -> bool:
    if not isinstance(value, list | tuple):
        return False
    return all(isinstance(each, str) for each in cast("Sequence[object]", value))


def shown_name(value: object) -> str:
    """Return a value of unknown type for a sentence."""
    return escaped(repr(value))[:100]
