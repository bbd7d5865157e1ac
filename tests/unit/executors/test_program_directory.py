"""Programs in the directory, and in tables of the configuration: what is refused, and why."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from inboxd.clock import SystemClock
from inboxd.executors.program_directory import (
    ProgramRefused,
    directory_problem,
    program_names,
    program_of,
    programs_refused,
)
from inboxd.executors.program_table import ConfiguredProgram
from inboxd.plugins.protocol import CommandLine
from inboxd.running.context import ContextSource

from ..running.runner_bed import attempt


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "executors"
    path.mkdir(mode=0o755)
    path.chmod(0o755)
    return path


def program(path: Path, mode: int = 0o755) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def beside(path: Path, document: object) -> None:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    path.chmod(0o644)


def refusal(directory: Path, name: str) -> str:
    with pytest.raises(ProgramRefused) as caught:
        program_of(directory, name)
    return str(caught.value).removeprefix(f"{directory}/")


def test_a_program_has_the_name_of_its_file(directory: Path) -> None:
    program(directory / "report.py")

    found = program_of(directory, "report.py")

    assert found is not None
    assert (found.name, found.description, found.inputs_schema) == (
        "report.py",
        "Runs report.py.",
        None,
    )
    assert program_of(directory, "report") is None


def test_a_file_beside_it_describes_it(directory: Path) -> None:
    program(directory / "a")
    beside(directory / "a.json", {"description": "Does a.", "inputs_schema": {"type": "object"}})

    found = program_of(directory, "a")

    assert found is not None
    assert (found.description, found.inputs_schema) == ("Does a.", {"type": "object"})


def test_no_name_leads_out_of_the_directory(directory: Path) -> None:
    program(directory.parent / "outside")

    for name in ("../outside", "..", ".", ".hidden", "a/b", "none"):
        assert program_of(directory, name) is None


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (0o644, "a: may not be executed; chmod +x"),
        (0o775, "a: others may write to it, and so have inboxd run what they want; chmod go-w"),
        (0o757, "a: others may write to it, and so have inboxd run what they want; chmod go-w"),
    ],
)
def test_a_program_with_a_wrong_mode_is_refused(directory: Path, mode: int, reason: str) -> None:
    program(directory / "a", mode)

    assert refusal(directory, "a").startswith(reason)


def test_what_is_no_regular_file_is_refused(directory: Path) -> None:
    (directory / "a").mkdir()
    os.mkfifo(directory / "b", 0o700)

    assert refusal(directory, "a") == "a: is no regular file"
    assert refusal(directory, "b") == "b: is no regular file"


def test_a_link_within_the_directory_is_followed_and_no_other(directory: Path) -> None:
    program(directory / "a")
    program(directory.parent / "outside")
    (directory / "inside").symlink_to("a")
    (directory / "out").symlink_to("../outside")
    (directory / "loop").symlink_to("loop")
    (directory / "gone").symlink_to("nothing")

    assert program_of(directory, "inside") is not None
    assert refusal(directory, "out").startswith("out: is a link that leads out of the directory")
    assert refusal(directory, "loop").startswith("loop: cannot be read")
    assert refusal(directory, "gone").startswith("gone: cannot be read")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "a.json: is no JSON"),
        ([], "a.json: holds no JSON object"),
        ({"descripton": "x"}, 'a.json: unknown key "descripton"; known are: description'),
        ({"inputs_schema": {"type": "objekt"}}, "a.json: is no JSON Schema"),
    ],
)
def test_a_wrong_description_refuses_the_program(
    directory: Path, document: object, reason: str
) -> None:
    program(directory / "a")
    beside(directory / "a.json", document)

    assert refusal(directory, "a").startswith(reason)


def test_a_description_that_others_may_change_refuses_the_program(directory: Path) -> None:
    program(directory / "a")
    beside(directory / "a.json", {})
    (directory / "a.json").chmod(0o666)

    assert refusal(directory, "a").startswith("a.json: others may write to it")


def test_a_directory_that_others_may_write_to_refuses_all(directory: Path) -> None:
    program(directory / "a")
    directory.chmod(0o777)

    assert "others may write to it" in str(directory_problem(directory))
    with pytest.raises(ProgramRefused):
        program_of(directory, "a")


def test_a_directory_that_others_may_replace_refuses_all(directory: Path) -> None:
    program(directory / "a")
    directory.parent.chmod(0o777)

    assert "put other programs in the place of these" in str(directory_problem(directory))

    directory.parent.chmod(0o1777)
    assert directory_problem(directory) is None


def test_a_link_to_a_directory_is_looked_at_on_its_whole_way(directory: Path) -> None:
    program(directory / "a")
    open_to_all = directory.parent / "open"
    open_to_all.mkdir()
    link = open_to_all / "link"
    link.symlink_to(directory)
    assert program_of(link, "a") is not None

    open_to_all.chmod(0o777)

    assert str(directory_problem(link)).startswith(f"{open_to_all}: others may write to it")


def test_a_directory_that_is_not_there_is_a_problem(directory: Path) -> None:
    missing = directory / "none"

    assert str(directory_problem(missing)).endswith("cannot be read: No such file or directory")
    assert program_of(missing, "a") is None
    assert list(program_names(missing)) == []


def test_all_that_are_refused_are_named(directory: Path) -> None:
    program(directory / "good")
    beside(directory / "good.json", {})
    program(directory / "bad", 0o644)
    program(directory / ".hidden", 0o644)

    assert list(program_names(directory)) == ["bad", "good"]
    assert [text.split(":")[0] for text in programs_refused(directory)] == [str(directory / "bad")]


def test_a_program_that_was_refused_since_is_not_started(directory: Path) -> None:
    path = program(directory / "a")
    found = program_of(directory, "a")
    context = ContextSource(
        state=directory.parent, clock=SystemClock(), max_output_bytes=1
    ).context(attempt())
    assert found is not None
    assert isinstance(found.execute({}, context), CommandLine)

    path.chmod(0o777)

    with pytest.raises(ProgramRefused):
        found.execute({}, context)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"argv": []}, "argv: must begin with a program"),
        ({"argv": [""]}, "argv: must begin with a program"),
        ({"argv": ["a", 1]}, "argv: must be a list of texts"),
        ({"argv": ["a\0"]}, "argv: must not hold a NUL character"),
        ({"argv": ["a"], "timeout": 3}, 'unknown key "timeout"; known are: enabled, argv'),
        ({"argv": ["a"], "cdw": "/"}, 'unknown key "cdw"; did you mean "cwd"?'),
        ({"argv": ["a"], "description": 1}, "description: must be text"),
        ({"argv": ["a"], "cwd": ""}, "cwd: must be the path of a directory"),
        (
            {"argv": ["a"], "environment": ["INBOXD_TASK_ID"]},
            'environment: "INBOXD_TASK_ID" is set by inboxd itself, for each attempt',
        ),
        ({"argv": ["a"], "environment": ["A-B=1"]}, 'environment: "A-B=1": must be NAME'),
        ({"argv": ["a"], "environment": "A=1"}, "environment: must be a list of texts"),
        ({"argv": ["a"], "inputs_schema": 1}, "inputs_schema: must be a table, or the path"),
    ],
)
def test_a_wrong_table_is_said_by_configure(options: dict[str, Any], problem: str) -> None:
    executor = ConfiguredProgram("x", options)

    with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
        executor.configure(options)


def test_a_table_gives_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDED", "on")
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object"}')
    options = {
        "argv": ["/bin/x", ""],
        "cwd": "/srv",
        "environment": ["A=1=2", "HANDED", "NOT_THERE"],
        "inputs_schema": str(schema),
    }
    executor = ConfiguredProgram("x", options)
    context = ContextSource(state=tmp_path, clock=SystemClock(), max_output_bytes=1)

    line = executor.execute({"a": 1}, context.context(attempt()))

    executor.configure(options)
    assert isinstance(line, CommandLine)
    assert (line.argv, line.cwd, line.env, line.stdout) == (
        ("/bin/x", ""),
        "/srv",
        {"A": "1=2", "HANDED": "on"},
        "lines",
    )
    assert json.loads(line.stdin or b"")["inputs"] == {"a": 1}
    assert executor.inputs_schema == {"type": "object"}
