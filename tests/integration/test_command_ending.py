"""Commands that must be ended: time limits, cuts, and what is left when a command is over."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.running.outcomes import CUT
from inboxd.running.process_table import every_process, process_facts
from inboxd.task import TaskErrorCode

from ..unit.running.runner_bed import (
    RunnerBed,
    attempt,
    completed,
    failed,
    open_descriptors,
    result_of,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds between SIGTERM and SIGKILL in these tests.
GRACE = 0.3

#: Leaves its parent, its group, its session, its environment and its descriptors but for those
#: that are asked for, ignores SIGTERM, and writes its number into the file `hidden`.
_ESCAPE = """
import os, signal, sys, time
keep = int(sys.argv[1])
if os.fork():
    sys.exit()
os.setsid()
if os.fork():
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if not keep:
    os.closerange(0, 100)
descriptor = os.open("hidden.tmp", os.O_WRONLY | os.O_CREAT, 0o600)
os.write(descriptor, str(os.getpid()).encode())
os.close(descriptor)
os.rename("hidden.tmp", "hidden")
time.sleep(600)
"""


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[RunnerBed]:
    with RunnerBed(tmp_path / "state", grace_seconds=GRACE) as made:
        yield made


@pytest.fixture
def tree_directory(tmp_path: Path) -> Path:
    directory = tmp_path / "state/trees" / attempt().tree_id
    directory.mkdir(parents=True)
    return directory


def _wait_for(path: Path) -> str:
    """Return a file's text once it is there."""
    until(path.exists)
    return path.read_text()


def _is_alive(pid: int) -> bool:
    facts = process_facts(pid)
    return facts is not None and facts.state != "Z"


def _of_state(state: Path) -> list[int]:
    """Return the processes that name the state directory in their arguments or environment."""
    found: list[int] = []
    for pid in every_process():
        try:
            text = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(state) in text and pid != os.getpid():
            found.append(pid)
    return found


def _stubborn(*, then: str = "") -> dict[str, Any]:
    """Return inputs that ignore SIGTERM, fork, and hold their output open."""
    return {
        "script": f"trap '' TERM; sleep 600 & (sleep 600 &) ; echo up >up; {then} wait; sleep 600"
    }


class TestTimeLimit:
    """A command over its time limit."""

    def test_ends_it_by_sigterm(self, bed: RunnerBed) -> None:
        outcome = failed(bed.command({"argv": ["sleep", "600"]}, timeout_seconds=0.1))

        assert outcome.error.code == TaskErrorCode.TIMEOUT
        assert outcome.error.message == "it was ended after its time limit of 0.1 s"
        assert outcome.retryable

    def test_lets_it_tidy_up(self, bed: RunnerBed, tree_directory: Path) -> None:
        script = "trap 'sh -c \"echo tidy >tidied\"; exit' TERM; echo up; sleep 600 & wait"

        outcome = failed(bed.command({"script": script}, timeout_seconds=0.2))

        assert outcome.error.code == TaskErrorCode.TIMEOUT
        assert (tree_directory / "tidied").read_text() == "tidy\n"
        assert result_of(outcome)["stdout"] == "up\n"

    def test_asks_once(self, bed: RunnerBed, tree_directory: Path) -> None:
        script = "trap 'echo asked >>asked' TERM; sleep 600 & while :; do wait; sleep 0.01; done"

        failed(bed.command({"script": script}, timeout_seconds=0.2))

        assert (tree_directory / "asked").read_text() == "asked\n"

    def test_kills_what_ignores_sigterm_forks_and_holds_its_pipes(
        self, bed: RunnerBed, tmp_path: Path
    ) -> None:
        started = time.monotonic()

        outcome = failed(bed.command(_stubborn(), timeout_seconds=0.2))

        assert outcome.error.code == TaskErrorCode.TIMEOUT
        assert time.monotonic() - started < 30  # not the 600 s that it asked for
        assert _of_state(tmp_path) == []

    @pytest.mark.parametrize("keep", ["1", "0"], ids=["keeps its lock", "closes everything"])
    def test_reaches_what_left_its_parent_group_and_session(
        self, bed: RunnerBed, tree_directory: Path, keep: str
    ) -> None:
        script = f'"$PYTHON" -c "$ESCAPE" {keep}; sleep 600'
        started = time.monotonic()

        failed(
            bed.command(
                {"script": script, "env": {"PYTHON": sys.executable, "ESCAPE": _ESCAPE}},
                timeout_seconds=1.0,
            )
        )

        assert time.monotonic() - started < 30  # not the 600 s that it asked for
        assert not _is_alive(int((tree_directory / "hidden").read_text()))

    def test_reaches_what_emptied_its_environment_too(
        self, bed: RunnerBed, tree_directory: Path
    ) -> None:
        script = 'env -i "$PYTHON" -c "$ESCAPE" 0; sleep 600'

        failed(
            bed.command(
                {"script": script, "env": {"PYTHON": sys.executable, "ESCAPE": _ESCAPE}},
                timeout_seconds=1.0,
            )
        )

        assert not _is_alive(int((tree_directory / "hidden").read_text()))

    def test_wakes_what_stopped_itself(self, bed: RunnerBed) -> None:
        started = time.monotonic()

        outcome = failed(
            bed.command(
                {"script": "trap 'exit 3' TERM; kill -STOP $$; sleep 600"}, timeout_seconds=0.2
            )
        )

        assert outcome.error.code == TaskErrorCode.TIMEOUT
        assert time.monotonic() - started < 30  # not the 600 s that it asked for

    def test_ends_a_bomb_of_forks(self, bed: RunnerBed, tmp_path: Path) -> None:
        # It goes off for a second at the longest: on a busy machine it would win, and take all.
        script = (
            "trap '' TERM;"
            ' f() { sleep 0.1; [ "$1" = 9 ] || { f $(($1 + 1)) & f $(($1 + 1)) & }; sleep 600; };'
            " f 0 & f 0 & sleep 600"
        )

        failed(bed.command({"script": script}, timeout_seconds=0.3))

        assert _of_state(tmp_path) == []

    def test_does_not_matter_to_who_is_in_time(self, bed: RunnerBed) -> None:
        assert completed(bed.command({"argv": ["true"]}, timeout_seconds=60))["exit_code"] == 0


