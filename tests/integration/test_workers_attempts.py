"""Attempts in worker processes that end well, or fail as Python code does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxd.task import Failed, TaskErrorCode

from ..unit.running.runner_bed import attempt, completed, failed, open_descriptors, until
from .worker_bed import WorkerBed, workers_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.running.attempt import Attempt

#: The variables that are not the same for every attempt of a tree.
OF_ATTEMPT = ("TASK_ID", "IDEMPOTENCY_KEY", "RESULT_FILE", "PROGRESS_FILE")


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[WorkerBed]:
    with WorkerBed(tmp_path / "state") as made:
        yield made


@pytest.mark.parametrize("value", [None, 1, "ä\u2028", [1.5, {"a": None}], {"deep": [[[]]]}])
def test_what_it_returns_is_the_result(bed: WorkerBed, value: object) -> None:
    assert completed(bed.do("give", value=value)) == value


def test_a_coroutine_is_awaited(bed: WorkerBed) -> None:
    assert completed(bed.do("wait")) == "waited"


def test_it_knows_its_attempt(bed: WorkerBed) -> None:
    one = attempt("sample", {"do": "know"}, number=3, timeout_seconds=60, params={"a": [1]})

    told = completed(bed.run(one)[0])

    assert told == {
        "ids": [one.tree_id, "task-0", 3, f"{one.tree_id}/task-0"],
        "params": {"a": [1]},
        "has_deadline": True,
        "cancelled": False,
        "directory": str(bed.tree),
        "dependencies": {},
    }


def test_its_environment_is_that_of_a_command(bed: WorkerBed) -> None:
    told = completed(bed.do("tell"))
    shown = bed.command({"argv": ["env", "-0"]}, position=50)
    environment = dict(
        line.split("=", 1) for line in completed(shown)["stdout"].split("\0") if line
    )
    of_attempt = {f"INBOXD_{name}" for name in OF_ATTEMPT}

    assert told["environment"].keys() == environment.keys()
    assert {name: text for name, text in told["environment"].items() if name not in of_attempt} == {
        name: text for name, text in environment.items() if name not in of_attempt
    }
    assert told["environment"]["INBOXD_TASK_ID"] == "task-1"


def test_it_runs_in_the_trees_directory_in_a_session_of_its_own(bed: WorkerBed) -> None:
    told = completed(bed.do("tell"))

    assert (told["cwd"], told["session"]) == (str(bed.tree), told["pid"])


def test_nothing_is_imported_from_where_the_daemon_was_started(
    bed: WorkerBed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    told = completed(bed.do("tell"))

    assert str(tmp_path) not in told["path"]
    assert "" not in told["path"]


def test_it_inherits_nothing_but_its_socket_its_lock_and_its_output(bed: WorkerBed) -> None:
    inherited = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        told = completed(bed.do("tell"))
    finally:
        os.close(inherited)
    # 0 to 2, the socket, the lock, two of its own (/dev/null, statm), and the listing itself;
    # a third of its own where the kernel lists timers.
    assert len(told["descriptors"]) == 8 + Path("/proc/self/timers").exists()


def test_what_it_prints_is_in_the_attempts_log(bed: WorkerBed) -> None:
    completed(bed.do("write"))
    out, err = bed.output()

    assert out == "printed \\udcff\nraw\nfrom a child\n"
    assert err.splitlines()[0] == "error"
    assert err.splitlines()[1].endswith(" INFO logged 1")


def test_each_attempt_has_a_log_of_its_own(bed: WorkerBed) -> None:
    for _ in range(2):
        completed(bed.do("write"))

    assert bed.output(1)[0] == bed.output(2)[0]


def test_the_middle_of_much_output_is_dropped(tmp_path: Path) -> None:
    with WorkerBed(tmp_path, max_output_bytes=1024 * 1024) as bed:
        completed(bed.do("flood"))
    out = next((tmp_path / "attempts").rglob("1.1.out")).stat()

    assert out.st_size == 256 * 65_536
    assert out.st_blocks * 512 <= 1024 * 1024 + 2 * 4096


def test_progress_is_shown_while_it_runs(bed: WorkerBed) -> None:
    one = bed.attempt("progress")
    bed.runner.run([one])
    bed.wait_for("up")
    until(lambda: any(each.progress is not None for each in bed.runner.running()))
    (shown,) = bed.runner.running()
    (bed.tree / "go").touch()
    bed.outcome(one)

    assert shown.progress is not None
    assert (shown.progress.fraction, shown.progress.message) == (0.5, "half")
    assert shown.pid in workers_of(os.getpid())


def test_the_last_that_it_says_of_its_progress_is_shown_while_it_goes_on(bed: WorkerBed) -> None:
    one = bed.attempt("progress_twice", waits=True)
    bed.runner.run([one])
    until(lambda: any(it.progress and it.progress.message == "last" for it in bed.runner.running()))
    (bed.tree / "go").touch()
    completed(bed.outcome(one))


def test_the_last_that_it_says_of_its_progress_is_noted_when_it_ends(
    bed: WorkerBed, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[object] = []
    note = bed.runner._board.note

    def noted(one: Attempt, fraction: object, message: object = "") -> None:
        said.append(message)
        note(one, fraction, message)

    monkeypatch.setattr(bed.runner._board, "note", noted)
    pids = {completed(bed.do("progress_twice", waits=False)) for _ in range(3)}

    assert said[::2] == ["first"] * 3
    assert said[1::2] == ["last"] * 3
    assert len(pids) == 1


class TestTheWorkerOfAnEarlierAttempt:
    """It is used again, as if it were new."""

    def test_is_used_again(self, bed: WorkerBed) -> None:
        pids = {completed(bed.do("tell"))["pid"] for _ in range(5)}

        assert len(pids) == 1

    @pytest.mark.parametrize("deed", ["change", "shut"])
    def test_is_as_it_was(self, bed: WorkerBed, deed: str) -> None:
        before = completed(bed.do("tell"))
        pid = completed(bed.do(deed))
        after = completed(bed.do("tell"))
        completed(bed.do("write"))
        for told in (before, after):
            for name in OF_ATTEMPT:
                del told["environment"][f"INBOXD_{name}"]

        assert pid == before["pid"]
        assert after == before
        assert bed.output(4)[0].startswith("printed")

    def test_is_used_again_after_a_failure(self, bed: WorkerBed) -> None:
        before = completed(bed.do("tell"))["pid"]
        failed(bed.do("raises"))

        assert completed(bed.do("tell"))["pid"] == before

    @pytest.mark.parametrize(
        "what", ["prof", "virtual", "alarm", "dump", "timer", "thread", "native", "profile"]
    )
    def test_has_nothing_left_that_goes_off_in_the_next(self, bed: WorkerBed, what: str) -> None:
        pid = completed(bed.do("set_off", what=what))
        after = completed(bed.do("work"))

        # A thread of C alone, as libraries keep some, does nothing to the next attempt.
        kept = {"prof", "virtual", "alarm", "dump", "native", "profile"}
        assert (after == pid) == (what in kept)

    def test_is_used_again_when_its_threads_were_joined(self, bed: WorkerBed) -> None:
        assert len({completed(bed.do("join_a_thread")) for _ in range(10)}) == 1

    def test_serves_many_attempts_that_are_there_at_once(self, tmp_path: Path) -> None:
        with WorkerBed(tmp_path, places=2) as bed:
            outcomes = bed.run(*[bed.attempt("give", value=n) for n in range(200)])
            count = len(workers_of(os.getpid()))

        assert [completed(one) for one in outcomes] == list(range(200))
        assert count == 2


def test_when_all_is_over_no_worker_and_no_descriptor_is_left(tmp_path: Path) -> None:
    before = open_descriptors()
    with WorkerBed(tmp_path) as bed:
        bed.run(*[bed.attempt("give", value=n) for n in range(20)])

    assert workers_of(os.getpid()) == []
    assert open_descriptors() == before


def _failure(outcome: object) -> tuple[str, str, bool, float | None]:
    assert isinstance(outcome, Failed), outcome
    error = outcome.error
    return error.code, error.message, outcome.retryable, outcome.retry_after_seconds


class TestFailures:
    """What an executor raises is told as it is of one in the daemon."""

    def test_no_retry(self, bed: WorkerBed) -> None:
        assert _failure(bed.do("no_retry")) == (TaskErrorCode.EXCEPTION, "never", False, None)

    def test_retry_later(self, bed: WorkerBed) -> None:
        assert _failure(bed.do("later")) == (TaskErrorCode.EXCEPTION, "soon", True, 7.5)

    def test_the_traceback_is_in_the_log_and_its_end_in_the_error(self, bed: WorkerBed) -> None:
        outcome = failed(bed.do("raises"))
        err = bed.output()[1]

        assert outcome.error.message == "ValueError: no such thing \\x1b[31m"
        assert isinstance(outcome.error.traceback, str)
        assert outcome.error.traceback.startswith('  File "')
        assert "in raises\n    raise ValueError" in outcome.error.traceback
        assert "worker_main" not in outcome.error.traceback
        assert err.startswith("Traceback (most recent call last):\n")
        assert "ValueError: no such thing" in err

    @pytest.mark.parametrize(
        ("deed", "message"),
        [
            ("mute", "Mute: its text cannot be had: __str__ raised RuntimeError"),
            ("base", "Base: of all"),
            ("exit", "SystemExit: 4"),
            ("deep", "RecursionError: maximum recursion depth exceeded"),
        ],
    )
    def test_whatever_is_raised(self, bed: WorkerBed, deed: str, message: str) -> None:
        pid = completed(bed.do("tell"))["pid"]
        code, text, is_retryable, _ = _failure(bed.do(deed))

        assert (code, is_retryable) == (TaskErrorCode.EXCEPTION, True)
        assert text.startswith(message)
        assert completed(bed.do("tell"))["pid"] == pid

    def test_a_text_of_100_megabytes(self, bed: WorkerBed) -> None:
        _, text, *_ = _failure(bed.do("long_text"))

        assert len(text) <= 600
        assert len(bed.output()[1]) < 5_000_000

    def test_a_result_that_is_no_json(self, bed: WorkerBed) -> None:
        assert _failure(bed.do("object"))[0] == TaskErrorCode.INVALID_RESULT

    def test_a_result_that_json_cannot_say(self, bed: WorkerBed) -> None:
        code, text, *_ = _failure(bed.do("not_a_number"))

        assert code == TaskErrorCode.INVALID_RESULT
        assert "JSON has no NaN" in text

    def test_a_result_that_is_too_large(self, tmp_path: Path) -> None:
        with WorkerBed(tmp_path, max_result_bytes=10_000) as bed:
            fits = bed.do("large", size=9_998)
            outcome = bed.do("large", size=9_999)
            far = bed.do("large", size=50_000_000)

        assert len(completed(fits)) == 9_998
        assert _failure(outcome)[0] == _failure(far)[0] == TaskErrorCode.RESULT_TOO_LARGE

    def test_a_plugin_that_cannot_be_imported(self, bed: WorkerBed) -> None:
        code, text, is_retryable, _ = _failure(bed.run(attempt("broken", {}, position=1))[0])
        out, err = bed.output()

        assert (code, is_retryable) == (TaskErrorCode.EXCEPTION, True)
        assert text == "ImportError: it needs what is not there"
        assert out == "about to break\n"
        assert "worker_broken.py" in err

    def test_a_plugin_that_does_not_offer_it_any_more(self, bed: WorkerBed) -> None:
        code, text, *_ = _failure(bed.run(attempt("gone", {}, position=1))[0])

        assert code == TaskErrorCode.EXCEPTION
        assert 'worker_sample:sample offers no executor "gone" any more' in text

    def test_an_executor_that_is_nowhere(self, bed: WorkerBed) -> None:
        assert _failure(bed.run(attempt("unknown", {}))[0])[0] == TaskErrorCode.SPAWN_FAILED
