"""Runners in a process that has other children: another runner's, and the user's own."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.running.outcomes import CUT
from inboxd.running.process_table import process_facts
from inboxd.running.system_calls import be_subreaper, is_subreaper

from ..unit.running.runner_bed import (
    RunnerBed,
    attempt,
    completed,
    exit_status,
    failed,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRACE = 0.3

#: Becomes what the user's own daemons are: forked twice, in a session of its own, nothing of ours.
_DAEMON = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
descriptor = os.open(sys.argv[1] + ".new", os.O_WRONLY | os.O_CREAT, 0o600)
os.write(descriptor, str(os.getpid()).encode())
os.rename(sys.argv[1] + ".new", sys.argv[1])
while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
"""

#: Hides its mark and its lock in a session of its own, and ignores SIGTERM.
_HIDES = """
import os, signal, time
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.closerange(0, 100)
descriptor = os.open("hidden.new", os.O_WRONLY | os.O_CREAT, 0o600)
os.write(descriptor, str(os.getpid()).encode())
os.rename("hidden.new", "hidden")
time.sleep(600)
"""


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[RunnerBed]:
    # What forks daemons for other tests has made this process one that gets orphans.
    was_one = is_subreaper()
    be_subreaper(is_one=False)
    with RunnerBed(tmp_path / "state", owns_process=False, grace_seconds=GRACE) as made:
        yield made
    be_subreaper(is_one=was_one)


def _tree(bed: RunnerBed) -> Path:
    return bed.state / "trees" / attempt().tree_id


def _text_of(path: Path) -> str:
    return until(lambda: path.exists() and path.read_text()) or ""


def _state_of(pid: int) -> str | None:
    facts = process_facts(pid)
    return None if facts is None else facts.state


def _is_alive(pid: int) -> bool:
    return _state_of(pid) not in (None, "Z")


def _busy(bed: RunnerBed) -> None:
    """Have the runner look for what is left: after a success, a failure, and at a time limit."""
    leaves = "(setsid sleep 600 &); exit"
    completed(bed.command({"script": f"{leaves} 0"}, position=100))
    failed(bed.command({"script": f"{leaves} 3"}, position=101))
    failed(bed.command({"script": "sleep 600"}, position=102, timeout_seconds=0.05))


class TestChildrenOfTheUser:
    """They are neither ended nor waited for."""

    @pytest.mark.parametrize("new_session", [True, False])
    def test_the_exit_status_of_one_that_ended_is_kept_for_who_started_it(
        self, bed: RunnerBed, new_session: bool
    ) -> None:
        process = subprocess.Popen(["sh", "-c", "exit 7"], start_new_session=new_session)
        until(lambda: _state_of(process.pid) == "Z")
        _busy(bed)

        assert process.wait() == 7

    def test_one_that_ends_while_it_is_known_to_be_there_is_not_waited_for(
        self, bed: RunnerBed
    ) -> None:
        process = subprocess.Popen(
            ["sh", "-c", "read line; exit 7"], stdin=subprocess.PIPE, start_new_session=True
        )
        _busy(bed)
        process.communicate(b"\n")
        bed.command({"script": "(setsid true &); exit 3"}, position=200)

        assert process.returncode == 7

    @pytest.mark.parametrize("environment", [None, {}], ids=["its environment", "an empty one"])
    def test_one_in_a_session_of_its_own_goes_on(
        self, bed: RunnerBed, environment: dict[str, str] | None
    ) -> None:
        with subprocess.Popen(
            ["/bin/sleep", "600"], start_new_session=True, env=environment
        ) as process:
            _busy(bed)
            bed.runner.stop()
            lives = process.poll() is None
            process.kill()

        assert lives
        assert process.returncode == -signal.SIGKILL

    def test_a_daemon_goes_on_and_is_waited_for_when_it_ends(
        self, bed: RunnerBed, tmp_path: Path
    ) -> None:
        """It is given to this process only because of us, and nobody else waits for it."""
        up, done = tmp_path / "up", tmp_path / "done"
        subprocess.run([sys.executable, "-c", _DAEMON, up, done], check=True)
        pid = int(_text_of(up))
        _busy(bed)
        facts = process_facts(pid)
        done.touch()
        until(lambda: not _is_alive(pid))
        bed.command({"script": "exit 3"}, position=200)

        assert facts is not None
        assert facts.parent == os.getpid()
        until(lambda: process_facts(pid) is None)

    def test_asyncio_and_multiprocessing_get_their_exit_statuses(self, bed: RunnerBed) -> None:
        async def wait() -> int:
            process = await asyncio.create_subprocess_exec(
                "sh", "-c", "exit 7", start_new_session=True
            )
            await asyncio.to_thread(_busy, bed)
            return await process.wait()

        child = multiprocessing.get_context("fork").Process(target=os._exit, args=(5,))
        child.start()
        status = asyncio.run(wait())
        child.join()

        assert status == 7
        assert child.exitcode == 5


