"""
Pure: a text of `inputs` as its plain parts and the expressions in it.

`{{`, blanks and `tasks.` open an expression; then come a reference, `.result`, `.status` or
`.error`, a JMESPath expression over that, and `}}`. The reference is matched literally against
what the tasks of the file are called, so it may hold anything, even `}}`.
Two braces more than that, `{{{{ tasks.`, write the opening itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "LONGEST_QUERY",
    "Expression",
    "Field",
    "Mistake",
    "Parsed",
    "has_opening",
    "near_miss",
    "parse_text",
    "strings_in",
]

#: Characters of what follows the field; with a bound, the search for an end costs no more than the
#: text is long, however many openings it has.
LONGEST_QUERY = 2_000
#: A name has at most 255 characters; behind it comes the longest field with its dot.
_LONGEST_REFERENCE = 255

_OPENING = re.compile(r"(?P<braces>\{\{+)[ \t]*tasks\.")
_FIELD = re.compile(r"\.(result|status|error)(?![A-Za-z0-9_])")
_BLANKS = " \t\r\n"
#: What may hide a `}}`: JMESPath's three quotes, in which a backslash takes the next character
#: along, and its brackets. A quote by itself is one that is not closed.
_MARK = re.compile(
    r"""'(?:[^'\\]|\\.)*+' | "(?:[^"\\]|\\.)*+" | `(?:[^`\\]|\\.)*+` | ['"`()\[\]{}]""",
    re.DOTALL | re.VERBOSE,
)

#: What looks like a reference and is plain text, or is more than it was meant to be.
_NEAR_MISSES = re.compile(
    r"""
    \$\{\{[ \t]*tasks\.                                      # as in workflow files elsewhere
    | \{\{[ \t]*(?:task|steps?|jobs?|needs|nodes?)[ \t]*[.\[]
    | \{\{[ \t]*tasks[ \t]*\[
    | \{\{[ \t]*tasks[ \t]+\.
    | \{\{\s*[\r\n]\s*tasks\.
    | \{\{[ \t]*(?!tasks\.)(?i:tasks)\.
    | \$\{[ \t]*tasks\.
    | (?<!\{)\{[ \t]*tasks\.[^{}]*?\.(?:result|status|error)\b
    """,
    re.VERBOSE,
)


class Field(StrEnum):
    """What an expression reads of a task."""

    RESULT = "result"
    STATUS = "status"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """`{{ tasks.<reference>.<field><query> }}`."""

    #: As it is written: an id, or a name.
    reference: str
    field: Field
    #: What follows the field, blanks at its end cut off: "" is the whole value.
    query: str
    #: From the braces to the braces.
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """An opening behind which no expression follows."""

    #: From the braces to where it seems to end.
    source: str
    message: str = ""
    hint: str | None = None
    #: Not None: that is all that is wrong, no task is called so.
    unknown: str | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text in parts; those next to each other are not both plain."""

    parts: tuple[str | Expression | Mistake, ...]

    @property
    def single(self) -> Expression | None:
        """The expression, where the text is one and nothing else."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, Expression) else None


def has_opening(text: str) -> bool:
    """Return whether a text is not simply itself: it holds an expression, or an escaped one."""
    return "{{" in text and _OPENING.search(text) is not None


def parse_text(text: str, knows: Callable[[str], bool]) -> Parsed:
    """
    Return the parts of a text.

    Args:
        text: a string of `inputs`.
        knows: whether a task of the file is called so, by id or by name.
    """
    parts: list[str | Expression | Mistake] = []
    plain: list[str] = []
    at = 0
    while (opening := _OPENING.search(text, at)) is not None:
        braces = opening["braces"]
        if len(braces) >= 4:
            # Two braces fewer than are written, and the rest as it is.
            plain.append(text[at : opening.start()] + text[opening.start() + 2 : opening.end()])
            at = opening.end()
            continue
        start = opening.end("braces") - 2
        plain.append(text[at:start])
        part = _expression(text, start, opening.end(), knows)
        if before := "".join(plain):
            parts.append(before)
        plain.clear()
        parts.append(part)
        at = start + len(part.source)
    plain.append(text[at:])
    if rest := "".join(plain):
        parts.append(rest)
    return Parsed(tuple(parts))


