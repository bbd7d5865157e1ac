"""
Types of inputs: the JSON Schema that is made from one, and the value of it that a task gives.

msgspec reads the type: a TypedDict, a dataclass, a `msgspec.Struct`, a class of attrs.
A class with `model_json_schema` and `model_validate`, as pydantic makes them, is asked itself.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, TypeGuard, Union, cast, get_args, get_origin, is_typeddict

import msgspec

from inboxd.array.catalog import InputProblem

__all__ = [
    "conversion_problems",
    "convert_inputs",
    "is_inputs_type",
    "makes_instances",
    "schema_of",
]

_REFERENCE = "#/$defs/"
#: What `dict[str, X]` and `Mapping[str, X]` come from.
_MAPPINGS = (dict, Mapping)

#: ``Expected `int`, got `str` - at `$.size[0].width` ``, as msgspec says it.
_AT = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>.*)`)?$", re.DOTALL)
#: What JSON Schema takes and msgspec does not: 1.0 as a whole number.
_WORDS = {"Expected `int`, got `float`": "a whole number is wanted here, written without a point"}
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]")


def schema_of(value: object) -> dict[str, Any] | None:
    """
    Return the JSON Schema (2020-12) of inputs that an executor's `inputs_schema` stands for.

    A mapping is one already, and None stays None: any object.
    In what is made from a type every object is closed, so that a typo is an error, unless the type
    itself says `additionalProperties`.

    Args:
        value: a mapping, None, or a type: TypedDict, dataclass, `msgspec.Struct`, attrs, pydantic,
            `dict[str, X]`, a union of tagged structs, or one of these in `Annotated`.

    Raises:
        TypeError: it is nothing of that kind, or has a part that JSON cannot hold.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    schema = dict(value.model_json_schema()) if _is_model(value) else _schema_of_type(value)
    _close_objects(schema)
    if not _describes_objects(schema):
        raise TypeError(f"inputs are an object, and {_shown(value)} describes something else")
    return schema


def is_inputs_type(kind: object) -> bool:
    """Whether an annotation says what the inputs are, and not only that they are a dict."""
    bare = _bare(kind)
    if get_origin(bare) in _MAPPINGS:
        return get_args(bare)[-1] not in (Any, object)
    return is_typeddict(bare) or makes_instances(bare)


def makes_instances(kind: object) -> bool:
    """Whether a type of inputs has instances of its own: not so a dict, nor a TypedDict."""
    bare = _bare(kind)
    if get_origin(bare) in (Union, UnionType):
        return all(map(makes_instances, get_args(bare)))
    return isinstance(bare, type) and _is_class_of_values(cast("type[object]", bare))


def _is_class_of_values(kind: type[object]) -> bool:
    return (
        dataclasses.is_dataclass(kind)
        or issubclass(kind, msgspec.Struct)
        or hasattr(kind, "__attrs_attrs__")
        or _is_model(kind)
    )


def _bare(kind: object) -> object:
    """Return a type without `Annotated`."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def convert_inputs(inputs: dict[str, Any], kind: Any) -> Any:
    """
    Return inputs as an instance of a type.

    Raises:
        ValueError: they are none; the text says where and why.
    """
    if _is_model(kind):
        return kind.model_validate(inputs)
    return msgspec.convert(inputs, kind)


def conversion_problems(inputs: dict[str, Any], kind: Any) -> list[InputProblem]:
    """Return why inputs that fit the schema are no instance of the type; empty: they are one."""
    try:
        convert_inputs(inputs, kind)
    except ValueError as error:  # msgspec's and pydantic's errors are ValueErrors
        return _problems_of(error)
    except TypeError as error:  # of a type's own __post_init__; msgspec wraps most of them
        return [InputProblem(message=str(error).strip() or "they are not taken")]
    return []


def _problems_of(error: ValueError) -> list[InputProblem]:
    errors = getattr(error, "errors", None)
    if callable(errors):
        facts = cast("list[Mapping[str, Any]]", errors())
        return [
            InputProblem(path=tuple(fact.get("loc", ())), message=str(fact.get("msg", error)))
            for fact in facts
        ]
    match = _AT.match(str(error))
    message, path = (match["message"], match["path"]) if match else (str(error), None)
    steps = _STEP.finditer(path or "")
    return [
        InputProblem(
            path=tuple(
                step["key"] if step["index"] is None else int(step["index"]) for step in steps
            ),
            message=_WORDS.get(message, message.strip()) or "they are not taken",
        )
    ]


class _Model:
    """What pydantic gives a class; for the type checkers only."""

    model_json_schema: Any
    model_validate: Any


def _is_model(value: object) -> TypeGuard[type[_Model]]:
    return (
        isinstance(value, type)
        and callable(getattr(value, "model_json_schema", None))
        and callable(getattr(value, "model_validate", None))
    )


def _schema_of_type(value: object) -> dict[str, Any]:
    if not (isinstance(value, type) or get_origin(value) is not None):
        raise TypeError(
            f"inputs_schema is a JSON Schema (a mapping), a type it is made from, or None, not"
            f" {_shown(value)}"
        )
    try:
        (root,), definitions = msgspec.json.schema_components(
            (value,), ref_template=_REFERENCE + "{name}"
        )
    except (TypeError, NameError, AttributeError, RecursionError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
        raise TypeError(
            f"no JSON Schema can be made from {_shown(value)}: {reason}; give a mapping instead"
        ) from error
    name = root.get("$ref", "").removeprefix(_REFERENCE)
    if name not in definitions:
        return {**root, "$defs": definitions} if definitions else root
    # Its own definition stands at the top, where people and editors look for `properties`.
    schema = {**definitions[name], **{key: part for key, part in root.items() if key != "$ref"}}
    if not _refers_to(name, definitions):
        del definitions[name]
    return {**schema, "$defs": definitions} if definitions else schema


def _refers_to(name: str, part: object) -> bool:
    """Whether anything in a schema refers to a definition."""
    match part:
        case dict():
            members = cast("dict[str, Any]", part)
            return members.get("$ref") == _REFERENCE + name or any(
                _refers_to(name, member) for member in members.values()
            )
        case list():
            items = cast("Sequence[Any]", part)
            return any(_refers_to(name, item) for item in items)
        case _:
            return False


def _close_objects(schema: dict[str, Any]) -> None:
    """Take no other keys than those that are named, wherever nothing is said about others."""
    for part in (schema, *schema.get("$defs", {}).values()):
        if isinstance(part, dict) and "properties" in part:
            cast("dict[str, Any]", part).setdefault("additionalProperties", False)


def _describes_objects(schema: Mapping[str, Any]) -> bool:
    """Whether a schema that was made from a type is one of objects: also of several forms."""
    kinds = schema.get("anyOf") or schema.get("oneOf")
    if kinds is None:
        return schema.get("type") == "object"
    definitions = schema.get("$defs", {})
    return all(
        _describes_objects(definitions.get(one.get("$ref", "").removeprefix(_REFERENCE), one))
        for one in cast("list[dict[str, Any]]", kinds)
    )


def _shown(value: object) -> str:
    return getattr(value, "__qualname__", None) or repr(value)[:100]