class TestOurOwn:
    """What comes of an attempt is found all the same."""

    @pytest.mark.parametrize("how", ["setsid", "env -i setsid"], ids=["marked", "by its lock"])
    def test_what_is_left_is_ended(self, bed: RunnerBed, how: str) -> None:
        script = f"{how} sh -c 'trap \"\" TERM; echo $$ >pid; sleep 600; sleep 600' & "
        outcome = failed(bed.command({"script": f"{script} until [ -s pid ]; do :; done; exit 3"}))

        assert outcome.error.exit_code == 3
        assert not _is_alive(int((_tree(bed) / "pid").read_text()))

    def test_no_zombie_is_left(self, bed: RunnerBed) -> None:
        script = "(setsid sh -c 'echo $$ >pid; exec sleep 600' &); until [ -s pid ]; do :; done"
        completed(bed.command({"script": script}))

        until(lambda: _state_of(int((_tree(bed) / "pid").read_text())) is None)

    def test_what_hides_is_ended_where_it_was_seen_below_its_command(self, bed: RunnerBed) -> None:
        script = 'env -i "$PYTHON" -c "$HIDES"; true'
        one = attempt(
            "command", {"script": script, "env": {"PYTHON": sys.executable, "HIDES": _HIDES}}
        )
        bed.runner.run([one])
        pid = int(_text_of(_tree(bed) / "hidden"))
        bed.runner.end([(one.task, one.number)])

        assert bed.outcome(one) == CUT
        assert not _is_alive(pid)
        until(lambda: _state_of(pid) is None)


class TestTwoRunners:
    """Each with a state directory of its own."""

    @pytest.mark.parametrize("owns_process", [True, False])
    @pytest.mark.parametrize("how", ["setsid", "env -i setsid"], ids=["marked", "by its lock"])
    def test_neither_ends_what_the_other_runs(
        self, tmp_path: Path, owns_process: bool, how: str
    ) -> None:
        """A process that left its command, in a session of its own, is its runner's alone."""
        script = (
            f"({how} sh -c 'echo $$ >pid; exec sleep 600' &);"
            " until [ -e done ]; do sleep 0.01; done"
        )
        one = attempt("command", {"script": script})
        settings: dict[str, Any] = {"owns_process": owns_process, "grace_seconds": GRACE}
        with (
            RunnerBed(tmp_path / "one", **settings) as first,
            RunnerBed(tmp_path / "two", **settings) as second,
        ):
            first.runner.run([one])
            pid = int(_text_of(_tree(first) / "pid"))
            _busy(second)
            second.runner.stop()
            goes_on = _is_alive(pid) and not first.has_outcome(one)
            (_tree(first) / "done").touch()
            completed(first.outcome(one))
            until(lambda: not _is_alive(pid))

        assert goes_on

    def test_orphans_come_here_until_the_last_of_them_stops(self, tmp_path: Path) -> None:
        was_one = is_subreaper()
        be_subreaper(is_one=False)
        try:
            with RunnerBed(tmp_path / "one", owns_process=False):
                with RunnerBed(tmp_path / "two", owns_process=False):
                    pass
                between = is_subreaper()
            after = is_subreaper()
            be_subreaper(is_one=True)
            with RunnerBed(tmp_path / "one", owns_process=False):
                pass
            kept = is_subreaper()
        finally:
            be_subreaper(is_one=was_one)

        assert (between, after, kept) == (True, False, True)


def test_sigchld_is_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with RunnerBed(tmp_path, owns_process=False):
            during = signal.getsignal(signal.SIGCHLD)
    finally:
        signal.signal(signal.SIGCHLD, before)

    assert during is signal.SIG_IGN
    assert "signal.signal(signal.SIGCHLD, signal.SIG_DFL)" in caplog.text


class TestForkedChild:
    """A child of `os.fork` has a copy of the runner, and none of its threads."""

    def test_it_cannot_harm_the_runner(self, bed: RunnerBed) -> None:
        one = attempt("command", {"script": "until [ -e done ]; do sleep 0.01; done"})
        bed.runner.run([one])
        until(_tree(bed).exists)
        pid = os.fork()
        if not pid:
            try:
                bed.runner.end([(one.task, one.number)])
                bed.runner.run([attempt("noop", position=1)])
                bed.runner.cut()
                bed.runner.stop()
            finally:
                os._exit(17)
        started = time.monotonic()
        status = exit_status(pid)
        seconds = time.monotonic() - started
        (_tree(bed) / "done").touch()

        assert status == 17
        assert seconds < 5
        assert completed(bed.outcome(one))["exit_code"] == 0
        assert completed(bed.command({"argv": ["true"]}, position=1))["exit_code"] == 0

    def test_it_can_have_a_runner_of_its_own(self, bed: RunnerBed, tmp_path: Path) -> None:
        one = attempt("command", {"script": "until [ -e done ]; do sleep 0.01; done"})
        bed.runner.run([one])
        until(_tree(bed).exists)
        pid = os.fork()
        if not pid:
            status = 1
            try:
                with RunnerBed(tmp_path / "child", owns_process=False) as own:
                    _busy(own)
                    status = 16 + is_subreaper()
                status += 2 * is_subreaper()
            finally:
                os._exit(status)
        status = exit_status(pid)
        (_tree(bed) / "done").touch()

        assert status == 17
        assert completed(bed.outcome(one))["exit_code"] == 0
