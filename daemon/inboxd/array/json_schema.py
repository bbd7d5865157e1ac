"""
The door to the JSON Schema library: compile a schema, and say what does not match it.

Nothing is ever fetched: a `$ref` that leads out of the schema is an error of the schema.
Patterns run on an engine whose time is linear in the text, so look-around and back-references
are errors too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

from inboxd.array.catalog import InputProblem
from inboxd.array.problem import quoted
from inboxd.array.shape import shown, type_words
from inboxd.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from inboxd.array.catalog import InputPath

__all__ = ["SchemaCheck", "SchemaError", "compile_schema"]

#: A value with more problems than this is not looked at further.
_MOST_PROBLEMS = 100
#: Memory that one compiled pattern may take.
_PATTERN_BYTES = 1 << 20

_UNREACHABLE = re.compile(r"Resource '([^']*)' is not present|Unknown meta-schema: '([^']*)'")


#: Keywords under which a schema counts only if another one holds, or does not.
_ON_CONDITION = frozenset({"if", "then", "else", "not", "anyOf", "oneOf", "contains"})
#: What is wrong with an object or array itself, whatever the values in it are.
_OF_THE_OUTSIDE = (
    Kind.AdditionalItems,
    Kind.AdditionalProperties,
    Kind.FalseSchema,
    Kind.MaxItems,
    Kind.MaxProperties,
    Kind.MinItems,
    Kind.MinProperties,
    Kind.PropertyNames,
    Kind.Required,
    Kind.Type,
)


class SchemaError(Exception):
    """A schema that cannot be used; `path` leads to what is wrong in it, as far as is known."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        self.path = path
        super().__init__(message)


class SchemaCheck:
    """A compiled schema."""

    def __init__(self, schema: dict[str, Any] | bool, validator: jsonschema_rs.Validator) -> None:
        self._validator = validator
        self._known = _property_names(schema)

    def problems(self, value: object, *, open_at: Collection[InputPath] = ()) -> list[InputProblem]:
        """
        Return what does not match, the first 100 at most; empty when all does.

        Args:
            value: decoded JSON.
            open_at: where it holds strings that stand for values which nobody knows yet: what might
                match with some value there is no problem, and what never can is one.
        """
        try:
            if self._validator.is_valid(value):
                return []
            found: list[InputProblem] = []
            for error in self._validator.iter_errors(value):
                if open_at and _may_match(error, open_at):
                    continue
                found.extend(_problems_of(error, self._known))
                if len(found) >= _MOST_PROBLEMS:
                    break
        except ValueError as error:  # the library's own bounds, as for how deep a value may nest
            return [InputProblem(message=f"it cannot be checked against the schema: {error}")]
        return found[:_MOST_PROBLEMS]


def compile_schema(schema: object) -> SchemaCheck:
    """
    Compile a JSON Schema; without `$schema` it is one of draft 2020-12.

    Args:
        schema: decoded JSON.

    Raises:
        SchemaError: it is no schema, refers to something outside itself, or has a pattern that
            the linear engine cannot run.
    """
    if not isinstance(schema, dict | bool):
        raise SchemaError(f"a JSON Schema is an object or a boolean, not {shown(schema)}")
    checked = cast("dict[str, Any] | bool", schema)
    try:
        validator = jsonschema_rs.validator_for(
            checked,
            retriever=_refuse,
            mask="the value",
            pattern_options=jsonschema_rs.RegexOptions(
                size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES
            ),
        )
    except jsonschema_rs.ValidationError as error:
        problem = next(iter(_problems_of(error, frozenset())))
        message = _outside(error.message) or problem.message
        if isinstance(error.kind, Kind.Format) and error.kind.format == "regex":
            message = "a pattern cannot be used: look-around and back-references are not taken"
        raise SchemaError(message, problem.path) from error
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        text = str(error)
        raise SchemaError(_outside(text) or text.partition("\n")[0]) from error
    return SchemaCheck(checked, validator)


def _may_match(error: jsonschema_rs.ValidationError, open_at: Collection[InputPath]) -> bool:
    """Return whether an error might not be there with other values at *open_at*."""
    path = tuple(error.instance_path)
    if any(path[: len(place)] == place for place in open_at):
        return True
    if not _ON_CONDITION.isdisjoint(error.schema_path):
        # Which branch holds may depend on any of the values.
        return True
    holds_open = any(place[: len(path)] == path for place in open_at)
    return holds_open and not isinstance(error.kind, _OF_THE_OUTSIDE)


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not fetched")


def _outside(text: str) -> str | None:
    """Return what to say where the library's sentence is about a reference that leads outside."""
    if match := _UNREACHABLE.search(text):
        target = quoted(match[1] or match[2])
        return f"it refers to {target}, which lies outside of it: nothing is fetched"
    return None


def _problems_of(
    error: jsonschema_rs.ValidationError, known: frozenset[str]
) -> Iterator[InputProblem]:
    path = tuple(error.instance_path)
    match error.kind:
        case Kind.AdditionalProperties(unexpected) | Kind.UnevaluatedProperties(unexpected):
            for key in unexpected:
                yield InputProblem(
                    path=(*path, key),
                    message=f"{quoted(key)} is not taken",
                    hint=did_you_mean(key, sorted(known)),
                    at_key=True,
                )
        case Kind.Required(property=name):
            yield InputProblem(path=path, message=f"{quoted(name)} is missing")
        case Kind.Type(types):
            yield InputProblem(path=path, message=_wrong_type(error, types))
        case Kind.Enum(options):
            texts = [option for option in options if isinstance(option, str)]
            hint = did_you_mean(error.instance, texts) if isinstance(error.instance, str) else None
            listed = " or ".join(shown(option) for option in options[:10])
            yield InputProblem(
                path=path,
                message=f"{listed} is wanted here, not {shown(error.instance)}",
                hint=hint,
            )
        case Kind.FalseSchema():
            yield InputProblem(path=path, message="nothing may stand here")
        case Kind.AnyOf() | Kind.OneOfNotValid():
            yield InputProblem(
                path=path,
                message=f"{shown(error.instance)} matches none of the forms it may have",
            )
        case Kind.OneOfMultipleValid():
            yield InputProblem(
                path=path,
                message=f"{shown(error.instance)} matches several forms that exclude each other",
            )
        case _:
            yield InputProblem(path=path, message=_sentence(error))


def _wrong_type(error: jsonschema_rs.ValidationError, types: list[str]) -> str:
    return f"{' or '.join(type_words(types))} is wanted here, not {shown(error.instance)}"


def _sentence(error: jsonschema_rs.ValidationError) -> str:
    """Return the library's own message, cut to a bearable length."""
    return quoted(error.message).removeprefix('"').removesuffix('"')


def _property_names(schema: object) -> frozenset[str]:
    """Return all names of properties anywhere in a schema, for hints; without recursion."""
    names: set[str] = set()
    rest: list[object] = [schema]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            members = cast("dict[str, Any]", part)
            properties = members.get("properties")
            if isinstance(properties, dict):
                names.update(cast("dict[str, Any]", properties))
            rest.extend(members.values())
        elif isinstance(part, list):
            rest.extend(cast("Sequence[Any]", part))
    return frozenset(names)