class TestWhatIsLeft:
    """Processes that outlive their command."""

    def test_of_a_success_it_is_ended_and_does_not_hold_up_the_outcome(
        self, bed: RunnerBed, tree_directory: Path
    ) -> None:
        script = (
            "sh -c 'trap \"\" TERM; echo $$ >pid; sleep 600; sleep 600' &"
            " until [ -s pid ]; do :; done"
        )
        started = time.monotonic()

        outcome = bed.command({"script": script})
        seconds = time.monotonic() - started
        pid = int((tree_directory / "pid").read_text())
        alive_at_first = _is_alive(pid)
        until(lambda: not _is_alive(pid))

        assert completed(outcome)["exit_code"] == 0
        assert alive_at_first or seconds > GRACE

    def test_of_a_failure_it_is_gone_before_the_outcome(
        self, bed: RunnerBed, tree_directory: Path
    ) -> None:
        script = (
            "sh -c 'trap \"\" TERM; echo $$ >pid; sleep 600; sleep 600' &"
            " until [ -s pid ]; do :; done; exit 3"
        )

        outcome = failed(bed.command({"script": script}))

        assert outcome.error.exit_code == 3
        assert not _is_alive(int((tree_directory / "pid").read_text()))

    def test_of_a_leader_that_is_killed_it_is_ended(
        self, bed: RunnerBed, tree_directory: Path
    ) -> None:
        script = "setsid sleep 600 & echo $! >pid; kill -KILL $$"

        outcome = failed(bed.command({"script": script}))

        assert outcome.error.signal == "SIGKILL"
        assert not _is_alive(int((tree_directory / "pid").read_text()))

    def test_of_one_command_does_not_end_another(
        self, bed: RunnerBed, tree_directory: Path
    ) -> None:
        """Somebody's daemon that hides all its marks belongs to whoever still runs."""
        bed.runner.run(
            [
                hiding := attempt(
                    "command",
                    {
                        "script": 'env -i "$PYTHON" -c "$ESCAPE" 0; echo up >up;'
                        " until [ -e done ]; do sleep 0.01; done",
                        "env": {"PYTHON": sys.executable, "ESCAPE": _ESCAPE},
                    },
                )
            ]
        )
        hidden = int(_wait_for(tree_directory / "hidden"))
        _wait_for(tree_directory / "up")
        for position in range(1, 6):
            bed.command({"script": "exit 3"}, position=position)
        lives_on = _is_alive(hidden)
        (tree_directory / "done").touch()
        completed(bed.outcome(hiding))
        until(lambda: not _is_alive(hidden))

        assert lives_on


