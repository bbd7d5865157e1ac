"""
The JSON Schema of the task file with what each installed executor takes, for editors.

It refuses no file that the daemon takes: where the daemon knows more than a schema can say (which
`defaults` are merged into a task, what an expression becomes), it says less. `inboxd validate`
says everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inboxd.array.embedding import EXPRESSION, HOLDS_EXPRESSION, Embedded, NotEmbeddable, embed
from inboxd.array.fields import Schema
from inboxd.array.json_schema import compile_schema
from inboxd.array.schema import SCHEMA_ID, task_array_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["COMPOSED_ID", "OfferedInputs", "composed_schema"]

#: A name, not an address; another than that of the core, since it says more.
COMPOSED_ID = f"{SCHEMA_ID}:with-executors"

#: Members of `defaults` that bear on who executes a task, or on its inputs.
_BEARING = ("executor", "inputs", "params", "schemas")

#: Contract: `{{`, optional blanks, `tasks.`; and a secret stands for a value as well.
_EXPRESSION: Schema = {
    "description": 'A value of another task, "{{ tasks.fetch.result.url }}", or a secret.',
    "anyOf": [
        {"type": "string", "pattern": r"\{\{[ \t]*tasks\."},
        {"type": "object", "required": ["$secret"], "maxProperties": 1},
    ],
}
_HOLDS: Schema = {"$ref": f"#/$defs/{HOLDS_EXPRESSION}"}
_HOLDS_EXPRESSION: Schema = {
    "description": "A value with an expression somewhere in it.",
    "anyOf": [
        {"$ref": f"#/$defs/{EXPRESSION}"},
        {"type": "array", "contains": _HOLDS},
        {"type": "object", "not": {"additionalProperties": {"not": _HOLDS}}},
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedInputs:
    """An executor and what it takes."""

    name: str
    description: str
    #: A schema that compiles; None takes any object.
    schema: Mapping[str, Any] | None


def composed_schema(offered: Iterable[OfferedInputs]) -> dict[str, Any]:
    """Return the schema of the task file for these executors; a new object each time."""
    executors = sorted(offered, key=lambda each: each.name)
    schema = task_array_schema()
    schema["$id"] = COMPOSED_ID
    schema["title"] = "inboxd task array, with the inputs of the installed executors"
    definitions: dict[str, Any] = schema["$defs"]
    definitions |= {EXPRESSION: _EXPRESSION, HOLDS_EXPRESSION: _HOLDS_EXPRESSION}
    task, envelope = definitions["task"], definitions["envelope"]
    choices = [_choice(each) for each in executors]
    for properties in (
        task["properties"],
        envelope["properties"]["defaults"]["properties"],
    ):
        properties["executor"]["anyOf"] = [*choices, {"type": "string"}]

    embedded: dict[str, Embedded] = {}
    for each in executors:
        parts = _embedded(each)
        if parts is not None:
            embedded[each.name] = parts
            definitions |= parts.parts
    needy = {each.name for each in executors if _refuses_nothing_given(each)}
    definitions["task_alone"] = {
        "description": "A task to which no defaults are added.",
        "allOf": [
            {"$ref": "#/$defs/task"},
            *(
                _if(
                    {"anyOf": [*_own(name), _label(name)]},
                    _inputs(parts.whole, is_needed=name in needy),
                )
                for name, parts in embedded.items()
            ),
        ],
    }
    definitions["task_beside_defaults"] = {
        "description": "A task to which defaults are added: some of its inputs may stand there.",
        "allOf": [
            {"$ref": "#/$defs/task"},
            *(
                # The defaults may hold a `params.executor_id`, which comes before a method.
                _if({"anyOf": _own(name)[:2]}, _inputs(parts.members))
                for name, parts in embedded.items()
            ),
        ],
    }
    schema["then"]["items"] = {"$ref": "#/$defs/task_alone"}
    envelope["properties"]["tasks"].pop("items")
    envelope["if"] = {
        "required": ["defaults"],
        "properties": {"defaults": {"anyOf": [{"required": [name]} for name in _BEARING]}},
    }
    envelope["then"] = {
        **_tasks({"$ref": "#/$defs/task_beside_defaults"}),
        "allOf": [_by_default(name, parts) for name, parts in embedded.items()],
    }
    envelope["else"] = _tasks({"$ref": "#/$defs/task_alone"})
    if not embedded:
        del envelope["then"]["allOf"]  # which may not be empty
    return schema


def _choice(executor: OfferedInputs) -> Schema:
    return {"const": executor.name, "description": executor.description}


def _embedded(executor: OfferedInputs) -> Embedded | None:
    """Return the parts for an executor's inputs; None where any object will do."""
    if executor.schema is None:
        return None
    try:
        embedded = embed(executor.schema, f"inputs@{executor.name}")
    except (NotEmbeddable, RecursionError):
        return None  # the daemon checks them; an editor cannot
    whole = embedded.parts[embedded.whole]
    if isinstance(whole, dict):
        embedded.parts[embedded.whole] = {"description": executor.description, **whole}
    return embedded


