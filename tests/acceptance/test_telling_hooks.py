"""The hooks that tell, through a daemon that is killed at every step around them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .plugin_site import RECORDER, PluginSite
from .real_daemon import LIMIT_SECONDS, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeDaemon
    from .real_daemon import RealDaemon

TREE = {
    "name": "pair",
    "metadata": {"team": "ops"},
    "tasks": [
        {"id": "a", "executor": "noop"},
        {"id": "b", "executor": "command", "inputs": {"script": "exit 3"}, "dependencies": ["a"]},
        {"id": "c", "executor": "noop", "dependencies": ["b"]},
    ],
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginSite:
    made = PluginSite(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(made.path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("RECORD", str(made.record))
    return made


def _with_recorder(site: PluginSite, make_daemon: MakeDaemon) -> RealDaemon:
    site.install("recorder", RECORDER)
    daemon = make_daemon()
    daemon.set_environment(INBOX=str(daemon.inbox))
    return daemon


def test_everything_is_told_in_order(site: PluginSite, make_daemon: MakeDaemon) -> None:
    daemon = _with_recorder(site, make_daemon)
    daemon.drop("bad.json", [])
    daemon.drop("pair.json", TREE)

    assert daemon.run_until_idle() == 1

    told = site.told()
    order = [(one["hook"], one.get("task") or one.get("file")) for one in told]
    assert order[0] == ("daemon_started", None)
    assert order[-1] == ("daemon_stopping", None)
    assert [one for one in order if one[0] != "file_rejected"][1:-1] == [
        ("tree_accepted", "pair.json"),
        ("task_starting", "a"),
        ("task_ended", "a"),
        ("task_starting", "b"),
        ("task_ended", "b"),
        ("tree_ended", "pair.json"),
    ]
    assert site.told("file_rejected")[0]["code"] == "empty_array"
    (accepted,) = site.told("tree_accepted")
    assert (accepted["tasks"], accepted["owner"], accepted["metadata"]) == (
        3,
        os.getuid(),
        {"team": "ops"},
    )


def test_the_end_of_a_tree_is_told_after_all_else_about_it(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    site.install("slow", "@hookimpl\ndef inboxd_tree_ended(tree): time.sleep(0.01)\n")
    daemon = _with_recorder(site, make_daemon)
    names = [f"tree-{number}.json" for number in range(100)]
    for number, name in enumerate(names):
        daemon.drop(name, [{"id": f"t{number}", "executor": "noop"}])

    assert daemon.run_until_idle() == 0

    order = [(one["hook"], one.get("task") or one.get("file")) for one in site.told()]
    for number, name in enumerate(names):
        places = [
            order.index(one)
            for one in (
                ("tree_accepted", name),
                ("task_starting", f"t{number}"),
                ("task_ended", f"t{number}"),
                ("tree_ended", name),
            )
        ]
        assert places == sorted(places)


def test_an_outcome_says_how_it_ended_and_whether_it_is_tried_again(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    daemon = _with_recorder(site, make_daemon)
    script = {"script": "echo '{\"n\": 1}'; [ $INBOXD_ATTEMPT = 2 ]"}
    task = {
        "id": "t",
        "executor": "command",
        "inputs": {**script, "stdout": "json"},
        "retry": {"limit": 1, "delay": "0s"},
    }
    daemon.drop("retried.json", [task])

    assert daemon.run_until_idle() == 0

    ends = [
        (one["attempt"], one["status"], one["error"], one["again"])
        for one in site.told("task_ended")
    ]
    assert ends == [(1, "failed", "exit_status", True), (2, "completed", None, False)]
    assert site.told("task_ended")[1]["result"] == {"n": 1}


def test_a_tree_is_told_as_ended_when_its_result_file_is_there(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    daemon = _with_recorder(site, make_daemon)
    for number in range(30):
        daemon.drop(f"many-{number}.json", [{"id": "a", "executor": "noop"}])

    assert daemon.run_until_idle() == 0

    ended = site.told("tree_ended")
    assert len(ended) == 30
    for one in ended:
        assert one["file"].replace(".json", ".result.json") in one["results"]
        assert one["document"] == one["tree"]
    assert daemon.rows("SELECT count(*) FROM owed_hooks") == [(0,)]


@pytest.mark.parametrize(
    "step",
    [
        "before_tree_end_commit",
        "after_tree_end_commit",
        "before_result",
        "after_result_sync",
        "before_results_paid",
        "before_hook",
        "before_hook:3",
        "after_hook",
        "after_hook:3",
        "before_hook_paid",
    ],
)
def test_the_end_of_every_tree_is_told_whatever_step_the_daemon_dies_at(
    site: PluginSite, make_daemon: MakeDaemon, step: str
) -> None:
    daemon = _with_recorder(site, make_daemon)
    names = [f"tree-{number}.json" for number in range(6)]
    for name in names:
        daemon.drop(name, [{"id": "a", "executor": "noop"}])

    killed = daemon.start("--until-idle", failpoint=step).wait(LIMIT_SECONDS)
    code = daemon.run_until_idle()

    assert (killed, code) == (-signal.SIGKILL, 0)
    ended = site.told("tree_ended")
    assert {one["file"] for one in ended} == set(names)
    for one in ended:
        assert one["file"].replace(".json", ".result.json") in one["results"]
    assert daemon.rows("SELECT count(*) FROM owed_hooks") == [(0,)]


def test_a_plugin_that_raises_was_told_and_harms_nobody(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    daemon = _with_recorder(site, make_daemon)
    site.install(
        "angry",
        "@hookimpl\ndef inboxd_tree_ended(tree): sys.exit('no')\n"
        "@hookimpl\ndef inboxd_task_ended(task): raise ValueError('no')\n",
    )
    daemon.drop("many.json", [{"id": f"t{n}", "executor": "noop"} for n in range(50)])

    assert daemon.run_until_idle() == 0

    assert len(site.told("task_ended")) == 50
    assert len(site.told("tree_ended")) == 1
    assert daemon.rows("SELECT count(*) FROM owed_hooks") == [(0,)]
    log = daemon.log.read_text()
    assert "inboxd_tree_ended of plugin angry (angry) failed: SystemExit: no" in log
    assert log.count("inboxd_task_ended of plugin angry (angry) failed: ValueError: no") == 1


def test_a_plugin_that_is_gone_is_told_when_it_is_back(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    daemon = _with_recorder(site, make_daemon)
    daemon.drop("tree.json", [{"id": "a", "executor": "noop"}])
    daemon.start("--until-idle", failpoint="before_hook").wait(LIMIT_SECONDS)
    site.remove("recorder")
    assert daemon.run_until_idle() == 0
    assert daemon.rows("SELECT plugin FROM owed_hooks") == [("recorder",)]
    site.install("recorder", RECORDER)

    assert daemon.run_until_idle() == 0

    assert [one["file"] for one in site.told("tree_ended")] == ["tree.json"]
    assert daemon.rows("SELECT count(*) FROM owed_hooks") == [(0,)]


def test_a_plugin_that_does_not_return_holds_no_stop_up_and_is_told_again(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    daemon = _with_recorder(site, make_daemon)
    site.install(
        "asleep",
        "@hookimpl\ndef inboxd_tree_ended(tree):\n"
        "    open(os.environ['RECORD'] + '.asleep', 'a').close()\n"
        "    threading.Event().wait()\n",
    )
    daemon.start_and_wait()
    daemon.drop("tree.json", [{"id": "a", "executor": "noop"}])
    wait_until(lambda: (site.path / "record.asleep").exists(), "the plugin sleeps")

    assert daemon.stop() == 0

    assert daemon.rows("SELECT plugin FROM owed_hooks ORDER BY plugin") == [
        ("asleep",),
        ("recorder",),
    ]
    site.remove("asleep")
    assert daemon.run_until_idle() == 0
    assert [one["file"] for one in site.told("tree_ended")] == ["tree.json"]


def test_doctor_says_who_was_not_told_yet(site: PluginSite, make_daemon: MakeDaemon) -> None:
    daemon = _with_recorder(site, make_daemon)
    daemon.drop("tree.json", [{"id": "a", "executor": "noop"}])
    daemon.start("--until-idle", failpoint="before_hook").wait(LIMIT_SECONDS)

    done = subprocess.run(
        [sys.executable, "-m", "inboxd", "doctor", "--state", str(daemon.state)],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )

    assert "recorder is still to be told of 1 tree that ended" in done.stdout


def test_an_attempt_that_a_crash_cut_is_told_as_interrupted(
    site: PluginSite, make_daemon: MakeDaemon
) -> None:
    daemon = _with_recorder(site, make_daemon)
    daemon.drop("tree.json", [{"id": "a", "executor": "noop"}])
    daemon.start("--until-idle", failpoint="after_claim_commit").wait(LIMIT_SECONDS)

    assert daemon.run_until_idle() == 0

    ends = [(one["attempt"], one["status"], one["again"]) for one in site.told("task_ended")]
    assert ends == [(1, "interrupted", True), (2, "completed", False)]
    order = [one["hook"] for one in site.told()]
    assert order.index("daemon_started") < order.index("task_ended")
