"""The arrays of the how-to on results, run: each prints what the page says."""

from __future__ import annotations

import json
import re

import pytest

from inboxd.testing.daemon import DaemonUnderTest

from .pages import ROOT, page

PAGE = page(ROOT / "docs" / "how-to" / "pass-results.md")
ARRAYS = [json.loads(block.text) for block in PAGE.blocks("json")]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Give what the tasks of each array printed, by id."""
    with DaemonUnderTest(tmp_path_factory.mktemp("daemon")) as daemon:
        results = [daemon.run(array) for array in ARRAYS]
    return [
        {one["id"]: str((one["result"] or {}).get("stdout")).strip() for one in result["tasks"]}
        for result in results
    ]


@pytest.mark.parametrize(
    ("array", "task"),
    [(0, "greet"), (0, "count"), (1, "by-env"), (1, "as-argument"), (2, "report")],
)
def test_a_task_prints_what_the_page_says(
    printed: list[dict[str, str]], array: int, task: str
) -> None:
    said = re.findall(r"`(\S+)` prints `([^`]+)`|Both print `([^`]+)`", PAGE.text)
    by_task = {name: text for name, text, _ in said if name}
    both = next(text for _, _, text in said if text)
    expected = by_task.get(task, both)

    assert printed[array][task] == expected
