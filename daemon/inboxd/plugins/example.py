"""An example of a task for an executor, made from what its schema says of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from inboxd.plugins.protocol import HasExample

if TYPE_CHECKING:
    from inboxd.plugins.protocol import Executor

__all__ = ["example_task", "sample_of", "top_of"]

#: A schema may refer to itself; deeper there is no example.
_DEEPEST = 8

#: For `format` (JSON Schema validation, section 7.3).
_BY_FORMAT = {
    "date-time": "2026-11-24T10:00:00Z",
    "date": "2026-11-24",
    "time": "10:00:00Z",
    "duration": "PT10M",
    "email": "somebody@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.org/",
    "uri-reference": "https://example.org/",
    "iri": "https://example.org/",
    "uuid": "01937b1e-8a00-7c3a-9d2e-4f1a5b6c7d8e",
    "json-pointer": "/a",
    "regex": ".*",
}
_TEXT = "text"


def example_task(executor: Executor, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """
    Return a task that shows how an executor is used; whether it is valid is for the caller to see.

    An executor may say itself what is shown: `example`, the inputs, and `example_params`.

    Args:
        executor: whose example it is.
        schema: its JSON Schema of inputs.
    """
    given: object = executor.example if isinstance(executor, HasExample) else None
    params: object = getattr(executor, "example_params", None)
    inputs = dict(given) if _is_object(given) else sample_of(schema or {})
    task: dict[str, Any] = {"id": "example", "executor": executor.name, "inputs": inputs}
    if _is_object(params):
        task["params"] = dict(params)
    return task


def sample_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs with what must be there, and what the schema itself gives examples of."""
    return _object(top_of(schema), schema, 0)


def top_of(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return where a schema lists its properties: what its top refers to, if it does."""
    top: Any = schema
    for _ in range(_DEEPEST):
        if "properties" in top or not isinstance(top.get("$ref"), str):
            break
        target = _target(top["$ref"], schema)
        if not _is_object(target):
            break
        top = target
    return cast("Mapping[str, Any]", top)


def _sample(schema: object, root: Mapping[str, Any], depth: int) -> Any:
    if not _is_object(schema) or depth > _DEEPEST:
        return _TEXT
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        choices = schema.get(key)
        if _is_list(choices) and choices:
            return choices[0]
    if isinstance(schema.get("$ref"), str):
        return _sample(_target(schema["$ref"], root), root, depth + 1)
    for key in ("oneOf", "anyOf", "allOf"):
        choices = schema.get(key)
        if _is_list(choices) and choices and "type" not in schema:
            return _sample(choices[0], root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds[0] if _is_list(kinds) and kinds else kinds
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        count = max(1, schema.get("minItems", 1))
        return [_sample(schema.get("items", {}), root, depth + 1)] * min(count, _DEEPEST)
    if kind in {"integer", "number"}:
        return _number(schema)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    text = _BY_FORMAT.get(str(schema.get("format")), _TEXT)
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]


def _number(schema: Mapping[str, Any]) -> Any:
    step = schema.get("multipleOf", 1)
    if "minimum" in schema:
        return schema["minimum"]
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + step
    if "maximum" in schema:
        return min(step, schema["maximum"])
    if "exclusiveMaximum" in schema:
        return min(step, schema["exclusiveMaximum"] - step)
    return step


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    if not _is_object(properties):
        return {}
    needed = set(cast("list[str]", schema.get("required", [])))
    return {
        name: _sample(part, root, depth + 1)
        for name, part in properties.items()
        if name in needed or (depth == 0 and _is_object(part) and part.get("examples"))
    }


def _target(reference: str, root: Mapping[str, Any]) -> object:
    """Return what `#/…` names; None where that is not known."""
    if not reference.startswith("#"):
        return None
    part: Any = root
    for token in reference.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if not _is_object(part) or key not in part:
            return None
        part = part[key]
    return part


def _is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
