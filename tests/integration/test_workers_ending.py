"""Attempts in worker processes that must be ended: time limits, cuts, a daemon that is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxd.running.leftovers import end_leftovers
from inboxd.running.outcomes import CUT
from inboxd.task import TaskErrorCode

from ..unit.running.runner_bed import attempt, completed, failed, until
from .worker_bed import PLUGINS, WorkerBed, is_alive, workers_of

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds between SIGTERM and SIGKILL in these tests.
GRACE = 0.3


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[WorkerBed]:
    with WorkerBed(tmp_path / "state", grace_seconds=GRACE, places=2) as made:
        yield made


@pytest.mark.parametrize("deed", ["loop", "loop_in_c", "stubborn", "tidy"])
def test_its_time_limit_ends_it(bed: WorkerBed, deed: str) -> None:
    completed(bed.do("give", value=None))
    outcome = failed(bed.do(deed, timeout=0.5))

    assert outcome.error.code == TaskErrorCode.TIMEOUT
    assert outcome.error.message == "it was ended after its time limit of 0.5 s"
    assert outcome.retryable
    assert not is_alive(int((bed.tree / "up").read_text()))


@pytest.mark.parametrize("deed", ["tidy", "wait_long"])
def test_it_may_tidy_up_and_knows_that_it_is_to_end(bed: WorkerBed, deed: str) -> None:
    completed(bed.do("give", value=None))
    failed(bed.do(deed, timeout=0.5))

    assert (bed.tree / "tidied").read_text() == "True"


def test_the_next_attempt_of_its_place_has_another_worker(bed: WorkerBed) -> None:
    pid = completed(bed.do("tell"))["pid"]
    failed(bed.do("loop", timeout=0.3))

    assert completed(bed.do("tell"))["pid"] != pid


def test_one_that_ends_in_time_is_not_touched(bed: WorkerBed) -> None:
    pids = {completed(bed.do("tell", timeout=60))["pid"] for _ in range(3)}

    assert len(pids) == 1


@pytest.mark.parametrize("deed", ["loop", "stubborn", "tidy"])
def test_a_cut_ends_all_of_them(tmp_path: Path, deed: str) -> None:
    with WorkerBed(tmp_path, grace_seconds=GRACE, places=2) as bed:
        attempts = [bed.attempt(deed) for _ in range(3)]
        bed.runner.run(attempts)
        bed.wait_for("up")
        bed.runner.cut()
        outcomes = [bed.outcome(one) for one in attempts]
        after = bed.do("give", value=1)

    assert outcomes == [CUT, CUT, CUT]
    assert after == CUT
    assert workers_of(os.getpid()) == []


@pytest.mark.parametrize("deed", ["loop", "stubborn", "tidy"])
def test_one_whose_end_is_asked_for_is_ended_with_its_worker(bed: WorkerBed, deed: str) -> None:
    asked, other = bed.attempt(deed), bed.attempt("tell")
    bed.runner.run([asked])
    pid = int(bed.wait_for("up"))
    bed.runner.run([other])
    bed.runner.end([(asked.task, asked.number)])

    assert bed.outcome(asked) == CUT
    assert not is_alive(pid)
    assert completed(bed.outcome(other))["pid"] != pid
    assert completed(bed.do("tell"))["pid"] != pid


def test_asking_at_whatever_moment_ends_each_and_no_other(bed: WorkerBed) -> None:
    """With no place, in a worker that is started, in one that has just taken it, and after that."""
    asked = [bed.attempt("loop") for _ in range(30)]
    others = [bed.attempt("give", value=n) for n in range(30)]
    for one, other in zip(asked, others, strict=True):
        bed.runner.run([one, other])
        bed.runner.end([(one.task, one.number)])

    assert [bed.outcome(one) for one in asked] == [CUT] * 30
    assert [completed(bed.outcome(one)) for one in others] == list(range(30))


def test_a_stop_ends_idle_ones(tmp_path: Path) -> None:
    with WorkerBed(tmp_path, grace_seconds=60) as bed:
        completed(bed.do("give", value=1))
        started = time.monotonic()

    assert time.monotonic() - started < 20
    assert workers_of(os.getpid()) == []


#: A daemon's runner and nothing else: runs one deed and waits to be killed.
_DAEMON = """
import sys, threading
from pathlib import Path
import msgspec
from inboxd.clock import SystemClock
from inboxd.config.settings import RunSettings
from inboxd.running.attempt import Attempt
from inboxd.running.runner import Runner
from inboxd.running.worker_messages import WorkerSource
import worker_sample

runner = Runner(
    executors={"sample": worker_sample.sample}, settings=RunSettings(), state=Path(sys.argv[1]),
    on_outcomes=lambda ended: None, clock=SystemClock(),
    source_of=lambda name: WorkerSource(
        executor=name, group="inboxd", name=name, value="worker_sample:sample"
    ),
)
runner.start()
runner.run([
    Attempt(
        task=1, tree=1, tree_id=sys.argv[2], task_id="task-0", position=0, number=1, start_seq=1,
        started_at=0, executor="sample", inputs=sys.argv[3].encode(),
    )
])
threading.Event().wait(60)
"""


def _killed_daemon(state: Path, inputs: str, name: str) -> int:
    """Kill a daemon once a deed has written its number into a file, and return that."""
    path = state / "trees" / attempt().tree_id / name
    with subprocess.Popen(
        [sys.executable, "-c", _DAEMON, str(state), attempt().tree_id, inputs],
        env={**os.environ, "PYTHONPATH": str(PLUGINS)},
    ) as process:
        until(path.exists)
        process.kill()
    return int(path.read_text())


@pytest.mark.parametrize("deed", ["loop", "loop_in_c", "stubborn"])
def test_a_worker_ends_with_a_daemon_that_is_killed(tmp_path: Path, deed: str) -> None:
    pid = _killed_daemon(tmp_path, f'{{"do": "{deed}"}}', "up")

    until(lambda: not is_alive(pid))


@pytest.mark.parametrize("what", ["child", "grandchild"])
def test_what_a_killed_daemons_worker_left_is_ended_before_the_next_attempt(
    tmp_path: Path, what: str
) -> None:
    inputs = f'{{"do": "leave", "what": "{what}", "then": "wait"}}'
    pid = _killed_daemon(tmp_path, inputs, "left")

    end_leftovers(tmp_path, [(attempt().tree_id, 0, 1)], grace_seconds=GRACE)

    assert not is_alive(pid)
