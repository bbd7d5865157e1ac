"""What a daemon that was killed left running, and the next one that ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxd.running.leftovers import end_leftovers
from inboxd.running.locks import AttemptLocks, found_locks
from inboxd.running.process_table import process_facts

from ..unit.running.runner_bed import attempt, until

if TYPE_CHECKING:
    from collections.abc import Iterator

TREE_ID = attempt().tree_id

#: A daemon's runner and nothing else: runs one script and waits to be killed.
_DAEMON = """
import sys, threading
from pathlib import Path
import msgspec
from inboxd.clock import SystemClock
from inboxd.config.settings import RunSettings
from inboxd.executors.command import Command
from inboxd.running.attempt import Attempt
from inboxd.running.runner import Runner

runner = Runner(
    executors={"command": Command()}, settings=RunSettings(), state=Path(sys.argv[1]),
    on_outcomes=lambda ended: None, clock=SystemClock(),
)
runner.start()
runner.run([
    Attempt(
        task=1, tree=1, tree_id=sys.argv[2], task_id="task-0", position=0, number=1, start_seq=1,
        started_at=0, executor="command", inputs=msgspec.json.encode({"script": sys.argv[3]}),
    )
])
threading.Event().wait(60)
"""


class KilledDaemon:
    """Runs a script as an attempt and is killed once the script says that it is ready."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.pids: list[int] = []

    def leave(self, script: str) -> None:
        """Leave what the script starts; it writes numbers into `pids` and then makes `ready`."""
        tree = self.state / "trees" / TREE_ID
        with subprocess.Popen(
            [sys.executable, "-c", _DAEMON, str(self.state), TREE_ID, script]
        ) as process:
            until((tree / "ready").exists)
            process.kill()
        self.pids = [int(line) for line in (tree / "pids").read_text().split()]

    def living(self) -> list[int]:
        """Return those of the numbers that are of a living process."""
        return [
            pid
            for pid in self.pids
            if (facts := process_facts(pid)) is not None and facts.state != "Z"
        ]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[KilledDaemon]:
    made = KilledDaemon(tmp_path / "state")
    yield made
    for pid in made.living():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not made.living())
    # A runner that an earlier test started made this process the one that gets orphans.
    for pid in made.pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _end(daemon: KilledDaemon, *, grace_seconds: float = 0.3) -> float:
    """End the leftovers and return how many seconds that took."""
    started = time.monotonic()
    end_leftovers(daemon.state, [(TREE_ID, 0, 1)], grace_seconds=grace_seconds)
    return time.monotonic() - started


def test_a_leader_that_goes_on_is_ended(daemon: KilledDaemon) -> None:
    daemon.leave("echo $$ >pids; touch ready; sleep 600; sleep 600")
    before = daemon.living()

    _end(daemon)

    assert before == daemon.pids
    assert daemon.living() == []


def test_what_ignores_sigterm_is_killed_after_the_grace(daemon: KilledDaemon) -> None:
    daemon.leave("trap '' TERM; echo $$ >pids; touch ready; sleep 600; sleep 600")

    seconds = _end(daemon, grace_seconds=0.3)

    assert daemon.living() == []
    assert 0.3 <= seconds < 30  # far less than it would have slept


def test_what_left_its_group_and_its_leader_is_found_by_the_lock(daemon: KilledDaemon) -> None:
    daemon.leave(
        "env -i setsid sh -c 'echo $$ >>pids; sleep 600; sleep 600' & "
        "until [ -s pids ]; do :; done; touch ready; wait"
    )

    _end(daemon)

    assert daemon.living() == []


def test_what_closed_its_descriptors_is_found_by_its_mark(daemon: KilledDaemon) -> None:
    daemon.leave(
        "setsid sh -c 'exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; echo $$ >>pids; exec sleep 600' & "
        "until [ -s pids ]; do :; done; touch ready; wait"
    )

    _end(daemon)

    assert daemon.living() == []


def test_when_nothing_is_left_it_returns_at_once(daemon: KilledDaemon) -> None:
    assert _end(daemon, grace_seconds=60) < 30


def test_the_lock_is_free_afterwards(daemon: KilledDaemon) -> None:
    daemon.leave("echo $$ >pids; touch ready; sleep 600; sleep 600")
    before = [one.is_held for one in found_locks(daemon.state)]

    _end(daemon)

    assert (before, [one.is_held for one in found_locks(daemon.state)]) == ([True], [False])


def test_a_process_that_took_the_number_of_a_dead_leader_is_let_live(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        facts = process_facts(stranger.pid)
        assert facts is not None
        lock = AttemptLocks(tmp_path).take()
        lock.write_leader(stranger.pid, facts.started - 1)
        lock.close()

        end_leftovers(tmp_path, [(TREE_ID, 0, 1)], grace_seconds=0.2)
        lives = stranger.poll() is None
        stranger.kill()

    assert lives


def test_output_of_the_attempt_is_kept(daemon: KilledDaemon) -> None:
    daemon.leave("echo so far; echo $$ >pids; touch ready; sleep 600; sleep 600")

    _end(daemon)

    out = daemon.state / f"attempts/{TREE_ID}/0/0.1.out"
    assert out.read_text() == "so far\n"