class TestCut:
    """The end of the daemon cuts what runs."""

    def test_every_command_is_ended_and_none_counts(
        self, bed: RunnerBed, tree_directory: Path, tmp_path: Path
    ) -> None:
        attempts = [
            attempt("command", _stubborn(then=f"echo >up{number};"), position=number)
            for number in range(3)
        ]
        bed.runner.run(attempts)
        for number in range(3):
            _wait_for(tree_directory / f"up{number}")
        started = time.monotonic()

        bed.runner.cut()
        outcomes = [bed.outcome(one) for one in attempts]

        assert outcomes == [CUT] * 3
        assert time.monotonic() - started < 30  # not the 600 s that it asked for
        assert _of_state(tmp_path) == []

    def test_a_stop_alone_does_the_same(self, tmp_path: Path) -> None:
        with RunnerBed(tmp_path, grace_seconds=GRACE) as bed:
            bed.runner.run([one := attempt("command", _stubborn())])
            _wait_for(tmp_path / "trees" / one.tree_id / "up")

        assert bed.outcome(one) == CUT
        assert _of_state(tmp_path) == []


class TestAsked:
    """Single commands whose end was asked for."""

    @pytest.mark.parametrize("keep", ["1", "0"], ids=["keeps its lock", "closes everything"])
    def test_nothing_of_its_tree_is_left_and_others_go_on(
        self, bed: RunnerBed, tree_directory: Path, keep: str
    ) -> None:
        """TERM-ignoring children, and one that left its parent, group and session."""
        script = f'trap \'\' TERM; (sleep 600 &); "$PYTHON" -c "$ESCAPE" {keep}; sleep 600'
        asked = attempt(
            "command",
            {"script": script, "env": {"PYTHON": sys.executable, "ESCAPE": _ESCAPE}},
        )
        other = attempt("command", {"script": "until [ -e done ]; do sleep 0.01; done"}, position=1)
        bed.runner.run([asked, other])
        hidden = int(_wait_for(tree_directory / "hidden"))
        started = time.monotonic()
        bed.runner.end([(asked.task, asked.number)])
        outcome = bed.outcome(asked)
        seconds = time.monotonic() - started
        is_left = _is_alive(hidden)
        (tree_directory / "done").touch()

        assert outcome == CUT
        assert seconds < 30
        assert not is_left
        assert completed(bed.outcome(other))["exit_code"] == 0

    def test_it_may_tidy_up(self, bed: RunnerBed, tree_directory: Path) -> None:
        script = "trap 'echo tidy >tidied; exit' TERM; echo >up; sleep 600 & wait"
        bed.runner.run([one := attempt("command", {"script": script})])
        _wait_for(tree_directory / "up")
        bed.runner.end([(one.task, one.number)])

        assert bed.outcome(one) == CUT
        assert (tree_directory / "tidied").read_text() == "tidy\n"

    def test_at_whatever_moment_it_is_asked_for(self, bed: RunnerBed, tmp_path: Path) -> None:
        """In the queue, while it is started, and just after: each is ended, and reported once."""
        attempts = [attempt("command", {"argv": ["sleep", "600"]}, position=n) for n in range(100)]
        for one in attempts:
            bed.runner.run([one])
            bed.runner.end([(one.task, one.number)])

        assert [bed.outcome(one) for one in attempts] == [CUT] * 100
        assert _of_state(tmp_path) == []


def test_what_runs_is_shown(bed: RunnerBed, tree_directory: Path) -> None:
    bed.runner.run([one := attempt("command", {"script": "echo $$ >pid; exec sleep 600"})])
    _wait_for(tree_directory / "pid")

    (shown,) = until(bed.runner.running)

    assert shown.attempt == one
    assert shown.pid == int((tree_directory / "pid").read_text())


def _zombies() -> list[int]:
    """What nobody waited for; of our own session are only what other tests started themselves."""
    return [
        pid
        for pid in every_process()
        if (facts := process_facts(pid)) is not None
        and facts.parent == os.getpid()
        and facts.state == "Z"
        and facts.session != os.getsid(0)
    ]


def test_many_commands_leave_no_descriptor_and_no_zombie(bed: RunnerBed) -> None:
    bed.command({"argv": ["true"]}, position=10_000)
    before = open_descriptors()

    outcomes = bed.run(
        *[
            attempt("command", {"script": "(setsid true &); true"}, position=number)
            for number in range(300)
        ]
    )
    bed.run(attempt("command", {"argv": ["true"]}, position=10_001))

    assert [completed(one)["exit_code"] for one in outcomes] == [0] * 300
    until(lambda: not _zombies())
    assert open_descriptors() == before


def test_a_child_that_another_part_of_the_process_started_is_left_to_it(bed: RunnerBed) -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    bed.run(*[attempt("command", {"argv": ["true"]}, position=number) for number in range(5)])

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
