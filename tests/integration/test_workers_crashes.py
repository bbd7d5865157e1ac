"""Worker processes that die, or do what they must not: one attempt fails, and nothing else."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from inboxd.task import TaskErrorCode

from ..unit.running.runner_bed import completed, failed, open_descriptors, until
from .worker_bed import WorkerBed, is_alive, workers_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[WorkerBed]:
    with WorkerBed(tmp_path / "state", grace_seconds=0.3, places=2) as made:
        yield made


@pytest.mark.parametrize(
    ("deed", "inputs", "name"),
    [
        ("segfault", {}, "SIGSEGV"),
        ("kill", {}, "SIGKILL"),
        ("kill", {"signal": int(signal.SIGABRT)}, "SIGABRT"),
        ("kill", {"signal": int(signal.SIGHUP)}, "SIGHUP"),
    ],
)
def test_a_signal_is_the_cause(
    bed: WorkerBed, deed: str, inputs: dict[str, int], name: str
) -> None:
    error = failed(bed.do(deed, **inputs)).error

    assert (error.code, error.signal) == (TaskErrorCode.SIGNAL, name)
    assert error.message.startswith(f"its worker process was ended by {name}")


def test_where_it_crashed_is_in_the_log(bed: WorkerBed) -> None:
    failed(bed.do("segfault"))

    assert "in segfault" in bed.output()[1]


@pytest.mark.parametrize("status", [0, 3, 65])
def test_an_exit_status_is_the_cause(bed: WorkerBed, status: int) -> None:
    outcome = failed(bed.do("exit_hard", status=status))

    assert (outcome.error.code, outcome.error.exit_code) == (TaskErrorCode.EXIT_STATUS, status)
    assert outcome.retryable


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("close", "closed its connection"),
        ("garbage", "wrote what is no message"),
        ("boast", "a message of 4,294,967,295 bytes"),
    ],
)
def test_who_meddles_with_the_connection_fails_in_words(
    bed: WorkerBed, deed: str, words: str
) -> None:
    error = failed(bed.do(deed)).error

    assert error.code == TaskErrorCode.EXCEPTION
    assert words in error.message


@pytest.mark.parametrize("deed", ["segfault", "kill", "close", "garbage"])
def test_the_worker_is_replaced_and_others_go_on(bed: WorkerBed, deed: str) -> None:
    other = bed.attempt("progress")
    bed.runner.run([other])
    bed.wait_for("up")
    (pid,) = workers_of(os.getpid())
    failed(bed.do(deed))
    (bed.tree / "up").unlink()
    after = completed(bed.do("tell"))["pid"]
    (bed.tree / "go").touch()

    assert completed(bed.outcome(other)) is None
    assert after != pid
    assert completed(bed.do("give", value=1)) == 1


def test_a_worker_that_died_between_two_attempts_is_replaced(bed: WorkerBed) -> None:
    pid = completed(bed.do("tell"))["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: workers_of(os.getpid()) == [])
    until(lambda: all(one.pid != pid for one in bed.runner._supervisor.running()))

    assert completed(bed.do("tell"))["pid"] != pid


def test_a_sigterm_of_somebody_elses_is_the_cause(bed: WorkerBed) -> None:
    one = bed.attempt("tidy")
    bed.runner.run([one])
    pid = int(bed.wait_for("up"))
    os.kill(pid, signal.SIGTERM)
    error = failed(bed.outcome(one)).error
    after = completed(bed.do("tell"))["pid"]

    assert (error.code, error.signal) == (TaskErrorCode.SIGNAL, "SIGTERM")
    assert (bed.tree / "tidied").read_text() == "True"
    assert after != pid


def test_a_worker_that_cannot_be_started_fails_its_attempt_and_costs_nothing(
    bed: WorkerBed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(bed.do("raises"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    failed(bed.do("exit_hard", status=1))
    failed(bed.do("give", value=0))
    before = open_descriptors()
    errors = [failed(bed.do("give", value=1)).error for _ in range(5)]
    after = open_descriptors()
    monkeypatch.undo()

    assert {error.code for error in errors} == {TaskErrorCode.SPAWN_FAILED}
    assert "could not be started" in errors[0].message
    assert after == before
    assert completed(bed.do("give", value=2)) == 2


def test_more_memory_than_it_may_have_fails_the_attempt(tmp_path: Path) -> None:
    with WorkerBed(tmp_path, max_memory_bytes=512 * 1024 * 1024) as bed:
        error = failed(bed.do("eat", size=2**30)).error
        after = completed(bed.do("eat", size=2**20))

    assert error.message.startswith("MemoryError")
    assert after == 2**20


class TestACopyThatComesBack:
    """A fork of a worker ends where it leaves the function, and is no second worker."""

    @pytest.mark.parametrize("deed", ["fork", "fork_in_a_coroutine"])
    @pytest.mark.parametrize(
        ("how", "status"), [("return", 0), ("c", 0), ("exit", 3), ("raise", 1), ("ask", 1)]
    )
    def test_it_ends_as_a_program_would(
        self, bed: WorkerBed, deed: str, how: str, status: int
    ) -> None:
        told = completed(bed.do(deed, how=how))
        after = completed(bed.do("tell"))

        assert told["status"] == status
        assert after["pid"] == told["pid"]
        assert completed(bed.do("give", value=1)) == 1

    def test_what_it_prints_and_raises_is_in_the_attempts_log(self, bed: WorkerBed) -> None:
        completed(bed.do("fork", how="return"))
        completed(bed.do("fork", how="raise"))

        assert bed.output(1)[0] == "said in the copy"
        assert "ValueError: in the copy" in bed.output(2)[1]

    def test_one_that_outlives_the_attempt_says_nothing_in_the_next(self, tmp_path: Path) -> None:
        with WorkerBed(tmp_path, places=1) as bed:
            first = completed(bed.do("leave", what="copy"))
            after = completed(bed.do("tell"))
            given = completed(bed.do("give", value="mine"))

        assert (first == after["pid"], given) == (False, "mine")

    def test_processes_of_multiprocessing_work_as_ever(self, bed: WorkerBed) -> None:
        assert [completed(bed.do("copies")) for _ in range(2)] == [[1, 2, 3]] * 2


@pytest.mark.parametrize("turn", [0, 1, 3])
def test_what_names_another_attempt_ends_none_in_its_name(bed: WorkerBed, turn: int) -> None:
    completed(bed.do("give", value=1))
    error = failed(bed.do("stale", turn=turn)).error

    assert error.code == TaskErrorCode.EXCEPTION
    assert "it is of another attempt" in error.message
    assert completed(bed.do("give", value=2)) == 2


class TestWhatIsLeftRunning:
    """It is ended, and the worker with it."""

    @pytest.mark.parametrize("what", ["child", "grandchild", "command", "thread"])
    def test_after_a_success_it_is_ended(self, bed: WorkerBed, what: str) -> None:
        pid = completed(bed.do("leave", what=what))
        left = int(bed.wait_for("left"))
        until(lambda: not is_alive(left) and not is_alive(pid))

        assert completed(bed.do("tell"))["pid"] != pid

    @pytest.mark.parametrize("what", ["child", "grandchild", "command", "thread"])
    @pytest.mark.parametrize("then", ["fail", "die"])
    def test_a_failure_waits_until_it_is_gone(self, bed: WorkerBed, what: str, then: str) -> None:
        error = failed(bed.do("leave", what=what, then=then)).error
        left = int((bed.tree / "left").read_text())

        assert not is_alive(left)
        assert error.message == (
            "ValueError: failed"
            if then == "fail"
            else "its worker process exited with status 3 before it was done"
        )


def test_a_worker_that_nobody_needs_goes(tmp_path: Path) -> None:
    with WorkerBed(tmp_path) as bed:
        bed.runner._workers._idle_seconds = 0.05
        pid = completed(bed.do("tell"))["pid"]
        until(lambda: workers_of(os.getpid()) == [])
        again = completed(bed.do("tell"))["pid"]

    assert again != pid


def test_the_interpreter_is_the_daemons_own(bed: WorkerBed) -> None:
    pid = completed(bed.do("tell"))["pid"]

    assert os.readlink(f"/proc/{pid}/exe") == os.path.realpath(sys.executable)  # noqa: PTH115
