"""
An executor's schema of inputs as parts of another schema, which take expressions for values.

An executor's schema is a document of its own: `#` in it is its own top, and what it calls
`$defs/item` has nothing to do with another's. Editors do not agree on what an embedded `$id` means,
so each part that is referred to becomes an entry of the one `$defs`, and references lead there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard, cast
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["EXPRESSION", "HOLDS_EXPRESSION", "Embedded", "NotEmbeddable", "embed"]

#: The names of the two parts that every composed schema has in `$defs`.
EXPRESSION, HOLDS_EXPRESSION = "expression", "holds_expression"

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

#: Schemas about the same value (JSON Schema 2020-12, section 10.2), and about parts of it (10.3).
_SAME = frozenset({"not", "if", "then", "else"})
_SAME_IN_LIST = frozenset({"allOf", "anyOf", "oneOf"})
_SAME_BY_NAME = frozenset({"dependentSchemas"})
_PART = frozenset(
    {"items", "contains", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"}
)
_PART_IN_LIST = frozenset({"prefixItems"})
_PART_BY_NAME = frozenset({"properties", "patternProperties"})

#: Left out of the copy: where it is the copy's own matter, or what is referred to is copied anyway.
_LEFT_OUT = frozenset({"$schema", "$id", "$anchor", "$defs", "definitions", "$vocabulary"})
#: These depend on what surrounds a schema at run time.
_NOT_TAKEN = frozenset({"$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"})
#: With these a value that matches more can make the whole match less.
_TURNS_AROUND = frozenset({"not", "if", "oneOf", "maxContains", "uniqueItems"})
#: They say nothing about what may stand there.
_NOTES = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
    | {"$comment"}
)
#: What is said of the members of an object one by one.
_OF_MEMBERS = ("type", "properties", "patternProperties", "additionalProperties", "propertyNames")


class NotEmbeddable(Exception):
    """A schema that is right, but cannot become a part of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The parts that one schema became."""

    #: The name of the part that stands for the whole.
    whole: str
    #: The name of the part that takes an object of which some members may be missing.
    members: str
    #: By name; to be merged into `$defs`.
    parts: dict[str, Any]


def embed(schema: Mapping[str, Any], name: str) -> Embedded:
    """
    Return a schema as parts of another, which take an expression wherever a value may stand.

    Args:
        schema: a schema of draft 2020-12 that compiles, of an object.
        name: of its parts; letters, digits and `._:-`.

    Raises:
        NotEmbeddable: it is of another draft, has parts with an `$id`, or refers by `$dynamicRef`.
    """
    if schema.get("$schema", _DRAFT).rstrip("#") != _DRAFT:
        raise NotEmbeddable(f"it is of {schema['$schema']}")
    work = _Work(root=schema, name=name)
    whole = work.part_for("")
    while work.waiting:
        part, pointer = work.waiting.popitem()
        target = work.target(pointer)
        work.parts[part] = work.copied(target) if _is_object(target) else target
    members = f"{name}@members"
    work.parts[members] = _members_of(work.parts, work.parts[whole])
    if work.turns_around:
        for part in (whole, members):
            either = [work.parts[part], {"$ref": f"#/$defs/{HOLDS_EXPRESSION}"}]
            work.parts[part] = {"anyOf": either}
    return Embedded(whole=whole, members=members, parts=work.parts)


def _members_of(parts: Mapping[str, Any], part: Any) -> Any:
    """Return what a part says of the members of an object, without what must be there."""
    seen: list[Any] = []
    while _is_object(part) and "properties" not in part and "$ref" in part:
        if part in seen:
            return {}
        seen.append(part)
        part = parts.get(part["$ref"].removeprefix("#/$defs/"))
    if not _is_object(part):
        return {}
    return {key: value for key, value in part.items() if key in _OF_MEMBERS}


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


@dataclass(slots=True, kw_only=True)
class _Work:
    """One schema on its way into another."""

    root: Mapping[str, Any]
    name: str
    #: Parts by name: those that are made, and those that wait, with their pointer in the schema.
    parts: dict[str, Any] = field(default_factory=dict[str, Any])
    waiting: dict[str, str] = field(default_factory=dict[str, str])
    #: Whether an expression could make something match less.
    turns_around: bool = False
    _names: dict[str, str] = field(default_factory=dict[str, str])

    def part_for(self, pointer: str) -> str:
        """Return the name of the part that a pointer into the schema becomes."""
        if pointer not in self._names:
            number = len(self._names)
            self._names[pointer] = f"{self.name}@{number}" if number else self.name
            self.waiting[self._names[pointer]] = pointer
        return self._names[pointer]

    def target(self, pointer: str) -> Any:
        """Return what a JSON Pointer into the schema names."""
        part: Any = self.root
        for token in pointer.split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            try:
                part = part[key] if _is_object(part) else part[int(key)]
            except (LookupError, TypeError, ValueError) as error:
                raise NotEmbeddable(f"nothing is at #{pointer}") from error
        return part

    def copied(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy whose references lead to parts, and whose values may be expressions."""
        if "$id" in schema and schema is not self.root:
            raise NotEmbeddable(f"a part of it has an $id, {schema['$id']}")
        copy: dict[str, Any] = {}
        for key, value in schema.items():
            if key in _NOT_TAKEN:
                raise NotEmbeddable(f"it uses {key}")
            if key in _LEFT_OUT:
                continue
            self.turns_around |= key in _TURNS_AROUND
            copy[key] = self._member(key, value)
        return copy

    def _member(self, key: str, value: Any) -> Any:
        if key == "$ref":
            return f"#/$defs/{self.part_for(self._pointer(value))}"
        if key in _SAME or key == "propertyNames":
            return self._same(value)
        if key in _SAME_IN_LIST:
            return list(map(self._same, value))
        if key in _SAME_BY_NAME:
            return _each(self._same, value)
        if key in _PART:
            return self._value(value)
        if key in _PART_IN_LIST:
            return list(map(self._value, value))
        if key in _PART_BY_NAME:
            return _each(self._value, value)
        return value

    def _same(self, schema: Any) -> Any:
        return self.copied(schema) if _is_object(schema) else schema

    def _value(self, schema: Any) -> Any:
        """Return the copy of a schema of a value, for which an expression may stand as well."""
        copy = self._same(schema)
        if not _is_object(copy) or copy.keys() <= _NOTES:
            return copy  # nothing may stand there, or anything
        notes = {key: copy[key] for key in copy.keys() & _NOTES}
        return {**notes, "anyOf": [copy, {"$ref": f"#/$defs/{EXPRESSION}"}]}

    def _pointer(self, reference: str) -> str:
        """Return the pointer that a reference within the schema leads to."""
        own = self.root.get("$id", "")
        inside = reference.removeprefix(own) if own and reference.startswith(own) else reference
        if inside and not inside.startswith("#"):
            raise NotEmbeddable(f"it refers to {reference}")
        fragment = unquote(inside[1:])
        if not fragment or fragment.startswith("/"):
            return fragment
        found = _pointer_of_anchor(self.root, fragment)
        if found is None:
            raise NotEmbeddable(f"it refers to {reference}")
        return found


def _each(function: Callable[[Any], Any], members: Mapping[str, Any]) -> dict[str, Any]:
    return {key: function(member) for key, member in members.items()}


def _pointer_of_anchor(root: Mapping[str, Any], anchor: str) -> str | None:
    rest: list[tuple[Any, str]] = [(root, "")]
    while rest:
        part, pointer = rest.pop()
        if _is_object(part):
            if part.get("$anchor") == anchor:
                return pointer
            rest.extend((member, f"{pointer}/{_token(key)}") for key, member in part.items())
        elif isinstance(part, list):
            items = cast("Sequence[Any]", part)
            rest.extend((item, f"{pointer}/{index}") for index, item in enumerate(items))
    return None


def _token(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
