"""The control socket of a daemon in a process of its own: found, left behind, and its memory."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .real_daemon import RealDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: docs/explanation/reliability.md says so.
MOST_IDLE_KIB = 70 * 1024


@pytest.fixture
def daemon() -> Iterator[RealDaemon]:
    # Those of pytest are too long for a socket.
    directory = Path(tempfile.mkdtemp(prefix="inboxd-"))
    daemon = RealDaemon(directory)
    yield daemon
    daemon.end()
    shutil.rmtree(directory)


def entry(daemon: RealDaemon) -> dict[str, Any]:
    path = next((daemon.directory / "inboxd").glob("*.json"))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def health(daemon: RealDaemon) -> str:
    run = subprocess.run(
        [
            "curl",
            "-s",
            "--max-time",
            "30",
            "--unix-socket",
            entry(daemon)["socket"],
            "http://x/healthz",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    status: str = json.loads(run.stdout)["status"]
    return status


@pytest.mark.skipif(not shutil.which("curl"), reason="curl asks")
def test_the_socket_is_found_by_the_registry_also_after_a_crash(daemon: RealDaemon) -> None:
    daemon.start_and_wait()
    socket = Path(entry(daemon)["socket"])
    assert health(daemon) == "ok"
    daemon.kill()
    assert socket.exists()
    daemon.start_and_wait()

    assert str(socket) == entry(daemon)["socket"]
    assert health(daemon) == "ok"
    assert daemon.stop() == 0
    assert not socket.exists()


def test_a_daemon_that_nobody_asks_stays_small(daemon: RealDaemon) -> None:
    words = ["run", "--inbox", str(daemon.inbox), "--state", str(daemon.state)]
    with (
        daemon.log.open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "inboxd", *words],
            env={"XDG_RUNTIME_DIR": str(daemon.directory), "PATH": "/usr/bin:/bin"},
            stderr=log,
        ) as process,
    ):
        try:
            wait_until(lambda: b" runs: drop task files" in daemon.log.read_bytes(), "it runs")
            wait_until(lambda: list((daemon.directory / "inboxd").glob("*.json")), "it is found")
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.terminate()

    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert match is not None
    assert int(match[1]) < MOST_IDLE_KIB
    assert process.returncode == 0


def test_a_socket_in_a_place_that_cannot_be_ends_the_start(daemon: RealDaemon) -> None:
    daemon.set_environment(INBOXD_CONTROL__SOCKET=str(daemon.directory / ("long" * 30)))
    process = daemon.start()

    assert process.wait(30) == 78
    assert "[control] socket: " in daemon.log.read_text()


def test_without_a_place_for_its_socket_the_daemon_runs_on_and_says_so(daemon: RealDaemon) -> None:
    (daemon.directory / "inboxd").write_text("no directory")
    daemon.start_and_wait()

    assert "no control socket, so that nobody can steer this daemon" in daemon.log.read_text()
