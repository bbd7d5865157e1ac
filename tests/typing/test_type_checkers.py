"""mypy and pyright, both strict, in a project of its own that uses the installed inboxd."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).with_name("sample_plugin.py")

WRONG = """
from typing import Any
from inboxd import Executor, TaskContext, executor

@executor("copy")
def copy(inputs: dict[str, Any], context: TaskContext) -> int:
    return context.atempt  # 7: no such attribute

copy("a")  # 9: not its arguments

@executor(copy)  # 11: a name is wanted
def other(inputs: dict[str, Any], context: TaskContext) -> None: ...

class NoExecutor:
    name = "none"

offered: list[Executor] = [NoExecutor()]  # 17: not what an executor has
"""
WRONG_LINES = {7, 9, 11, 17}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory that is nobody's checkout."""
    shutil.copy(SAMPLE, tmp_path / "sample.py")
    (tmp_path / "wrong.py").write_text(WRONG)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    return tmp_path


def _mypy(project: Path, name: str) -> tuple[int, set[int], str]:
    """Return the exit code, the lines with errors, and all that was said."""
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", name],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = {int(line.split(":")[1]) for line in ended.stdout.splitlines() if ": error:" in line}
    return ended.returncode, lines, ended.stdout + ended.stderr


def _pyright(project: Path, name: str) -> tuple[int, set[int], str]:
    ended = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, name],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(ended.stdout)["generalDiagnostics"]
    lines = {one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"}
    return ended.returncode, lines, ended.stdout + ended.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("check", [_mypy, _pyright])
def test_a_plugin_passes_and_mistakes_are_seen(
    check: object, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(check)
    # As the Makefile has it: the Node.js that comes with pyright, which fetches nothing.
    monkeypatch.setenv("PYRIGHT_PYTHON_GLOBAL_NODE", "0")
    monkeypatch.setenv("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1")
    status, lines, said = check(project, "sample.py")
    _, wrong_lines, _ = check(project, "wrong.py")

    assert (status, lines) == (0, set()), said
    assert wrong_lines == WRONG_LINES
