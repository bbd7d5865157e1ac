"""The program of the how-to on kept trees crashes, and goes on in its next run."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from .pages import ROOT, page
from .python_programs import run_program
from .test_tutorial import commands, matches

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HOW_TO = page(ROOT / "docs" / "how-to" / "keep-trees-in-a-file.md")


def test_the_program_goes_on_after_its_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (program,) = HOW_TO.blocks("python")
    ((_, shown),) = commands(HOW_TO.blocks("console")[0])
    (tmp_path / "nightly.py").write_text(program.text)
    monkeypatch.chdir(tmp_path)
    crashed = subprocess.run(
        [sys.executable, "nightly.py"], capture_output=True, text=True, check=False
    )
    second, _ = run_program(program.text, name=HOW_TO.name, line=program.line)
    third, _ = run_program(program.text, name=HOW_TO.name, line=program.line)

    assert (crashed.returncode, crashed.stdout, crashed.stderr) == (9, "", "")
    assert matches(second, shown), second
    assert third.splitlines() == second.splitlines()[-3:]
