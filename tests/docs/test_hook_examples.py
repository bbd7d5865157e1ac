"""The examples on the page of hooks, as one plugin of a real daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.plugins import hookspecs

from ..acceptance.plugin_site import PluginSite
from ..acceptance.real_daemon import RealDaemon
from .pages import ROOT, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOOKS = page(ROOT / "docs/reference/hooks.md")
HOOK_NAMES = [name for name in vars(hookspecs) if name.startswith("inboxd_")]


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealDaemon]:
    site = PluginSite(tmp_path / "site")
    greet, *blocks = HOOKS.blocks("python")
    (site.path / "greet.py").write_text(greet.text)
    (site.path / "examples.py").write_text("\n\n".join(block.text for block in blocks))
    site.write_metadata("examples", "[inboxd]\nexamples = examples\ngreet = greet\n")
    monkeypatch.setenv("PYTHONPATH", str(site.path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    made = RealDaemon(tmp_path)
    yield made
    made.end()


def _errors(daemon: RealDaemon, name: str) -> list[dict[str, Any]]:
    receipt = daemon.receipt(name)
    assert receipt is not None
    errors: list[dict[str, Any]] = receipt["errors"]
    return errors


def _inboxd(daemon: RealDaemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inboxd", *arguments],
        env={**os.environ, "INBOXD_STATE__PATH": str(daemon.state)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_hook_has_an_example() -> None:
    text = "".join(block.text for block in HOOKS.blocks("python"))

    assert [name for name in HOOK_NAMES if f"@hookimpl\ndef {name}(" not in text] == []


def test_the_examples_do_what_they_say(daemon: RealDaemon) -> None:
    (daemon.inbox / "two.lines").write_text("echo one\n\necho two\n")
    (daemon.inbox / "none.lines").write_text("\n")
    daemon.drop("said.json", [{"id": "a", "executor": "say-moo"}])
    daemon.drop("greeted.json", [{"id": "a", "executor": "greet", "inputs": {"whom": "Ada"}}])
    daemon.drop(
        "slow.json",
        {"tasks": [{"id": "a", "executor": "command", "inputs": {"argv": ["true"]}}]},
    )

    daemon.run_until_idle()

    said, greeted = daemon.result("said.json"), daemon.result("greeted.json")
    assert said is not None
    assert greeted is not None
    assert said["tasks"][0]["result"] == "moo"
    assert greeted["tasks"][0]["result"]["greeting"] == "Hello, Ada!"
    (error,) = _errors(daemon, "slow.json")
    assert (error["code"], error["pointer"], error["line"], error["column"]) == (
        "invalid_value",
        "/tasks/0",
        1,
        12,
    )
    assert error["hint"] == 'add "timeout": "10m"'
    (error,) = _errors(daemon, "none.lines.json")  # the answer keeps the suffix
    assert (error["message"], error["line"]) == ("there is no line with a command", 1)
    log = daemon.log.read_text()
    for line in (
        "here we go",
        "two.lines has 2 tasks",
        "attempt 1 of line-3 starts",
        "line-1: completed, no error",
        "two.lines: completed, ",
        "slow.json: a command has no time limit here",
        "that was it",
    ):
        assert line in log


def test_the_examples_settings_are_checked(
    daemon: RealDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = daemon.directory / "inboxd.toml"
    config.write_text("[plugins.examples]\nmost_task = 5\n")

    done = _inboxd(daemon, "run", "--config", str(config), "--until-idle")

    assert done.returncode == 78
    assert "[plugins.examples]: there is no most_task; there is most_tasks" in done.stderr


def test_the_example_of_a_verb_runs(daemon: RealDaemon) -> None:
    done = _inboxd(daemon, "hello")

    assert (done.returncode, done.stdout) == (0, "hello\n")
