"""
The executor `command`: a program with its arguments, or a shell script.

It only says what is to be run; starting it, its files, its time limit and its end are the
daemon's work, the same for every executor with isolation `command`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from inboxd.config.variables import RESERVED_VARIABLES
from inboxd.errors import NoRetry
from inboxd.executors.interpreters import code_arguments, reads_code
from inboxd.plugins.hookspecs import hookimpl
from inboxd.plugins.protocol import CommandLine, InputProblem, Isolation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inboxd.plugins.protocol import Executor, TaskContext

__all__ = ["Command", "inboxd_executors"]

#: One argument may be 32 pages long with the zero byte that ends it (MAX_ARG_STRLEN, execve(2)).
MAX_ARGUMENT_BYTES = 32 * 4096 - 1

_ONE_OF_BOTH = "one of argv and script is needed"

INPUTS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "argv": {
            "description": "The program and its arguments; no shell takes part. "
            "A value that is no string is written as compact JSON.",
            "type": "array",
            "minItems": 1,
        },
        "script": {
            "description": "A script for /bin/sh -e.",
            "type": "string",
            "minLength": 1,
        },
        "cwd": {
            "description": "Where it runs; a relative path starts at the tree's own directory, "
            "which is the default.",
            "type": "string",
            "minLength": 1,
        },
        "env": {
            "description": "Variables added to the environment. "
            "A value that is no string is written as compact JSON.",
            "type": "object",
        },
        "stdin": {
            "description": "What it reads on standard input; nothing by default. "
            "A value that is no string is written as compact JSON.",
        },
        "stdout": {
            "description": "json: all of stdout is one JSON document, and becomes the result.",
            "enum": ["text", "json"],
            "default": "text",
        },
    },
    "additionalProperties": False,
}


class Command:
    """Gives the command line for the inputs of a task."""

    name = "command"
    description = "Runs a program (argv) or a shell script (script)."
    inputs_schema: Mapping[str, Any] | None = INPUTS_SCHEMA
    isolation: str = Isolation.COMMAND
    #: What `inboxd executors command` shows: the schema cannot say that one of two is needed.
    example: Mapping[str, Any] = {"argv": ["echo", "hello"]}
    code_inputs = ("script",)

    def code_places(self, inputs: dict[str, Any]) -> list[tuple[str | int, ...]]:
        """Return the arguments that an interpreter runs as code, and stdin where it runs that."""
        argv = inputs.get("argv")
        if not isinstance(argv, list):
            # One expression may stand for all of it: then its values are looked at.
            return []
        words = [_text(word) for word in cast("Sequence[Any]", argv)]
        places: list[tuple[str | int, ...]] = [("argv", index) for index in code_arguments(words)]
        if reads_code(words):
            places.append(("stdin",))
        return places

    def input_problems(self, inputs: dict[str, Any]) -> list[InputProblem]:
        """Return what is wrong with inputs that fit the schema: all of it, in order."""
        problems = _choice_problems(inputs)
        argv = inputs.get("argv")
        if argv:
            if argv[0] == "":
                problems.append(InputProblem(path=("argv", 0), message="a program is needed"))
            for index, value in enumerate(argv):
                problems.extend(_text_problems(("argv", index), value))
        if inputs.get("script"):
            problems.extend(_text_problems(("script",), inputs["script"]))
        if "\0" in inputs.get("cwd", ""):
            problems.append(InputProblem(path=("cwd",), message=_ZERO))
        for name, value in inputs.get("env", {}).items():
            problems.extend(_variable_problems(name, value))
        return problems

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> CommandLine:
        """
        Return what is to be run.

        Raises:
            NoRetry: the inputs are not what the schema and `input_problems` ask for.
        """
        argv: list[Any] | None = inputs.get("argv")
        script: str | None = inputs.get("script")
        if (argv is None) == (script is None):
            raise NoRetry(f"inputs: {_ONE_OF_BOTH}")
        # With -c a shell that has one command left becomes that command: no fork, and signals
        # and the exit status are the command's own. The last word is $0, the name in messages.
        words = ["/bin/sh", "-e", "-c", script, "script"] if argv is None else argv
        stdin = inputs.get("stdin")
        return CommandLine(
            argv=tuple([word if type(word) is str else _compact(word) for word in words]),
            cwd=inputs.get("cwd"),
            env={
                name: value if type(value) is str else _compact(value)
                for name, value in inputs.get("env", {}).items()
            },
            stdin=None if stdin is None else _text(stdin).encode("utf-8", "surrogateescape"),
            stdout=inputs.get("stdout", "text"),
        )


_ZERO = "a zero character cannot be given to a program"


def _compact(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _text(value: Any) -> str:
    return value if type(value) is str else _compact(value)


def _choice_problems(inputs: dict[str, Any]) -> list[InputProblem]:
    if "argv" in inputs and "script" in inputs:
        return [
            InputProblem(
                path=("script",),
                message="argv and script exclude each other",
                hint="keep one of them",
                at_key=True,
            )
        ]
    if "argv" not in inputs and "script" not in inputs:
        return [InputProblem(path=(), message=_ONE_OF_BOTH, whatever_values=True)]
    return []


def _text_problems(
    path: tuple[str | int, ...], value: Any, *, before: str = ""
) -> Iterable[InputProblem]:
    """Say what is wrong with one argument, or variable: of one `NAME=` comes *before* it."""
    text = before + _text(value)
    if "\0" in text:
        yield InputProblem(path=path, message=_ZERO)
    if len(text) > MAX_ARGUMENT_BYTES // 4 and len(text.encode()) > MAX_ARGUMENT_BYTES:
        yield InputProblem(
            path=path,
            message=f"longer than the {MAX_ARGUMENT_BYTES:,} bytes that Linux allows one argument",
            hint="give it by stdin, or put it into a file",
        )


def _variable_problems(name: str, value: Any) -> Iterable[InputProblem]:
    path = ("env", name)
    if not name or "=" in name or "\0" in name:
        yield InputProblem(
            path=path, message='the name of a variable is not empty and holds no "="', at_key=True
        )
    elif name in RESERVED_VARIABLES:
        yield InputProblem(
            path=path, message=f"{name} is set by inboxd for every command", at_key=True
        )
    # To the kernel `NAME=value` is one string, with one limit.
    yield from _text_problems(path, value, before="" if "\0" in name else f"{name}=")


@hookimpl
def inboxd_executors() -> Iterable[Executor]:
    """Offer `command`."""
    return [Command()]