def near_miss(text: str) -> str | None:
    """Return what looks like the opening of a reference but is plain text; None: nothing does."""
    if "{" not in text:
        return None
    match = _NEAR_MISSES.search(text)
    return None if match is None else match[0]


def strings_in(
    value: object, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """
    Yield every string of a decoded value with its path, keys left out; nothing recurses.

    Args:
        value: decoded JSON.
        path: of it.
    """
    rest: list[tuple[object, tuple[str | int, ...]]] = [(value, path)]
    while rest:
        part, where = rest.pop()
        if isinstance(part, str):
            yield where, part
        elif isinstance(part, dict):
            members = cast("dict[str, Any]", part)
            rest.extend((member, (*where, key)) for key, member in reversed(members.items()))
        elif isinstance(part, list):
            items = cast("Sequence[Any]", part)
            rest.extend((items[i], (*where, i)) for i in range(len(items) - 1, -1, -1))


def _expression(
    text: str, start: int, after: int, knows: Callable[[str], bool]
) -> Expression | Mistake:
    """Return what begins with the braces at *start*; `tasks.` ends at *after*."""
    found: re.Match[str] | None = None
    limit = after + _LONGEST_REFERENCE + len(".result") + 1
    for field in _FIELD.finditer(text, after, limit):
        if knows(text[after : field.start()]):
            found = field
    if found is None:
        return _no_task(text, start, after, knows)
    end = _query_end(text, found.end())
    if end is None:
        return _unclosed(text, start, found.end())
    return Expression(
        reference=text[after : found.start()],
        field=Field(found[1]),
        query=text[found.end() : end].rstrip(_BLANKS),
        source=text[start : end + 2],
    )


def _query_end(text: str, start: int) -> int | None:
    """Return where the `}}` outside of quotes and brackets begins; None: there is none."""
    depth = 0
    at, limit = start, start + LONGEST_QUERY + len("}}")
    while (mark := _MARK.search(text, at, limit)) is not None:
        at = mark.end()
        match mark[0]:
            case "{" if text.startswith("{", mark.end()):
                # JMESPath has no such thing: another expression begins before this one ended.
                return None
            case "(" | "[" | "{":
                depth += 1
            case "}" if depth == 0 and text.startswith("}}", mark.start()):
                return mark.start()
            case ")" | "]" | "}":
                depth = max(0, depth - 1)
            case "'" | '"' | "`":
                return None
            case _:
                pass
    return None


def _no_task(text: str, start: int, after: int, knows: Callable[[str], bool]) -> Mistake:
    source, inside = _seeming(text, start, after)
    field = _FIELD.search(inside)
    if field is not None:
        return Mistake(source=source, unknown=inside[: field.start()])
    written = inside.strip(_BLANKS)
    named = written if knows(written) else "NAME"
    return Mistake(
        source=source,
        message="it does not say what it reads of the task",
        hint=f"write {{{{ tasks.{named}.result }}}}, or .status or .error",
    )


def _unclosed(text: str, start: int, after: int) -> Mistake:
    source, inside = _seeming(text, start, after)
    if len(inside) > LONGEST_QUERY:
        return Mistake(
            source=source,
            message=f"its end, }}}}, does not come within {LONGEST_QUERY:,} characters",
        )
    if not source.endswith("}}"):
        return Mistake(source=source, message="its end, }}, is missing", hint="write }} behind it")
    return Mistake(
        source=source,
        message="a quote or bracket in it is not closed",
        hint="the expression ends at the first }} outside of quotes and brackets",
    )


def _seeming(text: str, start: int, after: int) -> tuple[str, str]:
    """Return the text up to the next `}}`, or to the end, and what of it follows *after*."""
    end = text.find("}}", after)
    if end < 0:
        return text[start:], text[after:]
    return text[start : end + 2], text[after:end]
