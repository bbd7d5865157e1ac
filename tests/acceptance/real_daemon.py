"""`inboxd run` as its own process, on an inbox and a state directory of its own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .forked import ForkedProcess, Nursery

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LIMIT_SECONDS", "NURSERY", "SETTLE", "RealDaemon", "wait_until"]

#: No wait lasts longer; the machine may be busy.
LIMIT_SECONDS = 60.0

#: Files are dropped whole here, by rename; one that no running daemon saw come rests so long.
SETTLE = "0.1s"

#: Daemons come from here; the fixture `no_nursery_is_left` ends it.
NURSERY = Nursery()

_PYTHON = sys.executable
_NEVER = threading.Event()


def wait_until(is_so: Callable[[], object], what: str, limit: float = LIMIT_SECONDS) -> None:
    """Look every few milliseconds until something is so; fail when that takes too long."""
    end = time.monotonic() + limit
    while not is_so():
        assert time.monotonic() < end, f"waited {limit:g} s in vain: {what}"
        _NEVER.wait(0.005)


Process = ForkedProcess | subprocess.Popen[bytes]


class RealDaemon:
    """One instance; it can be started again after it ended, whatever ended it."""

    def __init__(self, directory: Path, **settings: object) -> None:
        """*settings* are environment settings: `run__places=1`."""
        self.directory = directory
        self.inbox = directory / "inbox"
        self.state = directory / "state"
        self.log = directory / "log"
        self.inbox.mkdir(exist_ok=True)
        own = {name: text for name, text in os.environ.items() if not name.startswith("INBOXD_")}
        self._environment = {
            **own,
            "XDG_RUNTIME_DIR": str(directory),
            "INBOXD_INBOX__SETTLE": SETTLE,
            **{f"INBOXD_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.process: Process | None = None

    def set_environment(self, **variables: str) -> None:
        """Set variables of the daemon's environment for its next starts."""
        self._environment.update(variables)

    def start(self, *arguments: str, failpoint: str | None = None) -> Process:
        environment = dict(self._environment)
        if failpoint is not None:
            environment["INBOXD_FAILPOINT"] = failpoint
        words = ["run", "--inbox", str(self.inbox), "--state", str(self.state), *arguments]
        with self.log.open("ab") as log:
            if sys.executable == _PYTHON:
                self.process = NURSERY.fork(words, environment=environment, output=log.fileno())
            else:  # of another environment, as a test has it
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "inboxd", *words],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
        return self.process

    def start_and_wait(self, *arguments: str) -> None:
        before = self._starts()
        process = self.start(*arguments)
        wait_until(lambda: self._starts() > before or process.poll() is not None, "the daemon runs")
        assert process.poll() is None, self.log.read_text()

    def run_until_idle(self, limit: float = LIMIT_SECONDS) -> int:
        return self.start("--until-idle").wait(limit)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(LIMIT_SECONDS)

    def stop(self) -> int:
        """End it by SIGTERM and return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT_SECONDS)

    def end(self) -> None:
        """End it in any case, at the end of a test."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def drop(self, name: str, array: object) -> None:
        """Drop a task array by rename."""
        hidden = self.inbox / f".{name}"
        hidden.write_text(json.dumps(array))
        hidden.rename(self.inbox / name)

    def receipt(self, name: str) -> dict[str, Any] | None:
        for directory in ("accepted", "rejected"):
            path = self.inbox / directory / f"{Path(name).stem}.receipt.json"
            if path.exists():
                found: dict[str, Any] = json.loads(path.read_text())
                return found
        return None

    def result(self, name: str) -> dict[str, Any] | None:
        path = self.inbox / "results" / f"{Path(name).stem}.result.json"
        if not path.exists():
            return None
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read the store, whether the daemon runs or not."""
        connection = sqlite3.connect(f"file:{self.state / 'inboxd.db'}?mode=ro", uri=True)
        try:
            return connection.execute(statement, parameters).fetchall()
        finally:
            connection.close()

    def _starts(self) -> int:
        return self.log.read_text().count(" runs: drop task files") if self.log.exists() else 0
