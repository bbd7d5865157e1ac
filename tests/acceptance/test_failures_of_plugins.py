"""What a plugin does wrong while the daemon runs, as `inboxd doctor` says it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from .plugin_site import PluginSite
from .real_daemon import LIMIT_SECONDS, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeDaemon
    from .real_daemon import RealDaemon

RAISING = """
from inboxd import hookimpl

@hookimpl
def inboxd_validate_tree(tree):
    if tree.name != "later":
        raise RuntimeError("out of rules")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginSite:
    made = PluginSite(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(made.path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return made


def warnings_of(daemon: RealDaemon) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "inboxd", "doctor", "--json", "--state", str(daemon.state)],
        capture_output=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(daemon.directory)},
        timeout=LIMIT_SECONDS,
        check=False,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    return [one for one in found if one["level"] == "warn"]


def test_doctor_counts_what_a_plugin_did_wrong_in_this_run(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    site.install("ruler", RAISING)
    daemon = make_daemon()
    failures = daemon.state / "plugin-failures.json"
    # It waits for a task, so it looks several times a second: without one, every 5 s.
    task = {"id": "a", "executor": "noop", "not_before": "2999-01-01T00:00:00Z"}
    daemon.drop("later.json", {"name": "later", "tasks": [task]})
    daemon.start_and_wait("--until-idle")
    wait_until(lambda: daemon.receipt("later.json"), "there is something to wait for")
    assert not failures.exists()
    daemon.drop("fine.json", [{"id": "a", "executor": "noop"}])
    wait_until(failures.exists, "the failure is noted")

    (found,) = [one for one in warnings_of(daemon) if "ruler" in one["message"]]
    assert found["message"] == (
        "inboxd_validate_tree of plugin ruler failed once since the daemon started"
    )
    assert daemon.stop() == 0
    assert not [one for one in warnings_of(daemon) if "ruler" in one["message"]]

    daemon.start_and_wait()
    assert not failures.exists()
    assert daemon.stop() == 0


def test_doctor_says_what_notify_could_not_tell(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(notify__argv='["/bin/false"]')
    daemon.drop("bad.json", [])
    assert daemon.run_until_idle() == 1

    (found,) = [one for one in warnings_of(daemon) if one["check"] == "notify"]
    assert found["message"] == "1 notifications failed and wait for their next try"
    assert str(daemon.state) in found["advice"]
