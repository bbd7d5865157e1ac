"""The verbs that need the daemon, on a real one: what each says, and its exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.cli.main import run_command_line

from .real_daemon import LIMIT_SECONDS, RealDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., tuple[int, str, str]]

#: Ends when a file is there; `$0` is not: a command's directory is its tree's.
_UNTIL = "while [ ! -e {path} ]; do sleep 0.02; done"


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealDaemon]:
    """Give a running daemon that is found by itself."""
    for variable in ("INBOXD_STATE__PATH", "INBOXD_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    one = RealDaemon(tmp_path, run__grace="1s", run__drain_timeout="0", run__places="4")
    one.start_and_wait()
    yield one
    one.end()


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Give a function that runs a verb: (exit code, stdout, stderr)."""

    def run_verb(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run_command_line([*arguments])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run_verb


def command(name: str, script: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "executor": "command", "inputs": {"script": script}, **fields}


def accepted(daemon: RealDaemon, name: str, tasks: object) -> str:
    """Drop a file and return the id of its tree."""
    daemon.drop(f"{name}.json", {"name": name, "tasks": tasks})
    wait_until(lambda: daemon.receipt(f"{name}.json"), "a receipt")
    receipt = daemon.receipt(f"{name}.json")
    assert receipt is not None
    assert receipt["accepted"], receipt
    tree_id: str = receipt["tree_id"]
    return tree_id


def started(daemon: RealDaemon, task: str) -> None:
    """Wait until a task is in progress."""
    wait_until(
        lambda: daemon.rows("SELECT 1 FROM tasks WHERE local_id = ? AND state = 10", task),
        f"{task} is in progress",
    )


def test_cancel_ends_what_runs_and_refuses_what_has_ended(daemon: RealDaemon, run: Run) -> None:
    accepted(daemon, "long", [command("a", "sleep 60"), command("b", "true", dependencies=["a"])])
    started(daemon, "a")

    one = run("cancel", "long/b")
    all_of_it = run("cancel", "long.json", "--json")
    waited = run("wait", "@")
    again = run("cancel", "long")

    assert one == (0, "1 task cancelled\n", "")
    done = json.loads(all_of_it[1])
    assert (all_of_it[0], done["ended"], done["ending"], done["already"]) == (0, 0, 1, False)
    assert (waited[0], "cancelled (2 cancelled)" in waited[1]) == (1, True)
    assert (again[0], again[1], "it has ended" in again[2]) == (5, "", True)


def test_retry_runs_again_what_failed(daemon: RealDaemon, run: Run, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    accepted(daemon, "flaky", [command("a", f"test -e {flag}"), command("b", "true")])

    failed = run("wait", "flaky")
    flag.touch()
    retried = run("retry", "flaky")
    mended = run("wait", "flaky", "--json")
    refused = run("retry", "flaky")
    task = run("retry", "flaky/b")

    assert (failed[0], "failed (1 completed, 1 failed)" in failed[1]) == (1, True)
    assert retried == (0, "1 task runs again\n", "")
    assert (mended[0], json.loads(mended[1])["trees"][0]["status"]) == (0, "completed")
    assert (refused[0], "nothing to retry" in refused[2]) == (5, True)
    assert task[:2] == (0, "1 task runs again\n")


def test_pause_and_resume_of_everything_and_of_a_tree(daemon: RealDaemon, run: Run) -> None:
    assert run("pause") == (0, "paused\n", "")
    assert run("pause") == (0, "was paused already\n", "")
    accepted(daemon, "quick", [{"id": "a", "executor": "noop"}])
    explained = run("explain", "quick/a")
    paused = run("pause", "quick")
    resumed = run("resume")
    in_vain = run("wait", "quick", "--timeout", "0.2")
    of_tree = run("explain", "quick/a")
    tree = run("resume", "quick")
    waited = run("wait", "quick", "--timeout", "60s")
    ended = run("pause", "quick")
    nothing = run("resume")

    assert explained == (
        0,
        "a could start, but everything is paused, until `inboxd resume`.\n",
        "",
    )
    assert (paused[:2], resumed[:2], tree[:2]) == (
        (0, "paused\n"),
        (0, "resumed\n"),
        (0, "resumed\n"),
    )
    assert in_vain == (124, "", "timed out: 1 of 1 trees had not ended\n")
    assert "its tree is paused: `inboxd resume " in of_tree[1]
    assert (waited[0], ended[0], nothing) == (0, 5, (0, "was not paused\n", ""))


def test_priority_decides_what_starts_next(daemon: RealDaemon, run: Run, tmp_path: Path) -> None:
    run("pause")
    accepted(daemon, "two", [command("a", "true"), command("b", "true")])

    task = run("priority", "two/b", "0")
    explained = run("explain", "two/a")
    tree = run("priority", "two", "7", "--json")
    bad = run("priority", "two", "1000")
    run("resume")
    run("wait", "two")
    late = run("priority", "two/a", "1")

    assert task == (0, "priority 0 for 1 task not started\n", "")
    assert "paused" in explained[1]
    assert (tree[0], json.loads(tree[1])["tasks"]) == (0, 2)
    assert (bad[0], late[0]) == (2, 5)


def test_release_lets_a_held_task_start(daemon: RealDaemon, run: Run) -> None:
    accepted(daemon, "held", [{"id": "a", "executor": "noop", "hold": True}])

    explained = run("explain", "held/a", "--json")
    released = run("release", "held/a")
    waited = run("wait", "held")
    again = run("release", "held/a")
    not_named = run("release", "held")

    assert json.loads(explained[1])["state"] == "held"
    assert released == (0, "released\n", "")
    assert (waited[0], again[0], not_named[0]) == (0, 5, 3)


def test_what_is_not_there_ends_with_3(daemon: RealDaemon, run: Run) -> None:
    answers = {
        words[0]: run(*words)
        for words in (
            ("wait", "none"),
            ("cancel", "none"),
            ("retry", "none/a"),
            ("release", "none/a"),
            ("pause", "none"),
            ("resume", "none"),
            ("priority", "none", "1"),
            ("explain", "none/a"),
        )
    }

    assert {verb: (code, out) for verb, (code, out, _) in answers.items()} == dict.fromkeys(
        answers, (3, "")
    )
    assert [verb for verb, (_, _, err) in answers.items() if 'no tree "none"' not in err] == []


def test_without_a_daemon_the_verbs_end_with_69(
    daemon: RealDaemon, run: Run, tmp_path: Path
) -> None:
    daemon.stop()
    state = ("--state", str(daemon.state))

    codes = [
        run(*words, *state)[0]
        for words in (
            ("wait", "@"),
            ("cancel", "@"),
            ("retry", "@"),
            ("release", "@/a"),
            ("pause",),
            ("resume",),
            ("priority", "@", "1"),
        )
    ]

    assert codes == [69] * 7


def test_wait_goes_on_over_a_restart_and_ends_with_130_when_interrupted(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    tree_id = accepted(daemon, "long", [command("a", _UNTIL.format(path=flag))])
    started(daemon, "a")
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    waits = [
        subprocess.Popen(
            [sys.executable, "-m", "inboxd", "wait", "long"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    _until_waiting(daemon, 2)
    waits[1].send_signal(signal.SIGINT)
    interrupted = waits[1].communicate(timeout=LIMIT_SECONDS)
    daemon.kill()
    daemon.start_and_wait()
    flag.touch()
    out, err = waits[0].communicate(timeout=LIMIT_SECONDS)

    assert (waits[1].returncode, interrupted) == (130, ("", ""))
    assert (waits[0].returncode, out, err) == (
        0,
        f"{tree_id[-8:]} long: completed (1 completed)\n",
        "",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a user who may, and one who may not")
def test_who_may_not_read_the_store_is_told_the_same_by_the_daemon(
    daemon: RealDaemon, run: Run, tmp_path: Path
) -> None:
    tasks = [
        command("a", "echo out; echo err >&2", retry=1, metadata={"k": [1]}),
        {"id": "b", "executor": "noop", "parent_id": "a", "dependencies": ["a"]},
        {**command("c", "exit 3"), "name": "named"},
    ]
    accepted(daemon, "nightly", tasks)
    run("wait", "nightly")
    accepted(daemon, "empty", [{"id": "a", "executor": "noop"}])
    run("wait", "empty")
    verbs = [
        ["list"],
        ["list", "--json", "--status", "failed"],
        ["show", "nightly"],
        ["show", "nightly", "--json"],
        ["show", "nightly/a"],
        ["show", "nightly/named", "--json"],
        ["tree", "nightly"],
        ["tree", "nightly", "--json"],
        ["logs", "nightly/a"],
        ["logs", "-f", "nightly/a", "--json"],
        ["explain", "nightly/c", "--json"],
        ["show", "none"],
        ["logs", "nightly/b"],
    ]

    read = [run(*words)[:2] for words in verbs]
    (daemon.state / "inboxd.db").chmod(0)
    told = _run_without_rights(verbs, tmp_path)

    def without_time(text: str) -> str:
        return re.sub(r"[0-9.]+ s ago", "ago", text)

    for words, direct, through in zip(verbs, read, told, strict=True):
        assert (words, direct[0], without_time(direct[1])) == (
            words,
            through[0],
            without_time(through[1]),
        )


#: Runs verbs, each with its stdout in a file; one process, since starting one is most of the time.
_RUN_VERBS = """
import json, os, sys
from inboxd.cli.main import run_command_line

codes = []
for number, words in enumerate(json.loads(sys.argv[1])):
    os.dup2(os.open(f"{sys.argv[2]}/told-{number}", os.O_CREAT | os.O_WRONLY), 1)
    codes.append(int(run_command_line(words)))
    sys.stdout.flush()
with open(f"{sys.argv[2]}/codes", "w") as file:
    json.dump(codes, file)
"""


def _run_without_rights(verbs: list[list[str]], directory: Path) -> list[tuple[int, str]]:
    """Run verbs as root without its capabilities, so that modes count for it too."""
    limited = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    subprocess.run(
        [*limited, sys.executable, "-c", _RUN_VERBS, json.dumps(verbs), str(directory)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(directory)},
        check=True,
        timeout=LIMIT_SECONDS,
    )
    codes = json.loads((directory / "codes").read_text())
    return [(code, (directory / f"told-{n}").read_text()) for n, code in enumerate(codes)]


def _until_waiting(daemon: RealDaemon, count: int) -> None:
    """Wait until so many connections to the control socket are open."""
    assert daemon.process is not None
    pid = daemon.process.pid
    # Where the test's own path is long, it lies elsewhere; the name is its own all the same.
    state = os.fsencode(daemon.state.resolve())
    name = f"/{sha256(state).hexdigest()[:16]}.sock"

    def is_so() -> bool:
        lines = Path(f"/proc/{pid}/net/unix").read_text().splitlines()
        return sum(line.endswith(name) and line.split()[5] == "03" for line in lines) >= count

    wait_until(is_so, f"{count} connections to the control socket")
