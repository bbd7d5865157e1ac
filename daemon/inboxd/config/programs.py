"""Paths in `[executors.NAME]` tables that we know of: relative ones start from their file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from inboxd.config.paths import absolute

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["with_absolute_module_path", "with_absolute_paths"]

_PATHS = ("cwd", "inputs_schema")


def with_absolute_paths(
    options: Mapping[str, Any], bases: Mapping[str, Path], environ: Mapping[str, str]
) -> dict[str, Any]:
    """
    Return the options of a program with its paths absolute; what is no path stays as it is.

    Paths are `cwd`, `inputs_schema` where it is text, and the program where it holds a slash: a
    name without one is looked for in `PATH`, as by a shell.

    Args:
        options: of one table, with `argv`.
        bases: by key: the directory of the file that says so.
        environ: where `HOME` is looked up.
    """
    result = dict(options)
    for key in _PATHS:
        value: object = options.get(key)
        if isinstance(value, str) and value and "\0" not in value:
            result[key] = str(absolute(value, base=bases[key], environ=environ))
    argv: object = options["argv"]
    words = cast("list[object]", argv) if isinstance(argv, list) else []
    program = words[0] if words else None
    if isinstance(program, str) and "/" in program and "\0" not in program:
        result["argv"] = [
            str(absolute(program, base=bases["argv"], environ=environ)),
            *words[1:],
        ]
    return result


def with_absolute_module_path(
    options: Mapping[str, Any], base: Path, environ: Mapping[str, str]
) -> dict[str, Any]:
    """
    Return the options of the executor `python` with the directories of its `path` absolute.

    Args:
        options: of its table, with `path`; what is no list of paths stays as it is.
        base: the directory of the file that says so.
        environ: where `HOME` is looked up.
    """
    value: object = options["path"]
    if not isinstance(value, list):
        return dict(options)
    directories = [
        str(absolute(one, base=base, environ=environ))
        if isinstance(one, str) and one and "\0" not in one
        else one
        for one in cast("list[object]", value)
    ]
    return {**options, "path": directories}
