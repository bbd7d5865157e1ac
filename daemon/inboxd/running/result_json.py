"""
Pure: an executor's result as JSON, and whether the JSON says what was returned.

msgspec writes some values as others without a word: NaN as null, a set in any order, bytes as
base64, the key 1 as "1". A dependant would read what nobody returned.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import PurePath
from typing import cast

import msgspec

__all__ = ["encoded_result", "why_not_faithful"]

#: Nothing of these can be lost. (A float can, and a float is no int.)
_PLAIN = (str, int, bool, type(None))
_NO_JSON = (set, frozenset, bytes, bytearray, memoryview)


def encoded_result(value: object) -> bytes:
    """
    Return a result as JSON, which may say something else: ask `why_not_faithful`.

    Raises:
        ValueError: it cannot be written as JSON; the text says why.
    """
    try:
        return msgspec.json.encode(value, enc_hook=_mapping)
    except RecursionError as error:
        raise ValueError("it is nested too deeply, or holds itself") from error
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise ValueError(str(error)) from error


def _mapping(value: object) -> dict[object, object]:
    """
    Return a mapping of whatever kind, as `context.dependencies` is one, as a dict.

    Raises:
        TypeError: it is none, or cannot be read; the text says what to return instead.
    """
    if isinstance(value, Mapping):
        try:
            return dict(cast("Mapping[object, object]", value))
        except Exception as error:
            raise TypeError(f"it cannot be read: {type(error).__name__}: {error}") from error
    name = type(value).__qualname__
    if inspect.isawaitable(value) or inspect.isasyncgen(value):
        if inspect.iscoroutine(value):
            value.close()  # who never awaits it is warned of it otherwise
        raise TypeError(f"{name} is no value yet; write await before the call")
    if isinstance(value, PurePath):
        raise TypeError(f"{name} is none of JSON; write str(path)")
    if isinstance(value, Iterator):
        raise TypeError(f"{name} is used up by being read; write list(…)")
    raise TypeError(f"Encoding objects of type {name} is unsupported")


def why_not_faithful(value: object, encoded: bytes) -> str | None:
    """
    Return what in a result JSON cannot say, None when *encoded* says what *value* is.

    What is read back equal is the same: that is fast, and true of what nearly everybody returns.
    Only what is not, a tuple or a date, is looked at piece by piece.
    """
    if type(value) in _PLAIN:
        return None
    try:
        if msgspec.json.decode(encoded) == value:
            return None
    except Exception:  # noqa: S110 - the comparison may be a foreign object's
        pass
    return _first_problem(value)


def _first_problem(value: object) -> str | None:
    #: What is still to be looked at, the next one last, each with where it is.
    left: list[tuple[str, object]] = [("", value)]
    while left:
        where, part = left.pop()
        if isinstance(part, Enum):
            part = part.value
        if (problem := _problem_of(part)) is not None:
            return f"{problem} at {where}" if where else problem
        for key in _other_keys(part):
            at = f" at {where}" if where else ""
            return f"the key {repr(key)[:50]}{at} is no string; write str(key)"
        members = [
            (f"{where}{step}".lstrip("."), member)
            for step, member in _members(part)
            if type(member) not in _PLAIN
        ]
        left += reversed(members)
    return None


def _other_keys(part: object) -> Iterator[object]:
    """Give the keys of a dict that are no strings."""
    if isinstance(part, Mapping):
        for key in cast("Mapping[object, object]", part):
            if not isinstance(key, str):
                yield key


def _members(part: object) -> Iterator[tuple[str, object]]:
    """Give what a value holds, each with the step to it."""
    match part:
        case Mapping():
            for key, member in cast("Mapping[object, object]", part).items():
                yield f".{key}", member
        case list() | tuple():
            for place, member in enumerate(cast("list[object]", part)):
                yield f"[{place}]", member
        case _:
            for name in _fields(part):
                yield f".{name}", getattr(part, name)


def _problem_of(part: object) -> str | None:
    """Return why one value is none of JSON, whatever it holds."""
    if isinstance(part, float) and not math.isfinite(part):
        return f"JSON has no {'NaN' if math.isnan(part) else 'Infinity'}; write None for no number"
    if isinstance(part, set | frozenset):
        return "a set has no order; write sorted(…)"
    if isinstance(part, _NO_JSON):
        return "JSON has no bytes; decode them to a string"
    if isinstance(part, msgspec.Raw):
        return "msgspec.Raw is not looked into; return the value itself"
    return None


def _fields(part: object) -> list[str]:
    """Return the names of what an object with fields holds; none for anything else."""
    if isinstance(part, msgspec.Struct):
        names = list(part.__struct_fields__)
    elif dataclasses.is_dataclass(part) and not isinstance(part, type):
        names = [field.name for field in dataclasses.fields(part)]
    else:
        names = [one.name for one in getattr(type(part), "__attrs_attrs__", ())]
    return [name for name in names if hasattr(part, name)]
