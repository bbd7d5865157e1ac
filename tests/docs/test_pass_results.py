"""The arrays of the how-to on results, run: each prints what the page says."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from inboxd.testing.daemon import DaemonUnderTest
from inboxd_http import Http
from inboxd_http.testing import LocalServer, answer

from .pages import ROOT, page

if TYPE_CHECKING:
    from pathlib import Path

PAGE = page(ROOT / "docs" / "how-to" / "pass-results.md")
ALL = [json.loads(block.text) for block in PAGE.blocks("json")]
#: The arrays of commands alone.
ARRAYS = [array for array in ALL if {one["executor"] for one in array} == {"command"}]
#: The one in which executors of three kinds feed each other.
MIXED = next(array for array in ALL if "http" in {one["executor"] for one in array})
CONFIG = PAGE.blocks("toml")[0].text


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


def test_commands_web_services_and_python_feed_each_other(tmp_path: Path) -> None:
    json_type = {"Content-Type": "application/json"}
    config = f'{CONFIG}\n[executors.http]\nschemes = ["http"]\nallow_hosts = ["127.0.0.1"]\n'
    with LocalServer() as server, DaemonUnderTest(tmp_path, Http(), config=config) as daemon:
        server.routes["/prices"] = answer('{"prices": [3, 8, 4]}', headers=json_type)
        server.routes["/means"] = answer(status="201 Created")
        text = json.dumps(MIXED).replace("https://api.example.org", server.url)
        result = daemon.run(json.loads(text))
        asked, sent = server.received

    assert result["status"] == "completed", result
    assert asked.query == [("day", "2026-11-24")]
    assert json.loads(sent.body) == {"day": "2026-11-24", "mean": 5.0}
    told = next(one for one in result["tasks"] if one["id"] == "tell")
    assert told["result"]["stdout"] == "sent 5.0: 201\n"
