"""The page on the executor `python`: its example runs, and its settings are those of the code."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from inboxd.config.load import load_settings
from inboxd.executors.python_settings import SETTINGS
from inboxd.running.worker_state import MOST_ATTEMPTS, MOST_GROWTH_BYTES

from ..acceptance.real_daemon import RealDaemon
from .pages import ROOT, page

if TYPE_CHECKING:
    from pathlib import Path

PAGE = page(ROOT / "docs/reference/python.md")


def test_the_example_runs(tmp_path: Path) -> None:
    (module,), (settings,), (tasks,) = (PAGE.blocks(one) for one in ("python", "toml", "json"))
    jobs = tmp_path / "jobs"
    jobs.mkdir(mode=0o755)
    (jobs / "jobs.py").write_text(module.text)
    config = tmp_path / "inboxd.toml"
    config.write_text(settings.text.replace("/srv/jobs", str(jobs)))
    daemon = RealDaemon(tmp_path)
    daemon.drop("x.json", json.loads(tasks.text))
    try:
        daemon.start("--until-idle", "--config", str(config)).wait(60)
    finally:
        daemon.end()
    result: dict[str, Any] | None = daemon.result("x.json")

    assert result is not None, daemon.log.read_text()
    first, second = result["tasks"]
    assert first["result"] == {"total": 6}
    assert (
        daemon.state / "trees" / result["tree_id"] / "report.txt"
    ).read_text() == "Total of 6: 6\n"
    assert second["result"]["file"].endswith("/report.txt")


def test_its_settings_are_those_of_the_code() -> None:
    table = PAGE.text.partition("\n## Settings\n")[2].partition("\n## ")[0]

    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == SETTINGS


def test_the_settings_are_read_from_a_file(tmp_path: Path) -> None:
    (block,) = PAGE.blocks("toml")
    (tmp_path / "inboxd.toml").write_text(block.text)
    settings = load_settings(config=tmp_path / "inboxd.toml", environ={"HOME": str(tmp_path)})

    assert settings.executors["python"].options == {
        "allow": ["jobs:total", "jobs:report"],
        "path": ["/srv/jobs"],
    }


def test_when_a_worker_is_replaced_is_said_as_it_is() -> None:
    assert f"after {MOST_ATTEMPTS:,} attempts" in PAGE.text
    assert f"{MOST_GROWTH_BYTES // 2**20} MiB more" in PAGE.text
