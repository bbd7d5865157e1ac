"""`[executors.python]`: which functions a task file may name, and where they are found."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from inboxd.config.quantities import parse_size
from inboxd.names import did_you_mean, escaped

__all__ = ["SETTINGS", "Allowed", "PythonSettings", "python_settings"]

SETTINGS = ("allow", "path", "max_memory")
_WILD = "*?["
#: Python itself with a few modules takes some 100 MiB of address space.
_LEAST_MEMORY_BYTES = 128 * 1024 * 1024
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of `allow`: patterns of a shell for the module and for each part of the name."""

    module: str
    function: str

    @property
    def is_pattern(self) -> bool:
        """Whether it may mean more than one function of a module."""
        return any(character in self.function for character in _WILD)

    def fits(self, module: str, function: str) -> bool:
        """Whether it allows a function; a `*` stands for no dot in the function's name."""
        parts, patterns = function.split("."), self.function.split(".")
        return (
            fnmatchcase(module, self.module)
            and len(parts) == len(patterns)
            and all(map(fnmatchcase, parts, patterns))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonSettings:
    """The table, checked."""

    allow: tuple[Allowed, ...] = ()
    #: Absolute directories, put before the others that modules are imported from.
    path: tuple[str, ...] = ()
    max_memory_bytes: int | None = None

    def allowing(self, named: str) -> Allowed | None:
        """Return what allows a function: an entry with its own name before a pattern."""
        module, _, function = named.partition(":")
        fitting = [one for one in self.allow if one.fits(module, function)]
        return min(fitting, key=lambda one: one.is_pattern, default=None)

    @property
    def functions(self) -> list[str]:
        """The functions that are allowed by name."""
        return [
            f"{one.module}:{one.function}"
            for one in self.allow
            if not any(character in one.module + one.function for character in _WILD)
        ]

    def problem_of(self, named: object) -> tuple[str, str] | None:
        """Return what is wrong with the name of a function, and what to do; None: nothing."""
        if not isinstance(named, str) or not _is_name(named):
            shown = escaped(repr(named))[:100]
            return (
                f"a function is written as package.module:function, and no part of it begins with"
                f" _; not as {shown}",
                "a method of a class is package.module:Class.method",
            )
        if self.allowing(named) is not None:
            return None
        meant = did_you_mean(named, self.functions)
        return (
            f"{named} is not allowed",
            f"{meant} Otherwise " * (meant is not None)
            + f'the setting executors.python.allow = ["{named}"] allows it',
        )


def python_settings(options: Mapping[str, Any]) -> PythonSettings:
    """
    Check a table.

    Raises:
        ValueError: with what is wrong.
    """
    for key in options:
        if key not in SETTINGS:
            hint = did_you_mean(key, SETTINGS) or f"there are: {', '.join(SETTINGS)}"
            raise ValueError(f"there is no setting `{key}`; {hint}")
    most = options.get("max_memory")
    if most is not None:
        try:
            most = parse_size(most)
        except ValueError as error:
            raise ValueError(f"max_memory: {error}") from error
        if most < _LEAST_MEMORY_BYTES:
            raise ValueError("max_memory: Python itself needs more; give at least 128MiB")
    return PythonSettings(
        allow=tuple(_allowed(text) for text in _texts(options, "allow")),
        path=tuple(_directory(text) for text in _texts(options, "path")),
        max_memory_bytes=most,
    )


def _texts(options: Mapping[str, Any], key: str) -> list[str]:
    value = options.get(key, [])
    if isinstance(value, list):
        items = cast("list[object]", value)
        texts = [item for item in items if isinstance(item, str)]
        if len(texts) == len(items):
            return texts
    raise ValueError(f"{key}: a list of texts is wanted, not {value!r}")


def _allowed(text: str) -> Allowed:
    module, colon, function = text.partition(":")
    if not colon or not module or not function or ":" in function:
        raise ValueError(
            f'allow: "{text}" is not of the form module:function; `*` stands for many, as in'
            ' "jobs.*:*"'
        )
    return Allowed(module, function)


def _is_name(named: str) -> bool:
    module, colon, function = named.partition(":")
    parts = [*module.split("."), *function.split(".")]
    return colon == ":" and all(one.isidentifier() and not one.startswith("_") for one in parts)


def _directory(text: str) -> str:
    """Return a directory as it is put on `sys.path`, if nobody else can put code there."""
    # The configuration has made it so, from the file that says it.
    if not os.path.isabs(text):  # noqa: PTH117 - also of what is no path
        raise ValueError(f'path: "{text}" is not absolute')
    path = Path(text)
    try:
        resolved = path.resolve(strict=True)
        facts = resolved.stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ValueError(f"path: {escaped(text)}: {reason}") from error
    if not stat.S_ISDIR(facts.st_mode):
        raise ValueError(f"path: {text} is no directory")
    for one in (resolved, *resolved.parents):
        facts = one.stat()
        is_sticky = one != resolved and facts.st_mode & stat.S_ISVTX
        if (facts.st_mode & _OTHERS_MAY_WRITE and not is_sticky) or facts.st_uid not in (
            0,
            os.geteuid(),
        ):
            raise ValueError(
                f"path: others may write to {one}, so that they could run code as you;"
                f" `chmod go-w {one}`, and let it be yours or root's"
            )
    return str(resolved)
