"""
Check a decoded value against a field's schema, and say what is wrong in the words of a person.

Only the keywords that `fields` uses for types, ranges, choices and known keys; patterns and what
relates fields to each other is checked where the values are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from inboxd.array.problem import Finding, Path, ProblemCode, quoted
from inboxd.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from inboxd.array.fields import Schema

__all__ = ["check_shape", "shown", "type_name", "type_words"]

_TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
}


def type_name(value: object) -> str:
    """Return the JSON Schema type of a decoded value; true and false are no numbers."""
    match value:
        case bool():
            return "boolean"
        case None:
            return "null"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def shown(value: object) -> str:
    """Return a decoded value as it is named in a message: short, and as JSON where it is."""
    match value:
        case str():
            return quoted(value)
        case dict() | list():
            return _TYPE_WORDS[type_name(cast("object", value))]
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case _:
            return quoted(repr(value)).strip('"')


def type_words(types: Iterable[str]) -> list[str]:
    """Return JSON Schema types in the words of messages."""
    return [_TYPE_WORDS.get(name, name) for name in types]


def check_shape(value: object, schema: Schema, path: Path) -> Iterator[Finding]:
    """
    Yield what is wrong with the form of a value, and of what lies in it.

    Args:
        value: decoded JSON.
        schema: one of `fields`.
        path: of the value.
    """
    types = schema.get("type")
    if types is not None:
        allowed: list[str] = [types] if isinstance(types, str) else types
        if not _is_of(value, allowed):
            yield _wrong_type(value, allowed, path)
            return
    if isinstance(value, str):
        yield from _check_text(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _check_number(value, schema, path)
    elif isinstance(value, dict):
        yield from _check_object(cast("dict[str, Any]", value), schema, path)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(cast("Sequence[Any]", value)):
            yield from check_shape(item, schema["items"], (*path, index))


def _is_of(value: object, allowed: list[str]) -> bool:
    name = type_name(value)
    return name in allowed or (name == "integer" and "number" in allowed)


def _wrong_type(value: object, allowed: list[str], path: Path) -> Finding:
    wanted = " or ".join(type_words(allowed))
    hint = None
    if (isinstance(value, str) and "integer" in allowed and value.lstrip("-").isdecimal()) or (
        isinstance(value, str) and "boolean" in allowed and value.lower() in ("true", "false")
    ):
        hint = "write it without the quotes"
    elif isinstance(value, str) and "array" in allowed:
        hint = "put it in [ ]"
    elif value is None:
        hint = "leave the field out"
    elif isinstance(value, float) and "integer" in allowed:
        hint = "write it without a fraction"
    return Finding(
        code=ProblemCode.WRONG_TYPE,
        path=path,
        message=f"{wanted} is wanted here, not {shown(value)}",
        hint=hint,
    )


def _check_text(value: str, schema: Schema, path: Path) -> Iterator[Finding]:
    choices: list[str] = schema.get("enum", [])
    if choices and value not in choices:
        yield Finding(
            code=ProblemCode.INVALID_VALUE,
            path=path,
            message=f"{_listed(choices)} is wanted here, not {quoted(value)}",
            hint=did_you_mean(value, choices),
        )
    if len(value) < schema.get("minLength", 0):
        yield Finding(
            code=ProblemCode.INVALID_VALUE,
            path=path,
            message="the text is empty",
            hint="write something, or leave the field out",
        )
    longest: int | None = schema.get("maxLength")
    if longest is not None and len(value) > longest and "pattern" not in schema:
        is_name = bool(path) and path[-1] == "name"
        yield Finding(
            code=ProblemCode.NAME_TOO_LONG if is_name else ProblemCode.OUT_OF_RANGE,
            path=path,
            message=f"the text has {len(value):,} characters; at most {longest} are taken",
        )


def _listed(choices: list[str]) -> str:
    return " or ".join(f'"{choice}"' for choice in choices)


def _check_number(value: float, schema: Schema, path: Path) -> Iterator[Finding]:
    smallest, largest = schema.get("minimum"), schema.get("maximum")
    too_small = smallest is not None and value < smallest
    too_small = too_small or ("exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"])
    if too_small or (largest is not None and value > largest):
        if smallest is None:
            wanted = f"a number above {schema['exclusiveMinimum']}, and at most {largest:,.0f}"
        else:
            wanted = f"a number from {smallest} to {largest:,.0f}"
        yield Finding(
            code=ProblemCode.OUT_OF_RANGE,
            path=path,
            message=f"{wanted} is wanted here, not {shown(value)}",
        )


def _check_object(value: Mapping[str, Any], schema: Schema, path: Path) -> Iterator[Finding]:
    properties: dict[str, Schema] = schema.get("properties", {})
    if schema.get("additionalProperties", True):
        return
    for key, member in value.items():
        if key in properties:
            yield from check_shape(member, properties[key], (*path, key))
        elif not ("patternProperties" in schema and key.startswith("x-")):
            yield _unknown_field(key, properties, "patternProperties" in schema, path)


def _unknown_field(
    key: str, properties: Mapping[str, Schema], takes_own: bool, path: Path
) -> Finding:
    own = "keys of your own begin with x-" if takes_own else None
    return Finding(
        code=ProblemCode.UNKNOWN_FIELD,
        path=(*path, key),
        message=f"there is no field {quoted(key)} here",
        hint=did_you_mean(key, properties) or own,
        at_key=True,
    )
