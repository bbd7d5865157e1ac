"""The verbs on a stdout that is closed, full, or read by nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ..unit.store.build_store import StoreBuilder, TaskRow

if TYPE_CHECKING:
    from pathlib import Path

VERBS = [
    ["list"],
    ["list", "--json"],
    ["show", "@"],
    ["show", "@", "--json"],
    ["tree", "@"],
    ["tree", "@", "--json"],
    ["schema"],
    ["config", "show"],
    ["doctor"],
    ["--help"],
]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    builder = StoreBuilder(tmp_path)
    builder.add_tree([TaskRow(id=f"task-{n}") for n in range(300)], file_name=b"a.json")
    builder.close()
    return tmp_path


def command_line(state: Path, arguments: list[str]) -> list[str]:
    where = [] if arguments == ["--help"] else ["--state", str(state)]
    return [sys.executable, "-m", "inboxd", *arguments, *where]


@pytest.mark.parametrize("arguments", VERBS, ids=" ".join)
def test_a_pipe_that_nobody_reads_is_no_error(state: Path, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            command_line(state, arguments), stdout=writing, stderr=subprocess.PIPE, text=True
        )
    finally:
        os.close(writing)

    assert (ended.returncode, without_notes(ended.stderr)) == (0, "")


@pytest.mark.parametrize("where", [">&-", ">/dev/full"])
@pytest.mark.parametrize("arguments", VERBS, ids=" ".join)
def test_a_stdout_that_takes_nothing_gives_one_line_and_exit_1(
    state: Path, arguments: list[str], where: str
) -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {where}', "sh", *command_line(state, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = without_notes(ended.stderr).splitlines()

    assert (ended.returncode, len(lines)) == (1, 1)
    assert lines[0].startswith("inboxd: standard output cannot be written: ")


def test_a_verb_works_with_stdin_and_stderr_closed(state: Path) -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", '"$@" <&- 2>&-', "sh", *command_line(state, ["list"])],
        stdout=subprocess.PIPE,
        text=True,
    )

    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 2)


def test_a_task_file_is_not_read_from_a_closed_stdin(state: Path) -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", '"$@" <&-', "sh", *command_line(state, ["validate", "-"])],
        capture_output=True,
        text=True,
    )

    assert (ended.returncode, ended.stderr) == (4, "")
    assert "cannot be read" in ended.stdout


def without_notes(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("…"))
