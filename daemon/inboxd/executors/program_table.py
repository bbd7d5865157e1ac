"""`[executors.NAME] argv = [...]`: from a table of the configuration to an executor."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from inboxd.array.json_schema import SchemaError, compile_schema
from inboxd.config.reading import open_regular
from inboxd.config.variables import variable_problem
from inboxd.executors.program import Program
from inboxd.names import did_you_mean, escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.plugins.protocol import TaskContext

__all__ = ["ConfiguredProgram", "checked_schema", "read_json_object"]

_KEYS = ("argv", "description", "inputs_schema", "cwd", "environment")
#: A schema is written by hand, and is compiled at every start.
_MOST_BYTES = 1024 * 1024


class ConfiguredProgram:
    """An executor of the configuration; what is wrong with its table is said by `configure`."""

    isolation: str = Program.isolation

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        """Take the table as it is, right or wrong: a wrong one is no reason to lose the others."""
        self.name = name
        self._problem: str | None = None
        try:
            self._program = _program(name, options)
        except ValueError as error:
            self._problem = str(error)
            self._program = Program(name=name, argv=("false",), description="")
        self.description = self._program.description
        self.inputs_schema = self._program.inputs_schema

    def configure(self, options: Mapping[str, Any]) -> None:
        """
        Say what is wrong with the table, which the executor was made from.

        Raises:
            ValueError: something is.
        """
        if self._problem is not None:
            raise ValueError(self._problem)

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> object:
        """Return what is to be run."""
        return self._program.execute(inputs, context)


def _program(name: str, options: Mapping[str, Any]) -> Program:
    for key in options:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS) or f"known are: enabled, {', '.join(_KEYS)}"
            raise ValueError(f'unknown key "{escaped(key)}"; {hint}')
    argv = _texts("argv", options.get("argv"))
    if not argv or not argv[0]:
        raise ValueError('argv: must begin with a program: ["/usr/local/bin/resize"]')
    description = options.get("description", f"Runs {Path(argv[0]).name}.")
    if not isinstance(description, str):
        raise ValueError("description: must be text, in quotes")  # noqa: TRY004 # one kind of error for a wrong value
    cwd = options.get("cwd")
    if cwd is not None and (not isinstance(cwd, str) or not cwd or "\0" in cwd):
        raise ValueError("cwd: must be the path of a directory, in quotes")
    return Program(
        name=name,
        argv=argv,
        description=description,
        inputs_schema=_schema(options.get("inputs_schema")),
        cwd=cwd,
        env=_environment(_texts("environment", options.get("environment", []))),
    )


def _texts(key: str, value: object) -> tuple[str, ...]:
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    texts = tuple(item for item in items if isinstance(item, str))
    if len(texts) != len(items):
        raise ValueError(f'{key}: must be a list of texts: ["a", "b"]')
    if any("\0" in text for text in texts):
        raise ValueError(f"{key}: must not hold a NUL character")
    return texts


def _environment(items: tuple[str, ...]) -> dict[str, str]:
    """Return variables: `NAME=value` sets one, `NAME` hands the daemon's own value on."""
    environment: dict[str, str] = {}
    for item in items:
        name, has_value, value = item.partition("=")
        if problem := variable_problem(item):
            raise ValueError(f"environment: {problem}")
        if has_value:
            environment[name] = value
        elif name in os.environ:
            environment[name] = os.environ[name]
    return environment


def _schema(value: object) -> dict[str, Any] | None:
    if value is None:
        return None
    if isinstance(value, dict):
        return checked_schema(cast("dict[str, Any]", value), "inputs_schema")
    if not isinstance(value, str) or not value:
        raise ValueError("inputs_schema: must be a table, or the path of a JSON file")
    where = f"inputs_schema: {escaped(value)}"
    return checked_schema(read_json_object(Path(value), where), where)


def checked_schema(schema: dict[str, Any], where: str) -> dict[str, Any]:
    """
    Return a schema that can be used.

    Raises:
        ValueError: it cannot; the text begins with *where*.
    """
    try:
        compile_schema(schema)
    except (SchemaError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: is no JSON Schema: {escaped(str(error))}") from error
    return schema


def read_json_object(path: Path, where: str) -> dict[str, Any]:
    """
    Return the JSON object in a file.

    Raises:
        ValueError: there is none; the text begins with *where*.
    """
    try:
        with open_regular(path) as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise ValueError(f"{where}: larger than {_MOST_BYTES} bytes")
        value: object = json.loads(data)
    except OSError as error:
        raise ValueError(f"{where}: cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{where}: is no JSON: {escaped(str(error))}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{where}: holds no JSON object")  # noqa: TRY004 # one kind of error for a wrong value
    return cast("dict[str, Any]", value)
