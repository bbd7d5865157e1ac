"""What an executor takes, one input a line, as its schema says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from inboxd.plugins.example import top_of

__all__ = ["InputLine", "input_lines", "takes_others"]

_LONGEST_CHOICE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class InputLine:
    """One input."""

    name: str
    #: In words: `integer`, `list of string`, `"text" or "json"`, `any`.
    type: str
    is_required: bool
    #: As JSON; None: there is none.
    default: str | None
    meaning: str


def input_lines(schema: Mapping[str, Any]) -> list[InputLine]:
    """Return the inputs that a schema names, those first that must be there."""
    top = top_of(schema)
    required = top.get("required", [])
    properties: Mapping[str, Any] = top.get("properties", {})
    lines = [_line(name, part, schema, name in required) for name, part in properties.items()]
    return sorted(lines, key=lambda line: not line.is_required)


def _line(name: str, part: Any, root: Mapping[str, Any], is_required: bool) -> InputLine:
    # A property may be true or false.
    facts: Mapping[str, Any] = (
        cast("Mapping[str, Any]", part) if isinstance(part, Mapping) else dict[str, Any]()
    )
    return InputLine(
        name=name,
        type=_type_words(part, root),
        is_required=is_required,
        default=json.dumps(facts["default"], ensure_ascii=False) if "default" in facts else None,
        meaning=" ".join(str(facts.get("description", "")).split()),
    )


def takes_others(schema: Mapping[str, Any]) -> bool:
    """Return whether inputs that it does not name are taken as well."""
    top = top_of(schema)
    return top.get("additionalProperties", True) is not False and (
        top.get("unevaluatedProperties", True) is not False
    )


def _type_words(part: Any, root: Mapping[str, Any], depth: int = 0) -> str:
    if not isinstance(part, Mapping):
        return "any" if part else "none"
    schema = top_of({**cast("Mapping[str, Any]", part), "$defs": root.get("$defs", {})})
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "enum" in schema:
        words = " or ".join(json.dumps(each, ensure_ascii=False) for each in schema["enum"])
        return words if len(words) <= _LONGEST_CHOICE else words[: _LONGEST_CHOICE - 1] + "…"
    kinds = schema.get("type")
    if kinds is None:
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices and depth < 2:
            forms = [_type_words(each, root, depth + 1) for each in choices]
            return " or ".join(dict.fromkeys(forms))
        return "any"
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    if names == ["array"] and isinstance(schema.get("items"), Mapping) and depth < 2:
        return f"list of {_type_words(schema['items'], root, depth + 1)}"
    return " or ".join("list" if name == "array" else name for name in names)
