"""The ways to drop a file that the how-to shows, followed to the letter."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from .pages import ROOT, page

PAGE = page(ROOT / "docs" / "how-to" / "drop-files.md")
SHELL = [block.text for block in PAGE.blocks("sh")]
PYTHON = [block.text for block in PAGE.blocks("python")]
CRON = next(block.text for block in PAGE.blocks("") if block.text.startswith("15 2 "))

ONE_TASK = '[{"id": "a", "executor": "noop"}]\n'


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "report.json").write_text(ONE_TASK)
    (tmp_path / "list-work").write_text(f"#!/bin/sh\ncat <<'E'\n{ONE_TASK}E\n")
    (tmp_path / "list-work").chmod(0o755)
    return tmp_path / "inbox"


def run(inbox: Path, *command: str) -> str:
    """Run a command beside the inbox, and return what it printed."""
    done = subprocess.run(
        command,
        cwd=inbox.parent,
        env={**os.environ, "INBOX": str(inbox)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def dropped(inbox: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in inbox.iterdir()}


def test_a_file_is_dropped_by_the_shell(inbox: Path) -> None:
    run(inbox, "sh", "-ec", SHELL[0])

    assert dropped(inbox) == {"report.json": ONE_TASK}


def test_what_a_program_prints_is_dropped_by_the_shell(inbox: Path) -> None:
    run(inbox, "sh", "-ec", SHELL[1])

    assert dropped(inbox) == {"work.json": ONE_TASK}


def test_a_program_that_fails_drops_nothing(inbox: Path) -> None:
    (inbox.parent / "list-work").write_text("#!/bin/sh\necho '[{\"id\":'\nexit 1\n")
    with pytest.raises(subprocess.CalledProcessError):
        run(inbox, "sh", "-ec", SHELL[1])

    assert [name for name in dropped(inbox) if not name.startswith(".")] == []


@pytest.mark.parametrize("answer", ["accepted", "rejected"])
def test_the_shell_waits_for_either_receipt(inbox: Path, answer: str) -> None:
    for name in ("accepted", "rejected"):
        (inbox / name).mkdir()
    (inbox / answer / "report.receipt.json").write_text("{}\n")

    assert run(inbox, "sh", "-ec", SHELL[2]) == "{}\n"


def test_a_file_is_dropped_by_python(inbox: Path) -> None:
    run(inbox, sys.executable, "-c", PYTHON[0])
    path = inbox / "hello.json"

    assert list(dropped(inbox)) == ["hello.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert json.loads(path.read_text())[0]["id"] == "hello"


def test_a_file_is_dropped_by_cron(inbox: Path) -> None:
    (inbox.parent / "jobs").mkdir()
    (inbox.parent / "jobs" / "nightly.json").write_text(ONE_TASK)
    command = CRON.split(maxsplit=5)[5].replace("\\%", "%").replace("/srv", str(inbox.parent))
    run(inbox, "sh", "-c", command)
    names = list(dropped(inbox))

    assert len(names) == 1
    assert names[0].startswith("nightly-2")


def test_all_ways_that_are_shown_are_followed() -> None:
    assert (len(SHELL), len(PYTHON)) == (3, 1)
