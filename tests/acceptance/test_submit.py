"""Submitting to a real daemon, which is found by itself."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from inboxd.state_lock import is_locked

from .forked import ForkedProcess
from .real_daemon import NURSERY, wait_until

_LIMIT_SECONDS = 60.0

_GOOD = [{"id": "a", "executor": "noop"}, {"id": "b", "executor": "noop", "dependencies": ["a"]}]
_BAD = [{"id": "a", "executor": "command", "inputs": {"script": "exit 3"}}]
_LONG = [{"id": "a", "executor": "command", "inputs": {"script": "sleep 60"}}]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user who is alone on the machine."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("INBOXD_", "XDG_")) and not name.endswith("_DIRECTORY")
    }
    (tmp_path / "runtime").mkdir(mode=0o700)
    home = {"HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path / "runtime")}
    return {**own, **home, "INBOXD_RUN__GRACE": "1", "INBOXD_RUN__DRAIN_TIMEOUT": "0"}


@contextmanager
def daemon(environ: dict[str, str], *arguments: str) -> Generator[ForkedProcess]:
    """Run a daemon on the default paths; returns when it can be found."""
    log = Path(environ["XDG_RUNTIME_DIR"], "log")
    with log.open("ab") as output:
        process = NURSERY.fork(["run", *arguments], environment=environ, output=output.fileno())
    registry = Path(environ["XDG_RUNTIME_DIR"], "inboxd")
    try:
        wait_until(lambda: list(registry.glob("*.json")) or process.poll() is not None, "it runs")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.terminate()
        process.wait(timeout=_LIMIT_SECONDS)


def inboxd(environ: dict[str, str], *arguments: str, data: Any = None) -> tuple[int, str, str]:
    """Run a verb; return its exit code, stdout and stderr."""
    finished = subprocess.run(
        [sys.executable, "-m", "inboxd", *arguments],
        env=environ,
        input="" if data is None else json.dumps(data),
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
        check=False,
    )
    return finished.returncode, finished.stdout, finished.stderr


def test_a_tree_that_ends_well_and_one_that_fails(environ: dict[str, str]) -> None:
    with daemon(environ):
        good = inboxd(environ, "submit", "--wait", "--name", "good", "-", data=_GOOD)
        bad = inboxd(environ, "submit", "--wait", "-", data=_BAD)
        shown = json.loads(inboxd(environ, "show", "good", "--json")[1])

    assert (good[0], good[2]) == (0, "completed: 2 completed\n")
    assert bad[0] == 1
    assert bad[2].splitlines() == [
        "failed: 1 failed",
        "  a: exit status 3",
        f"look at it with: inboxd show {bad[1].strip()[-8:]}",
    ]
    assert (good[1].strip(), "good", "completed") == (
        shown["tree_id"],
        shown["name"],
        shown["status"],
    )


def test_json_gives_the_receipt_and_with_wait_the_result(environ: dict[str, str]) -> None:
    with daemon(environ):
        receipt = json.loads(inboxd(environ, "submit", "--json", "-", data=_GOOD)[1])
        result = json.loads(inboxd(environ, "submit", "--json", "--wait", "-", data=_GOOD)[1])

    assert (receipt["format"], receipt["accepted"], list(receipt["tasks"])) == (1, True, ["a", "b"])
    assert (result["status"], len(result["tasks"])) == ("completed", 2)


def test_the_same_key_gives_the_first_tree_and_other_content_is_rejected(
    environ: dict[str, str],
) -> None:
    with daemon(environ):
        arguments = ("submit", "--idempotency-key", "k", "-")
        first = inboxd(environ, *arguments, data=_GOOD)
        second = inboxd(environ, *arguments, data=_GOOD)
        other = inboxd(environ, *arguments, data=_BAD)

    assert (0, 0, first[1]) == (first[0], second[0], second[1])
    assert "this was accepted before" in second[2]
    assert (other[0], other[1], "idempotency_key" in other[2]) == (4, "", True)


def test_a_queued_file_is_taken_by_the_next_daemon(environ: dict[str, str]) -> None:
    with daemon(environ):
        pass
    refused = inboxd(environ, "submit", "-", data=_GOOD)
    queued = inboxd(environ, "submit", "--queue", "-", data=_GOOD)
    with daemon(environ):
        result = inboxd(environ, "submit", "--wait", "-", data=_GOOD)
        # Nobody saw it come, so it rests for `settle` first: the later one may well overtake it.
        limit = time.monotonic() + _LIMIT_SECONDS
        listed = ""
        while queued[1].strip() not in listed and time.monotonic() < limit:
            listed = inboxd(environ, "list", "--json")[1]

    assert (refused[0], queued[0], result[0]) == (69, 0, 0)
    assert queued[1].strip() in listed


def test_who_waits_survives_the_death_of_the_daemon_and_its_restart(
    environ: dict[str, str],
) -> None:
    tasks = [{"id": "a", "executor": "command", "inputs": {"script": "sleep 1"}}]
    with daemon(environ) as first:
        waiting = subprocess.Popen(
            [sys.executable, "-m", "inboxd", "submit", "--wait", "-"],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert waiting.stdin is not None
        assert waiting.stdout is not None
        waiting.stdin.write(json.dumps(tasks).encode())
        waiting.stdin.close()
        waiting.stdout.readline()
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=_LIMIT_SECONDS)
        for entry in Path(environ["XDG_RUNTIME_DIR"], "inboxd").glob("*.json"):
            entry.unlink()
    with daemon(environ):
        code = waiting.wait(timeout=_LIMIT_SECONDS)
        assert waiting.stderr is not None
        told = waiting.stderr.read().decode()
    waiting.stdout.close()
    waiting.stderr.close()

    assert (code, told) == (0, "completed: 1 completed\n")


def test_a_terminal_shows_how_far_the_tree_is(environ: dict[str, str]) -> None:
    # Events are heard from when somebody listens on, so it is said again and again.
    line = """'{"progress": 0.4, "message": "part %d"}\\n'"""
    script = (
        f'while :; do n=$((n + 1)); printf {line} $n >>"$INBOXD_PROGRESS_FILE"; sleep 0.1; done'
    )
    tasks = [
        {"id": "a", "executor": "noop"},
        {"id": "b", "executor": "command", "inputs": {"script": script}},
    ]
    ours, theirs = pty.openpty()
    with (
        daemon(environ),
        subprocess.Popen(
            [sys.executable, "-m", "inboxd", "submit", "--wait", "-"],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        ) as waiting,
    ):
        assert waiting.stdin is not None
        waiting.stdin.write(json.dumps(tasks).encode())
        waiting.stdin.close()
        seen = b""
        limit = time.monotonic() + _LIMIT_SECONDS
        while b"1 of 2 ended, 1 in progress; b 40 %: part " not in seen:
            if time.monotonic() > limit:
                waiting.kill()
                pytest.fail(f"not shown: {seen!r}")
            ready, _, _ = select.select([ours], [], [], _LIMIT_SECONDS)
            assert ready, seen
            seen += os.read(ours, 1024)
        waiting.send_signal(signal.SIGINT)
        code = waiting.wait(timeout=_LIMIT_SECONDS)
    os.close(ours)
    os.close(theirs)

    assert code == 130


def test_a_wait_that_times_out_ends_with_124_and_leaves_the_tree_running(
    environ: dict[str, str],
) -> None:
    alone = inboxd(environ, "submit", "--timeout", "1s", "-", data=_LONG)
    with daemon(environ):
        code, out, err = inboxd(environ, "submit", "--wait", "--timeout", "0.1", "-", data=_LONG)
        shown = json.loads(inboxd(environ, "show", out.strip(), "--json")[1])

    assert (alone[0], code) == (2, 124)
    assert err == f"timed out: the tree goes on; wait on with: inboxd wait {out.strip()[-8:]}\n"
    assert shown["status"] in {"pending", "in_progress"}


def test_an_interrupted_wait_leaves_the_tree_running(environ: dict[str, str]) -> None:
    with daemon(environ):
        with subprocess.Popen(
            [sys.executable, "-m", "inboxd", "submit", "--wait", "-"],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as waiting:
            assert waiting.stdin is not None
            assert waiting.stdout is not None
            waiting.stdin.write(json.dumps(_LONG).encode())
            waiting.stdin.close()
            waiting.stdin = None
            tree_id = waiting.stdout.readline().decode().strip()
            waiting.send_signal(signal.SIGINT)
            _, told = waiting.communicate(timeout=_LIMIT_SECONDS)
        shown = json.loads(inboxd(environ, "show", tree_id, "--json")[1])

    assert (waiting.returncode, b"the tree goes on without you" in told) == (130, True)
    assert shown["status"] in {"pending", "in_progress"}


def test_doctor_and_config_are_about_the_running_instance(
    environ: dict[str, str], tmp_path: Path
) -> None:
    inbox, state = tmp_path / "other/inbox", tmp_path / "other/state"
    with daemon(environ, "--inbox", str(inbox), "--state", str(state)) as process:
        code, out, _ = inboxd(environ, "doctor", "--json")
        shown = json.loads(inboxd(environ, "config", "show", "--json")[1])["settings"]
        submitted = inboxd(environ, "submit", "--wait", "-", data=_GOOD)

    checks = {each["check"]: each for each in json.loads(out)["checks"]}
    assert (0, f"runs on {state}, pid {process.pid}") == (code, checks["daemon"]["message"])
    assert (str(inbox), str(state), 0) == (
        shown["inbox"]["path"],
        shown["state"]["path"],
        submitted[0],
    )
    assert not is_locked(state)


def test_the_first_run_on_the_default_paths_leaves_a_file_to_edit(
    environ: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "home/.config/inboxd/inboxd.toml"
    with daemon(environ, "--state", f"{tmp_path}/elsewhere"):
        elsewhere = path.exists()
    with daemon(environ):
        # The file is written when the daemon has started; a verb answers after that.
        inboxd(environ, "submit", "--wait", "-", data=_GOOD)
        shown = json.loads(inboxd(environ, "config", "show", "--json")[1])

    assert (False, [str(path)]) == (elsewhere, shown["files"])


def test_a_second_daemon_on_the_same_state_is_refused(environ: dict[str, str]) -> None:
    with daemon(environ) as process:
        code, out, err = inboxd(environ, "run")

    assert (code, out, f"another inboxd (pid {process.pid})" in err) == (73, "", True)


def test_of_two_daemons_one_must_be_named(environ: dict[str, str], tmp_path: Path) -> None:
    with daemon(environ, "--state", f"{tmp_path}/a"):
        # The second one's entry is beside the first one's, so it is waited for by its lock.
        second = subprocess.Popen(
            [sys.executable, "-m", "inboxd", "run", "--state", f"{tmp_path}/b"],
            env=environ,
            stderr=subprocess.DEVNULL,
        )
        try:
            registry = Path(environ["XDG_RUNTIME_DIR"], "inboxd")
            wait_until(lambda: len(list(registry.glob("*.json"))) == 2, "both run")
            unnamed = inboxd(environ, "list")
            named = inboxd(environ, "list", "--state", f"{tmp_path}/b")
        finally:
            second.terminate()
            second.wait(timeout=_LIMIT_SECONDS)

    assert (unnamed[0], named[0]) == (2, 0)
    assert all(f"--state {tmp_path}/{name} " in unnamed[2] for name in "ab")
