"""The record of `inboxd-audit`: what a real daemon tells its plugins, in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeDaemon
    from .real_daemon import RealDaemon


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def daemon(make_daemon: MakeDaemon, record: Path) -> RealDaemon:
    return make_daemon(plugins__audit__path=json.dumps(str(record)))


def lines(record: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in record.read_text().splitlines()]


def test_the_record_tells_what_happened_in_order(daemon: RealDaemon, record: Path) -> None:
    daemon.drop(
        "report.json",
        [
            {
                "id": "a",
                "executor": "command",
                "inputs": {"script": "exit 3"},
                "retry": {"limit": 1, "delay": "10ms"},
            },
            {"id": "b", "executor": "noop", "dependencies": [{"id": "a", "on": "failure"}]},
        ],
    )
    daemon.drop("wrong.json", {"tasks": []})
    assert daemon.run_until_idle() == 1

    found = lines(record)
    assert found[0]["event"] == "daemon_started"
    assert found[-1]["event"] == "daemon_stopping"
    of_tree = [one for one in found if "tree_id" in one]
    assert [(one["event"], one.get("task"), one.get("status")) for one in of_tree] == [
        ("tree_accepted", None, None),
        ("task_starting", "a", None),
        ("task_ended", "a", "failed"),
        ("task_starting", "a", None),
        ("task_ended", "a", "failed"),
        ("task_starting", "b", None),
        ("task_ended", "b", "completed"),
        ("tree_ended", None, "failed"),
    ]
    assert of_tree[0]["owner"] == os.getuid()
    assert of_tree[2]["code"] == "exit_status"
    assert of_tree[2]["retry_at"] is not None
    assert of_tree[4]["retry_at"] is None
    assert of_tree[-1]["counts"] == {"completed": 1, "failed": 1}
    (rejected,) = (one for one in found if one["event"] == "file_rejected")
    assert rejected["file"] == "wrong.json"
    assert "the array has no task" in rejected["errors"][0]


def test_the_verb_of_a_plugin_is_found_and_reads_the_record(
    daemon: RealDaemon, record: Path
) -> None:
    daemon.drop("report.json", [{"id": "a", "executor": "noop"}])
    assert daemon.run_until_idle() == 0
    done = subprocess.run(
        [sys.executable, "-m", "inboxd", "audit", "--event", "tree_ended", "--json"],
        env={
            **os.environ,
            "INBOXD_PLUGINS__AUDIT__PATH": json.dumps(str(record)),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["status"] == "completed"
