"""The executor `command`: inputs to a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inboxd.clock import SystemClock
from inboxd.errors import NoRetry
from inboxd.executors.command import Command
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.protocol import CommandLine, InputProblem
from inboxd.running.context import ContextSource

from ..running.runner_bed import attempt

CONTEXT = ContextSource(state=Path("/state"), clock=SystemClock(), max_output_bytes=1).context(
    attempt()
)


def _problems(inputs: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    """Return the problems as the check of a file finds them: the schema's, else our own."""
    found = ExecutorCatalog({"command": Command()}).input_problems("command", inputs)
    return [(one.path, one.message) for one in found]


@pytest.mark.parametrize(
    ("inputs", "line"),
    [
        ({"argv": ["ls", "-l"]}, CommandLine(argv=("ls", "-l"))),
        (
            {"argv": ["p", 1, 2.5, True, None, [1, "é"], {"a": 1}]},
            CommandLine(argv=("p", "1", "2.5", "true", "null", '[1,"é"]', '{"a":1}')),
        ),
        (
            {"script": "wc -l <data"},
            CommandLine(argv=("/bin/sh", "-e", "-c", "wc -l <data", "script")),
        ),
        (
            {"argv": ["p"], "cwd": "sub", "env": {"A": "x", "B": [1, 2]}, "stdout": "json"},
            CommandLine(argv=("p",), cwd="sub", env={"A": "x", "B": "[1,2]"}, stdout="json"),
        ),
        ({"argv": ["p"], "stdin": "text\n"}, CommandLine(argv=("p",), stdin=b"text\n")),
        ({"argv": ["p"], "stdin": {"a": [1]}}, CommandLine(argv=("p",), stdin=b'{"a":[1]}')),
        ({"argv": ["p"], "stdin": None}, CommandLine(argv=("p",))),
    ],
)
def test_inputs_become_a_command_line(inputs: dict[str, Any], line: CommandLine) -> None:
    assert Command().execute(inputs, CONTEXT) == line
    assert _problems(inputs) == []


@pytest.mark.parametrize("inputs", [{}, {"argv": ["a"], "script": "b"}])
def test_inputs_that_were_never_checked_are_not_run(inputs: dict[str, Any]) -> None:
    with pytest.raises(NoRetry, match="one of argv and script is needed"):
        Command().execute(inputs, CONTEXT)


@pytest.mark.parametrize(
    ("inputs", "path", "message"),
    [
        ({}, (), "one of argv and script is needed"),
        ({"argv": ["a"], "script": "b"}, ("script",), "argv and script exclude each other"),
        ({"argv": [""]}, ("argv", 0), "a program is needed"),
        ({"argv": ["a", "b\0c"]}, ("argv", 1), "a zero character cannot be given to a program"),
        ({"script": "a\0b"}, ("script",), "a zero character cannot be given to a program"),
        ({"argv": ["a"], "cwd": "\0"}, ("cwd",), "a zero character cannot be given to a program"),
        (
            {"argv": ["a"], "env": {"": "x"}},
            ("env", ""),
            'the name of a variable is not empty and holds no "="',
        ),
        (
            {"argv": ["a"], "env": {"A=B": "x"}},
            ("env", "A=B"),
            'the name of a variable is not empty and holds no "="',
        ),
        (
            {"argv": ["a"], "env": {"A": "\0"}},
            ("env", "A"),
            "a zero character cannot be given to a program",
        ),
        (
            {"argv": ["a"], "env": {"INBOXD_ATTEMPT": "9"}},
            ("env", "INBOXD_ATTEMPT"),
            "INBOXD_ATTEMPT is set by inboxd for every command",
        ),
        (
            {"script": "x" * 131_072},
            ("script",),
            "longer than the 131,071 bytes that Linux allows one argument",
        ),
        (
            {"argv": ["a", "é" * 65_536]},
            ("argv", 1),
            "longer than the 131,071 bytes that Linux allows one argument",
        ),
        (
            {"argv": ["a"], "env": {"A": "x" * 131_070}},  # A= counts
            ("env", "A"),
            "longer than the 131,071 bytes that Linux allows one argument",
        ),
        (
            {"argv": ["a"], "env": {"A\0": "x"}},
            ("env", "A\0"),
            'the name of a variable is not empty and holds no "="',
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is(
    inputs: dict[str, Any], path: tuple[str | int, ...], message: str
) -> None:
    assert _problems(inputs) == [(path, message)]


@pytest.mark.parametrize(
    "inputs",
    [
        {"argv": "ls"},
        {"argv": []},
        {"script": 1},
        {"script": ""},
        {"argv": ["a"], "cwd": 1},
        {"argv": ["a"], "env": []},
        {"argv": ["a"], "stdout": "xml"},
        {"argv": ["a"], "timeout": 5},
    ],
)
def test_what_the_schema_forbids_is_refused(inputs: dict[str, Any]) -> None:
    assert len(_problems(inputs)) == 1


def test_all_problems_are_told_at_once() -> None:
    problems = Command().input_problems(
        {"argv": ["", "\0"], "script": "x", "env": {"": "\0", "INBOXD_TREE_DIR": "/"}}
    )

    assert len(problems) == 6
    assert all(isinstance(one, InputProblem) for one in problems)


def test_the_largest_argument_that_linux_takes_is_taken() -> None:
    assert _problems({"script": "x" * 131_071}) == []