def _refuses_nothing_given(executor: OfferedInputs) -> bool:
    """Return whether a task of it without `inputs` is refused."""
    return executor.schema is not None and bool(compile_schema(dict(executor.schema)).problems({}))


def _if(condition: Schema, consequence: Schema) -> Schema:
    return {"if": condition, "then": consequence}


def _inputs(part: str, *, is_needed: bool = False) -> Schema:
    found: Schema = {"properties": {"inputs": {"$ref": f"#/$defs/{part}"}}}
    return {**found, "required": ["inputs"]} if is_needed else found


def _tasks(items: Schema) -> Schema:
    return {"properties": {"tasks": {"items": items}}}


_NO_EXECUTOR: Schema = {"not": {"required": ["executor"]}}
_HAS_EXECUTOR_ID: Schema = {
    "required": ["params"],
    "properties": {"params": {"type": "object", "required": ["executor_id"]}},
}
_HAS_METHOD: Schema = {
    "required": ["schemas"],
    "properties": {"schemas": {"type": "object", "required": ["method"]}},
}
_NAMES_NONE: Schema = {
    "allOf": [_NO_EXECUTOR, {"not": _HAS_EXECUTOR_ID}, {"not": _HAS_METHOD}],
}


def _own(name: str) -> list[Schema]:
    """Return when a task itself says that an executor of this name is meant: one of these."""
    return [
        {"required": ["executor"], "properties": {"executor": {"const": name}}},
        {
            "allOf": [_NO_EXECUTOR, _HAS_EXECUTOR_ID],
            "properties": {"params": {"properties": {"executor_id": {"const": name}}}},
        },
        {
            "allOf": [_NO_EXECUTOR, {"not": _HAS_EXECUTOR_ID}, _HAS_METHOD],
            "properties": {"schemas": {"properties": {"method": {"const": name}}}},
        },
    ]


def _label(name: str) -> Schema:
    """Return when a task means an executor by being called so, for want of anything better."""
    called = [
        {"required": ["name"], "properties": {"name": {"const": name}}},
        {
            "not": {"required": ["name"]},
            "required": ["id"],
            "properties": {"id": {"const": name}},
        },
    ]
    return {**_NAMES_NONE, "anyOf": called}


def _by_default(name: str, parts: Embedded) -> Schema:
    """Return what holds for tasks that name no executor where the defaults name this one."""
    names = {
        "required": ["defaults"],
        "properties": {
            "defaults": {
                "required": ["executor"],
                "properties": {"executor": {"const": name}},
                "not": {"anyOf": [{"required": ["params"]}, {"required": ["schemas"]}]},
            }
        },
    }
    return _if(names, _tasks(_if(_NAMES_NONE, _inputs(parts.members))))
