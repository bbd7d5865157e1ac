"""YAML files through a real daemon with the plugin, and through one that is without it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .real_daemon import wait_until

if TYPE_CHECKING:
    from .conftest import MakeDaemon
    from .real_daemon import RealDaemon

EXAMPLE = Path(__file__).parents[2] / "inbox" / "examples" / "10-weekly-report.yaml"

_GOOD = "# a note\n- {id: a, executor: noop}\n"
_BAD = "- id: a\n  executor: noop\n  prority: 1\n"


def document(daemon: RealDaemon, path: str) -> dict[str, Any]:
    """Return an answer of the daemon."""
    found: dict[str, Any] = json.loads((daemon.inbox / path).read_text())
    return found


def write(daemon: RealDaemon, name: str, text: str) -> None:
    """Drop a file by rename."""
    hidden = daemon.inbox / f".{name}"
    hidden.write_text(text)
    hidden.rename(daemon.inbox / name)


def inboxd(daemon: RealDaemon, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """Run a verb on the daemon's instance; return its exit status and what it printed."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("INBOXD_")}
    ended = subprocess.run(
        [sys.executable, "-m", "inboxd", *arguments, "--state", str(daemon.state)],
        env={
            **own,
            "XDG_RUNTIME_DIR": str(daemon.directory),
            "INBOXD_INBOX__PATH": str(daemon.inbox),
        },
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_the_example_runs_and_its_report_is_right(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    shutil.copy(EXAMPLE, daemon.inbox)

    assert daemon.run_until_idle() == 0

    name = EXAMPLE.name
    receipt = document(daemon, f"accepted/{name}.receipt.json")
    result = document(daemon, f"results/{name}.result.json")
    assert receipt["sha256"] == hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()
    assert (daemon.inbox / "accepted" / name).read_bytes() == EXAMPLE.read_bytes()
    assert (result["name"], result["status"]) == ("weekly report", "completed")
    tasks = {task["id"]: task for task in result["tasks"]}
    assert [line.split() for line in tasks["report"]["result"]["stdout"].splitlines()[1:]] == [
        ["2", "north"],
        ["1", "south"],
    ]
    assert tasks["apologise"]["status"] == "skipped"


def test_a_bad_file_gets_lines_and_columns(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    write(daemon, "bad.yaml", _BAD)

    assert daemon.run_until_idle() == 1

    (error,) = document(daemon, "rejected/bad.yaml.receipt.json")["errors"]
    assert (error["code"], error["line"], error["column"]) == ("unknown_field", 3, 3)


@pytest.mark.parametrize("failpoint", ["after_read", "after_commit"])
def test_a_kill_while_it_is_taken_loses_nothing_and_repeats_nothing(
    make_daemon: MakeDaemon, failpoint: str
) -> None:
    daemon = make_daemon()
    write(daemon, "one.yaml", _GOOD)
    killed = daemon.start(failpoint=failpoint)
    wait_until(lambda: killed.poll() is not None, "the kill")

    assert daemon.run_until_idle() == 0
    assert daemon.rows("SELECT count(*) FROM trees") == [(1,)]
    assert document(daemon, "results/one.yaml.result.json")["status"] == "completed"


def test_without_the_plugin_a_file_stays_and_with_it_is_taken(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(plugins__disable="yaml")
    write(daemon, "one.yaml", _GOOD)

    assert daemon.run_until_idle() == 0
    assert (daemon.inbox / "one.yaml").read_text() == _GOOD
    assert "inboxd-yaml" in daemon.log.read_text()

    again = make_daemon()
    shutil.move(daemon.inbox / "one.yaml", again.inbox / "one.yaml")
    assert again.run_until_idle() == 0
    assert (again.inbox / "accepted" / "one.yaml").read_text() == _GOOD


def test_a_claimed_file_of_a_plugin_that_is_gone_is_rejected_with_what_to_do(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon()
    write(daemon, "one.yaml", _GOOD)
    killed = daemon.start(failpoint="after_read")
    wait_until(lambda: killed.poll() is not None, "the kill")
    gone = make_daemon(plugins__disable="yaml")
    shutil.rmtree(gone.inbox)
    shutil.move(daemon.inbox, gone.inbox)

    assert gone.run_until_idle() == 1
    (error,) = document(gone, "rejected/one.yaml.receipt.json")["errors"]
    assert error["code"] == "unreadable"
    assert "inboxd-yaml" in error["hint"]
    assert (gone.inbox / "rejected" / "one.yaml").read_text() == _GOOD


def test_submit_takes_a_file_as_it_is(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    daemon.start_and_wait()
    path = daemon.directory / "nightly.yaml"
    path.write_text(_GOOD)
    code, printed, said = inboxd(daemon, "submit", "--json", "--wait", str(path))

    assert code == 0, said
    result = json.loads(printed)
    assert result["file"].startswith("nightly-")
    assert result["file"].endswith(".yaml")
    assert (daemon.inbox / "accepted" / result["file"]).read_text() == _GOOD


def test_submit_from_standard_input_goes_by_the_name(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    daemon.start_and_wait()
    named, printed, said = inboxd(
        daemon, "submit", "--json", "--wait", "--name", "nightly.yaml", "-", stdin=_GOOD
    )
    plain, _, complaint = inboxd(daemon, "submit", "-", stdin=_GOOD)

    # The array has no name of its own, so it gets one, in an envelope.
    assert named == 0, said
    result = json.loads(printed)
    assert (result["name"], result["file"].endswith(".json")) == ("nightly", True)
    assert plain == 4
    assert "JSON" in complaint


def test_the_same_key_and_file_run_once(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    daemon.start_and_wait()
    path = daemon.directory / "nightly.yaml"
    path.write_text(_GOOD)
    arguments = ("submit", "--json", "--idempotency-key", "k", str(path))
    first = json.loads(inboxd(daemon, *arguments)[1])
    second = json.loads(inboxd(daemon, *arguments)[1])

    assert second["duplicate"] is True
    assert second["tree_id"] == first["tree_id"]


def test_submit_and_validate_show_the_places_and_drop_nothing(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    daemon.start_and_wait()
    path = daemon.directory / "bad.yml"
    path.write_text(_BAD)
    submitted = inboxd(daemon, "submit", str(path))
    validated = inboxd(daemon, "validate", str(path))

    assert (submitted[0], validated[0]) == (4, 4)
    assert "(line 3, column 3)" in submitted[2]
    assert "(line 3, column 3)" in validated[1]
    assert [path.name for path in daemon.inbox.iterdir() if path.is_file()] == []
