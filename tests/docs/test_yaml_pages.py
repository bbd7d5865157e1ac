"""What the pages say of YAML files is so."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .pages import ROOT, Block, page

if TYPE_CHECKING:
    from pathlib import Path

PAGES = (
    page(ROOT / "docs" / "how-to" / "yaml.md"),
    page(ROOT / "plugins" / "inboxd-yaml" / "README.md"),
)
FILE = "nightly.yaml"


def shown() -> list[tuple[str, str]]:
    """Return each YAML file on the pages, and what `inboxd validate` says of it."""
    found: list[tuple[str, str]] = []
    for one in PAGES:
        blocks: list[Block | None] = [*one.blocks("yaml", "text"), None]
        for block, following in itertools.pairwise(blocks):
            if block is not None and block.language == "yaml":
                said = following.text if following and following.language == "text" else ""
                found.append((block.text, said))
    return found


def validate(directory: Path, *names: str) -> str:
    """Return what `inboxd validate` prints."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("INBOXD_")}
    return subprocess.run(
        [sys.executable, "-m", "inboxd", "validate", *names],
        cwd=directory,
        env={**own, "XDG_RUNTIME_DIR": str(directory), "HOME": str(directory)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    ).stdout


@pytest.mark.parametrize("number", range(len(shown())))
def test_a_file_on_a_page_is_judged_as_the_page_says(number: int, tmp_path: Path) -> None:
    text, said = shown()[number]
    (tmp_path / FILE).write_text(text)
    printed = validate(tmp_path, FILE)

    assert printed == (said or f"{FILE}: good, 2 tasks\n")


def test_the_pages_show_good_files_and_broken_ones() -> None:
    assert [bool(said) for _, said in shown()] == [False, True, True, False]


def test_the_examples_in_yaml_are_valid() -> None:
    names = sorted(path.name for path in (ROOT / "inbox" / "examples").glob("*.yaml"))
    printed = validate(ROOT / "inbox" / "examples", *names)

    assert [line.split(":")[0] for line in printed.splitlines() if ": good, " in line] == names
    assert names
