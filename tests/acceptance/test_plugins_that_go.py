"""Executors that are gone, come back, or are made for a name: nothing accepted is ever lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .plugin_site import PluginSite
from .real_daemon import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeDaemon

EXECUTOR = """
class One:
    description = "A test's."
    inputs_schema = None
    isolation = "async"
    def __init__(self, name):
        self.name = name
    def execute(self, inputs, context):
        return {"by": self.name}

@hookimpl
def inboxd_executors():
    return [One("mine")]
"""

#: Makes an executor for every name that begins with `made-`.
MAKER = """
class Made:
    description = "Made."
    inputs_schema = {"type": "object", "additionalProperties": False}
    isolation = "thread"
    def __init__(self, name):
        self.name = name
    def execute(self, inputs, context):
        return {"made": self.name}

@hookimpl
def inboxd_resolve_executor(name, task):
    with open(os.environ["RECORD"], "a") as file:
        file.write(f"{name} {task['id']} {task['params']}\\n")
    if name.startswith("made-"):
        return Made(name)
    if name == "lie":
        return Made("truth")
"""

#: What keeps a plugin from being used, as a module's source.
BROKEN = {
    "import error": "import no_such_module_at_all\n",
    "raises": "1 / 0\n",
    "exits": "sys.exit(3)\n",
    "interrupts": "raise KeyboardInterrupt\n",
    "is no python": "def def\n",
    "takes a minute": "threading.Event().wait(60)\n" + EXECUTOR,
    "wrong signature": EXECUTOR.replace("inboxd_executors()", "inboxd_executors(colour)"),
    "misspelt hook": EXECUTOR.replace("inboxd_executors", "inboxd_executers"),
    "unmarked hook": EXECUTOR.replace("@hookimpl\n", ""),
    "coroutine": EXECUTOR.replace("def inboxd", "async def inboxd"),
    "wrapper": EXECUTOR.replace("@hookimpl\n", "@hookimpl(wrapper=True)\n").replace(
        'return [One("mine")]', "return (yield)"
    ),
    "a class": EXECUTOR.replace('One("mine")', "One"),
    "raises when asked": EXECUTOR.replace('return [One("mine")]', "raise OSError('no disk')"),
    "exits when asked": EXECUTOR.replace('return [One("mine")]', "os.abort if 0 else sys.exit()"),
    "raises when configured": EXECUTOR
    + "\n@hookimpl\ndef inboxd_configure(configuration): raise OSError('no licence')\n",
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginSite:
    made = PluginSite(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(made.path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("RECORD", str(made.record))
    return made


def _held(executor: str, until: Path | None = None) -> list[dict[str, object]]:
    """Return tasks of which the last waits for the first to end, and that for a file if given."""
    script = "true" if until is None else f"test -e {until} || exec sleep 600"
    return [
        {"id": "first", "executor": "command", "inputs": {"script": script}},
        {"id": "its", "executor": executor, "dependencies": ["first"]},
    ]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_plugin_costs_the_files_that_need_it_and_its_tasks_wait(
    site: PluginSite, make_daemon: MakeDaemon, broken: str
) -> None:
    site.install("mine", EXECUTOR)
    daemon = make_daemon()
    # A slow machine may run both before the daemon dies.
    go = site.path / "go"
    daemon.drop("earlier.json", _held("mine", go))
    daemon.start("--until-idle", failpoint="after_receipt").wait(60)
    go.touch()
    site.write_module("mine", BROKEN[broken])

    daemon.drop("needs.json", [{"id": "a", "executor": "mine"}])
    daemon.drop("other.json", [{"id": "a", "executor": "noop"}])
    code = daemon.run_until_idle()

    assert code == 1  # a file was rejected
    rejected, accepted = daemon.receipt("needs.json"), daemon.receipt("other.json")
    assert rejected is not None
    assert accepted is not None
    assert [one["code"] for one in rejected["errors"]] == ["unknown_executor"]
    assert accepted["accepted"] is True
    assert daemon.result("other.json") is not None
    assert daemon.rows("SELECT state FROM tasks WHERE executor = 'mine'") == [(4,)]
    assert "plugin mine (mine) is not used: " in daemon.log.read_text()

    site.write_module("mine", EXECUTOR)
    assert daemon.run_until_idle() == 0
    result = daemon.result("earlier.json")
    assert result is not None
    assert result["tasks"][1]["result"] == {"by": "mine"}


def test_a_part_that_is_not_used_is_told_as_one_and_the_receipt_says_why(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    for name in ("mine", "other"):
        site.install(name, EXECUTOR)
    daemon = make_daemon()
    daemon.drop("needs.json", [{"id": "a", "executor": "mine"}])

    assert daemon.run_until_idle() == 1

    why = 'executor "mine" is offered by mine and other; neither is used: uninstall one'
    assert f"a part of plugin other (other) is not used: {why}" in daemon.log.read_text()
    receipt = daemon.receipt("needs.json")
    assert receipt is not None
    assert receipt["errors"][0]["hint"] == f"{why}; see `inboxd plugins`"


def test_a_plugin_that_was_uninstalled_by_half_harms_nobody(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    site.write_metadata("half", "[inboxd]\nhalf = half\n")
    site.install("mine", EXECUTOR)
    daemon = make_daemon()
    daemon.drop("tree.json", [{"id": "a", "executor": "mine"}])

    assert daemon.run_until_idle() == 0

    said = "plugin half (half) is not used: half cannot be used: ModuleNotFoundError"
    assert said in daemon.log.read_text()


def test_an_executor_is_made_for_a_name_that_nobody_registered(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    site.install("maker", MAKER)
    daemon = make_daemon()
    daemon.drop("made.json", [{"id": f"t{n}", "executor": "made-x"} for n in range(20)])
    daemon.drop("typo.json", [{"id": "t", "executor": "mode-x", "params": {"p": 1}}])
    daemon.drop("lie.json", [{"id": "t", "executor": "lie"}])
    daemon.drop("inputs.json", [{"id": "t", "executor": "made-y", "inputs": {"typo": 1}}])

    daemon.run_until_idle()

    result = daemon.result("made.json")
    assert result is not None
    assert {task["result"]["made"] for task in result["tasks"]} == {"made-x"}
    assert sorted(site.record.read_text().splitlines()) == [
        "lie t {}",
        "made-x t0 {}",
        "made-y t {}",
        "mode-x t {'p': 1}",
    ]
    codes = {}
    for name in ("typo.json", "lie.json", "inputs.json"):
        receipt = daemon.receipt(name)
        assert receipt is not None
        codes[name] = [one["code"] for one in receipt["errors"]]
    assert codes == {
        "typo.json": ["unknown_executor"],
        "lie.json": ["unknown_executor"],
        "inputs.json": ["invalid_inputs"],
    }


@pytest.mark.parametrize("is_strict", [False, True])
def test_tasks_wait_for_who_makes_their_executor_and_run_when_it_is_back(
    site: PluginSite, make_daemon: MakeDaemon, is_strict: bool
) -> None:
    site.install("maker", MAKER)
    daemon = make_daemon()
    daemon.drop("tree.json", {"strict_priority": is_strict, "tasks": _held("made-x")})
    daemon.start("--until-idle", failpoint="after_claim_commit").wait(60)
    site.remove("maker")
    assert daemon.run_until_idle() == 0
    assert daemon.rows("SELECT state FROM tasks WHERE executor = 'made-x'") == [(4,)]

    site.install("maker", MAKER)
    assert daemon.run_until_idle() == 0

    result = daemon.result("tree.json")
    assert result is not None
    assert result["status"] == "completed"


def test_tasks_that_become_ready_later_have_their_executor_made_then(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    site.install("maker", MAKER)
    daemon = make_daemon()
    daemon.drop("tree.json", {"strict_priority": True, "tasks": _held("made-x")})
    daemon.start("--until-idle", failpoint="after_claim_commit").wait(60)

    # At this start nothing waits for the executor yet: the task before it has not run.
    assert daemon.run_until_idle() == 0

    wait_until(lambda: daemon.result("tree.json") is not None, "the tree ended")
    assert site.record.read_text().splitlines().count("made-x its {}") == 2
