"""Every task array that a page shows is one that `inboxd validate` takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from .pages import ROOT, Block, all_pages

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = sorted((ROOT / "inbox" / "examples").glob("*.json"))

#: Pages that make the executors of their arrays: a test of the page's own makes and drops them.
MAKES_ITS_EXECUTORS = {
    "docs/how-to/executor-in-any-language.md",
    "docs/tutorial/write-an-executor.md",
}


def is_task_array(value: Any) -> bool:
    """Whether a JSON document on a page is a task array, not a receipt, a result or a schema."""
    if isinstance(value, dict) and isinstance(value.get("tasks"), list):
        value = value["tasks"]
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and {"id", "name"} & item.keys() for item in value)
        and not any("status" in item for item in value)
    )


def task_arrays() -> list[Any]:
    """Return each task array of each page, named by page and line."""
    found: list[Any] = []
    for page in all_pages():
        if page.name in MAKES_ITS_EXECUTORS:
            continue
        for block in page.blocks("json"):
            if "…" in block.text:  # a sketch, said to be one
                continue
            if is_task_array(json.loads(block.text)):
                found.append(pytest.param(block, id=f"{page.name}:{block.line}"))
    return found


def validate(*paths: Path) -> tuple[int, str]:
    """Run `inboxd validate` on files; return its exit status and all that it printed."""
    ended = subprocess.run(
        [sys.executable, "-m", "inboxd", "validate", *map(str, paths)],
        env={**os.environ, "INBOXD_EXECUTORS__PYTHON__ALLOW": '["jobs:*", "statistics:*"]'},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout


@pytest.mark.parametrize("block", task_arrays())
def test_a_task_array_on_a_page_is_valid(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "block.json"
    path.write_text(block.text)
    status, printed = validate(path)

    assert status == 0, printed


def test_the_examples_are_valid() -> None:
    status, printed = validate(*EXAMPLES)

    assert status == 0, printed
