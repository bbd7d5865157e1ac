"""The tutorial on the Python API is followed: its files are written, its commands run, compared."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from .pages import ROOT, page
from .python_programs import run_program
from .test_tutorial import commands, matches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TUTORIAL = page(ROOT / "docs" / "tutorial" / "python-api.md")


def _steps() -> Iterator[tuple[str, str]]:
    """Yield (name of a file, its text) and (command, output) in the order of the page."""
    for block in TUTORIAL.blocks("python", "console"):
        if block.language == "console":
            yield from commands(block)
        else:
            before = "\n".join(TUTORIAL.text.splitlines()[: block.line - 1])
            yield re.findall(r"`([a-z_]+\.py)`", before)[-1], block.text


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files are written, and the programs started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    # Restored after the test, so that no other one imports what is written here.
    monkeypatch.setitem(sys.modules, "shop", None)
    monkeypatch.delitem(sys.modules, "shop")
    return tmp_path


def test_the_tutorial_can_be_followed(directory: Path) -> None:
    for name, text in _steps():
        if not name.startswith("python "):
            (directory / name).write_text(text)
            continue
        file = directory / name.removeprefix("python ")
        printed, _ = run_program(file.read_text(), name=file.name)

        assert matches(printed, text), f"$ {name}\n{printed}\n--- the page shows\n{text}"


def test_no_block_of_the_tutorial_is_left_out() -> None:
    typed = [name for name, _ in _steps() if name.startswith("python ")]
    written = [name for name, _ in _steps() if not name.startswith("python ")]

    assert TUTORIAL.text.count("```") == 2 * len(TUTORIAL.blocks("python", "console"))
    assert [f"python {name}" for name in written if name != "shop.py"] == typed
