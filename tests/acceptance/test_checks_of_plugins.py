"""A real daemon with an executor whose own checks exit, hang or answer nonsense."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .plugin_site import PluginSite
from .real_daemon import LIMIT_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeDaemon

#: `after` exits when the value of an expression has come, which is after the file was accepted.
_EXECUTORS = """
class Odd:
    description = "Has checks of its own."
    isolation = "async"
    inputs_schema = None
    def execute(self, inputs, context): return None

class Exits(Odd):
    name = "exits"
    def input_problems(self, inputs):
        print("a check prints")
        sys.exit(9)

class Five(Odd):
    name = "five"
    def params_problems(self, params): return 5

class After(Odd):
    name = "after"
    def code_places(self, inputs):
        if "tasks." not in inputs["value"]:
            sys.exit(9)
        return []

@hookimpl
def inboxd_executors():
    return [Exits(), Five(), After()]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginSite:
    made = PluginSite(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(made.path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    made.install("odd", 'print("an import prints")\n' + _EXECUTORS)
    return made


@pytest.mark.usefixtures("site")
def test_checks_that_exit_or_answer_nonsense_cost_their_files(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    for name in ("exits", "five"):
        daemon.drop(f"{name}.json", [{"id": "a", "executor": name}])
    daemon.drop("good.json", [{"id": "a", "executor": "noop"}])

    assert daemon.run_until_idle() == 1

    receipts = {name: daemon.receipt(f"{name}.json") or {} for name in ("exits", "five", "good")}
    assert receipts["good"]["accepted"] is True
    assert receipts["exits"]["errors"][0]["message"] == (
        'executor "exits" could not check the inputs: input_problems of executor "exits" of plugin'
        " odd (odd) failed: SystemExit: 9"
    )
    assert "params_problems of executor" in receipts["five"]["errors"][0]["message"]
    assert "plugin odd (odd) failed: TypeError" in receipts["five"]["errors"][0]["message"]
    assert [one.name for one in (daemon.inbox / ".claimed").iterdir()] == [".lock"]


@pytest.mark.usefixtures("site")
def test_a_check_that_exits_at_the_start_of_an_attempt_fails_that_task(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon()
    tree = [
        {"id": "a", "executor": "command", "inputs": {"argv": ["echo", "hello"]}},
        {
            "id": "b",
            "executor": "after",
            "inputs": {"value": "{{ tasks.a.result.stdout }}"},
            "dependencies": ["a"],
        },
        {
            "id": "c",
            "executor": "command",
            "inputs": {"argv": ["echo", "{{ tasks.a.result.stdout }}"]},
            "dependencies": ["a"],
        },
    ]
    daemon.drop("tree.json", tree)

    assert daemon.run_until_idle() == 1

    result = daemon.result("tree.json")
    assert result is not None
    tasks = {task["id"]: task for task in result["tasks"]}
    assert tasks["b"]["error"]["code"] == "invalid_inputs"
    assert "plugin odd (odd) failed: SystemExit: 9" in tasks["b"]["error"]["message"]
    assert tasks["c"]["status"] == "completed"


@pytest.mark.usefixtures("site")
def test_validate_says_that_the_plugin_is_at_fault(tmp_path: Path) -> None:
    file = tmp_path / "exits.json"
    file.write_text('[{"id": "a", "executor": "exits"}]')

    done = subprocess.run(
        [sys.executable, "-m", "inboxd", "validate", "--state", str(tmp_path / "state"), str(file)],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )

    assert done.returncode == 4
    assert "plugin odd (odd) failed: SystemExit: 9" in done.stdout + done.stderr


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    "verb",
    [["validate", "exits.json"], ["plugins"], ["executors"], ["doctor"], ["config", "check"]],
)
def test_what_a_plugin_prints_is_no_part_of_what_a_verb_prints(
    tmp_path: Path, verb: list[str]
) -> None:
    (tmp_path / "exits.json").write_text('[{"id": "a", "executor": "exits"}]')
    (tmp_path / "inboxd.toml").write_text("[executors.noop]\nenabled = true\n")

    done = subprocess.run(
        [sys.executable, "-m", "inboxd", *verb, "--json", "--config", "inboxd.toml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )

    json.loads(done.stdout)
    assert "an import prints" in done.stderr
    assert ("a check prints" in done.stderr) == (verb[0] in ("validate", "executors"))
