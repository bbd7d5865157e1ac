"""Turning one written value into the value of its setting, or saying why it cannot be."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, assert_never, cast

from inboxd.config.keys import Kind
from inboxd.config.paths import absolute
from inboxd.config.quantities import duration_text, parse_duration, parse_size
from inboxd.config.variables import variable_problem
from inboxd.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inboxd.config.keys import Key
    from inboxd.config.layers import Written

__all__ = ["checked_value", "flag_of", "option_of"]

#: What a flag may be in the environment, where everything is text.
_FLAG_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_DATABASE_PREFIX = "sqlite:///"


def checked_value(key: Key, written: Written, environ: Mapping[str, str]) -> object:
    """
    Return the value of *key*, of the type that its dataclass wants.

    Raises:
        ValueError: it cannot be used; the text says what is wanted, without where.
    """
    match key.kind:
        case Kind.PATH:
            return _path(written, environ)
        case Kind.OPTIONAL_PATH:
            return None if written.value == "none" else _path(written, environ)
        case Kind.AUTO_PATH:
            return "auto" if written.value == "auto" else _path(written, environ)
        case Kind.DATABASE:
            return _database(written, environ)
        case Kind.DURATION:
            return _in_range(key, parse_duration(_number(written)))
        case Kind.OPTIONAL_DURATION:
            if written.value == "none":
                return None
            return _in_range(key, parse_duration(_number(written)))
        case Kind.SIZE:
            return _in_range(key, parse_size(_number(written)))
        case Kind.COUNT:
            return _in_range(key, _count(written))
        case Kind.FLAG:
            return flag_of(written)
        case Kind.STRINGS:
            return _strings(key, written)
        case Kind.CHOICE:
            return _choice(key, written)
    assert_never(key.kind)


def flag_of(written: Written) -> bool:
    """
    Return a flag; a text of the environment may also be `1`, `0`, `yes` or `no`.

    Raises:
        ValueError: it is no flag.
    """
    if isinstance(written.value, bool):
        return written.value
    if written.is_text and (word := str(written.value).lower()) in _FLAG_WORDS:
        return _FLAG_WORDS[word]
    raise ValueError("must be true or false")


def option_of(written: Written) -> object:
    """
    Return an option of a plugin or an executor, whose kind only its owner knows.

    What a file says stays as TOML gives it. A text of the environment is read as a value of TOML
    where it is one (`8`, `true`, `["a"]`, `"8"`), and is the text itself where it is none.
    """
    if not written.is_text or not isinstance(written.value, str):
        return written.value
    try:
        document = tomllib.loads(f"value = {written.value}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return written.value
    return document["value"] if len(document) == 1 else written.value


def _text(written: Written) -> str:
    if not isinstance(written.value, str):
        raise ValueError("must be text, in quotes")  # noqa: TRY004 # one kind of error for a wrong value
    if not written.value:
        raise ValueError("must not be empty")
    if "\0" in written.value:
        raise ValueError("must not hold a NUL character")
    return written.value


def _path(written: Written, environ: Mapping[str, str]) -> Path:
    return absolute(_text(written), base=written.base, environ=environ)


def _database(written: Written, environ: Mapping[str, str]) -> str:
    text = _text(written)
    file = text.removeprefix(_DATABASE_PREFIX)
    if file == text or not file:
        raise ValueError('must be "sqlite:///FILE": this version keeps its store in SQLite')
    if "?" in file or file.startswith("file:"):
        raise ValueError('must be "sqlite:///FILE" with nothing after the file\'s name')
    return _DATABASE_PREFIX + str(absolute(file, base=written.base, environ=environ))


def _number(written: Written) -> object:
    """Return a number that came as text as a number, anything else as it is."""
    if written.is_text and isinstance(written.value, str):
        try:
            return int(written.value) if written.value.isdecimal() else float(written.value)
        except ValueError:
            pass
    return written.value


def _count(written: Written) -> int:
    value = _number(written)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 # one kind of error for a wrong value
    return value


def _in_range(key: Key, number: float) -> float:
    is_duration = key.kind in {Kind.DURATION, Kind.OPTIONAL_DURATION}
    if number < key.least:
        bound = duration_text(key.least) if is_duration else f"{key.least:.0f}"
        raise ValueError(f"must be at least {bound}")
    if number > key.most:
        bound = duration_text(key.most) if is_duration else f"{key.most:.0f}"
        raise ValueError(f"must be at most {bound}")
    return number


def _strings(key: Key, written: Written) -> tuple[str, ...]:
    value = written.value
    if written.is_text and isinstance(value, str):
        value = _list_of_text(value)
    listed = cast("list[object]", value) if isinstance(value, list) else [None]
    items = tuple(item for item in listed if isinstance(item, str))
    if len(items) != len(listed):
        raise ValueError('must be a list of texts: ["a", "b"]')
    if any("\0" in item for item in items):
        raise ValueError("must not hold an empty text or a NUL character")
    # An argument of a program may be empty, its name may not.
    if not all(items[:1] if key.field == "argv" else items):
        raise ValueError("must not hold an empty text or a NUL character")
    for item in items if key.choices else ():
        _check_choice(key, item)
    if key.field == "environment":
        for item in items:
            if problem := variable_problem(item):
                raise ValueError(problem)
    return items


def _list_of_text(text: str) -> object:
    """Return the list that a text means: TOML's form, or items between commas."""
    if text.lstrip().startswith("["):
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return None
    return [item for part in text.split(",") if (item := part.strip())]


def _choice(key: Key, written: Written) -> str:
    _check_choice(key, written.value)
    return str(written.value)


def _check_choice(key: Key, value: object) -> None:
    if isinstance(value, str) and value in key.choices:
        return
    hint = did_you_mean(value, key.choices) if isinstance(value, str) else None
    words = ", ".join(f'"{choice}"' for choice in key.choices)
    what = "each must be" if key.kind is Kind.STRINGS else "must be"
    raise ValueError(f"{what} one of {words}" + (f"; {hint}" if hint else ""))
