"""The pages for authors of plugins: what they show runs, and what they list is there."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import inboxd
from inboxd.api.reference import rendered_names
from inboxd.plugins.decorator import executor, executors_in
from inboxd.plugins.executor_check import executor_problem
from inboxd.testing import DaemonUnderTest, ExecutorConformance

from .pages import ROOT, page

if TYPE_CHECKING:
    from pathlib import Path

HOW_TO = page(ROOT / "docs/how-to/test-an-executor.md")
REFERENCE = page(ROOT / "docs/reference/python-plugins.md")


def _first_cells(text: str) -> set[str]:
    """Return what stands in backticks in the first cells of a page's tables."""
    cells = re.findall(r"^\| (`[^|]*?) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_the_tests_on_the_page_pass(tmp_path: Path) -> None:
    first, *others = HOW_TO.blocks("python")
    (tmp_path / "conftest.py").write_text(first.text)
    for block in others:
        name = block.text.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(block.text)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout
    assert {block.text.splitlines()[0] for block in others} == {
        "# test_conformance.py",
        "# test_daemon.py",
        "# test_alone.py",
    }


def test_every_attribute_of_the_suite_is_on_the_page() -> None:
    section = HOW_TO.text.partition("## What every")[2].partition("\n## ")[0]

    assert _first_cells(section) == set(ExecutorConformance.__annotations__)


def test_what_the_page_says_of_the_daemon_is_there() -> None:
    text = HOW_TO.text.partition("## A whole daemon")[2].partition("\n## ")[0]
    listed = re.findall(r"`(?:daemon)?\.(\w+)", "".join(re.findall(r"^\| `daemon.*", text, re.M)))
    instance = {"inbox", "state", "clock"}
    found = {name for name in listed if hasattr(DaemonUnderTest, name)} | instance
    of_files = {"receipt", "tree_id", "errors", "result"}

    assert set(listed) - found - of_files == set()


def test_the_plugin_on_the_page_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = REFERENCE.blocks("python")
    (tmp_path / "inboxd_pictures.py").write_text(block.text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = importlib.import_module("inboxd_pictures")
    monkeypatch.delitem(sys.modules, "inboxd_pictures")
    (made,) = module.inboxd_executors()

    assert executor_problem(made) is None
    assert made.inputs_schema["required"] == ["file", "width"]
    assert executors_in(module) == [made]


def test_all_that_inboxd_exports_is_on_the_page_or_on_that_of_the_python_api() -> None:
    section = REFERENCE.text.partition("## What `inboxd` exports")[2]
    listed = _first_cells(section)

    assert listed <= set(inboxd.__all__)
    assert set(inboxd.__all__) - listed <= set(rendered_names())


def test_the_signature_and_arguments_of_the_decorator_are_on_the_page() -> None:
    parameters = inspect.signature(executor).parameters
    section = REFERENCE.text.partition("## `@executor`")[2].partition("\n## ")[0]
    signature = "executor(name, *, description=None, inputs_schema=None, isolation=None)"

    assert signature in section
    assert [name for name in parameters if f"| `{name}` |" in section] == list(parameters)
    assert signature.count("=None") == len(parameters) - 1
