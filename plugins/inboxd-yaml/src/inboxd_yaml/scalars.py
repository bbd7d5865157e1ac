"""
What plain text in YAML means: the core schema of YAML 1.2.2 (section 10.3), and nothing more.

So `no`, `on`, `off`, `y`, `12:30`, `1_000` and `2026-11-24` are text, as they look, where YAML 1.1
made booleans, numbers in base 60 and dates of them.
Two departures, both errors rather than another value: what JSON cannot hold (`.inf`, `.nan`), and
a number with a leading zero, which was octal in YAML 1.1, is decimal in 1.2, and mostly is meant
as text (a zip code, a file mode, a hash).
"""

from __future__ import annotations

import math
import re
from typing import TypeAlias

from inboxd.plugins.protocol import ParseProblem

__all__ = ["Scalar", "plain_value", "tagged_value"]

Scalar: TypeAlias = "str | int | float | bool | None"

#: A number with more digits is refused, as in JSON (docs/reference/task-file.md).
_MOST_DIGITS = 100

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

#: What a number may begin with; everything else is text, at once.
_NUMBER_STARTS = frozenset("0123456789+-.")

_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o([0-7]+)")
_HEXADECIMAL = re.compile(r"0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")

_TAG_PREFIX = "tag:yaml.org,2002:"


def plain_value(text: str) -> Scalar:
    """
    Return what text without quotes and without a tag means.

    Raises:
        ParseProblem: it means something that a task file cannot hold; without a place.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INTEGER.fullmatch(text):
        _check_number(text)
        return int(text)
    if match := _OCTAL.fullmatch(text):
        return _in_base(match[1], 8)
    if match := _HEXADECIMAL.fullmatch(text):
        return _in_base(match[1], 16)
    if _FLOAT.fullmatch(text):
        _check_number(text)
        number = float(text)
        if math.isinf(number):
            raise ParseProblem(
                f"the number {text} is larger than a double can be",
                hint="write it as text, in quotes",
                code="not_finite",
            )
        return number
    if _NOT_FINITE.fullmatch(text):
        raise ParseProblem(
            f"{text} is a number that JSON does not have, and so no task can be given",
            hint="write null, leave the field out, or put it in quotes",
            code="not_finite",
        )
    return text


def _check_number(text: str) -> None:
    digits = sum(character.isdigit() for character in text)
    if digits > _MOST_DIGITS:
        raise _too_many_digits(digits)
    if _LEADING_ZERO.match(text):
        raise ParseProblem(
            f"the number {text} has a leading zero, which means different things in YAML 1.1 and"
            " 1.2",
            hint=f'write "{text}" for text, or the number without the zero (octal: 0o17)',
        )


def _in_base(digits: str, base: int) -> int:
    if len(digits) > _MOST_DIGITS:
        raise _too_many_digits(len(digits))
    return int(digits, base)


def _too_many_digits(count: int) -> ParseProblem:
    return ParseProblem(
        f"the number has {count:,} digits; at most {_MOST_DIGITS} are read",
        hint="write it as text, in quotes",
        code="out_of_range",
    )


def tagged_value(tag: str, text: str) -> Scalar:
    """
    Return what text under a tag means; only the tags of the core schema are known.

    Raises:
        ParseProblem: the text is not of that kind, or the tag is another; without a place.
    """
    kind = tag.removeprefix(_TAG_PREFIX)
    if tag == "!" or kind == "str":
        return text
    if tag == kind or kind not in _KINDS:
        raise unknown_tag(tag)
    value = plain_value(text)
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value) is not _KINDS[kind]:
        raise ParseProblem(f'"{text[:80]}" is no !!{kind}', code="wrong_type")
    return value


_KINDS: dict[str, type] = {"null": type(None), "bool": bool, "int": int, "float": float}


def unknown_tag(tag: str) -> ParseProblem:
    """Return what is said of a tag that is not one of the core schema, or not fit here."""
    shown = tag.replace(_TAG_PREFIX, "!!", 1)[:80]
    return ParseProblem(
        f"the tag {shown} is not taken: a task file holds text, numbers, true, false, null, lists"
        " and mappings",
        hint="remove the tag; put quotes around what is to be text",
    )
