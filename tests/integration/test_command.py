"""Commands run for real: inputs, files, environment, results, and what cannot be started."""

from __future__ import annotations

import signal
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.running.logs import attempt_log_paths
from inboxd.task import Completed, TaskErrorCode

from ..unit.running.runner_bed import (
    RunnerBed,
    attempt,
    completed,
    failed,
    open_descriptors,
    result_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

TREE_ID = attempt().tree_id


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[RunnerBed]:
    with RunnerBed(tmp_path / "state") as made:
        yield made


@pytest.fixture
def tree_directory(tmp_path: Path) -> Path:
    return tmp_path / "state/trees" / TREE_ID


def test_argv_arrives_byte_for_byte(bed: RunnerBed) -> None:
    words = ["$HOME", "`id`", "; rm -rf /", "*", "a\nb", "", "-n", "é\u202e", '"', "'", "\\"]
    show = "import sys, json; print(json.dumps(sys.argv[1:]))"

    outcome = bed.command({"argv": [sys.executable, "-c", show, *words], "stdout": "json"})

    assert completed(outcome) == words


def test_a_script_runs_under_sh_and_ends_at_the_first_error(bed: RunnerBed) -> None:
    outcome = failed(bed.command({"script": "echo one\nfalse\necho two\n"}))

    assert outcome.error.exit_code == 1
    assert result_of(outcome)["stdout"] == "one\n"


def test_a_script_that_is_one_command_is_that_command(bed: RunnerBed) -> None:
    outcome = failed(bed.command({"script": "kill -SEGV $$"}))

    assert outcome.error.code == TaskErrorCode.SIGNAL
    assert outcome.error.signal == "SIGSEGV"


def test_a_shell_speaks_of_the_script_not_of_a_path(bed: RunnerBed) -> None:
    outcome = failed(bed.command({"script": "no_such_command_here\n:"}))

    assert outcome.error.message.startswith("exit status 127: script: ")


class TestWorkingDirectory:
    """Where a command runs."""

    def test_is_the_trees_own_by_default(self, bed: RunnerBed, tree_directory: Path) -> None:
        outcome = bed.command({"argv": ["pwd"]})

        assert completed(outcome)["stdout"] == f"{tree_directory}\n"
        assert stat.S_IMODE(tree_directory.stat().st_mode) == 0o700

    def test_is_shared_by_the_tasks_of_the_tree(self, bed: RunnerBed) -> None:
        bed.command({"script": "echo 42 >answer"})

        outcome = bed.command({"argv": ["cat", "answer"]}, position=1)

        assert completed(outcome)["stdout"] == "42\n"

    def test_relative_starts_at_the_trees(self, bed: RunnerBed, tree_directory: Path) -> None:
        (tree_directory / "sub").mkdir(parents=True)

        outcome = bed.command({"argv": ["pwd"], "cwd": "sub"})

        assert completed(outcome)["stdout"] == f"{tree_directory}/sub\n"

    def test_absolute_is_taken_as_it_is(self, bed: RunnerBed) -> None:
        assert completed(bed.command({"argv": ["pwd"], "cwd": "/"}))["stdout"] == "/\n"

    def test_that_is_not_there_is_said(self, bed: RunnerBed) -> None:
        outcome = failed(bed.command({"argv": ["pwd"], "cwd": "/no/such"}))

        assert outcome.error.code == TaskErrorCode.SPAWN_FAILED
        assert outcome.error.message == "cwd /no/such: No such file or directory"
        assert outcome.retryable

    def test_is_made_again_when_somebody_removed_it(
        self, bed: RunnerBed, tree_directory: Path
    ) -> None:
        bed.command({"argv": ["true"]})
        tree_directory.rmdir()

        outcome = bed.command({"argv": ["pwd"]}, position=1)

        assert completed(outcome)["stdout"] == f"{tree_directory}\n"


class TestEnvironment:
    """What a command finds in its environment."""

    def test_is_the_short_list_and_the_attempts_own(
        self, bed: RunnerBed, tree_directory: Path
    ) -> None:
        outcome = bed.command({"argv": ["env", "-0"]}, number=2)

        variables = dict(
            one.split("=", 1) for one in completed(outcome)["stdout"].split("\0") if one
        )
        own = {name: value for name, value in variables.items() if name.startswith("INBOXD_")}
        assert set(variables) - set(own) <= {"PATH", "HOME", "USER", "LANG", "TZ"}
        assert own == {
            "INBOXD_TREE_ID": TREE_ID,
            "INBOXD_TASK_ID": "task-0",
            "INBOXD_ATTEMPT": "2",
            "INBOXD_IDEMPOTENCY_KEY": f"{TREE_ID}/task-0",
            "INBOXD_TREE_DIR": str(tree_directory),
            "INBOXD_RESULT_FILE": str(bed.state / f"attempts/{TREE_ID}/0/0.2.result"),
            "INBOXD_PROGRESS_FILE": str(bed.state / f"attempts/{TREE_ID}/0/0.2.progress"),
        }

    def test_has_what_the_task_adds(self, bed: RunnerBed) -> None:
        outcome = bed.command(
            {"script": 'printf "%s|%s" "$A" "$B"', "env": {"A": "x\ny", "B": {"n": [1]}}}
        )

        assert completed(outcome)["stdout"] == 'x\ny|{"n":[1]}'

    def test_decides_where_the_program_is_looked_for(self, bed: RunnerBed, tmp_path: Path) -> None:
        program = tmp_path / "bin" / "greet"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\necho hello\n")
        program.chmod(0o755)

        outcome = bed.command({"argv": ["greet"], "env": {"PATH": f"{program.parent}:/bin"}})

        assert completed(outcome)["stdout"] == "hello\n"

    def test_has_what_the_setting_adds(self, tmp_path: Path) -> None:
        with RunnerBed(tmp_path, environment=("GREETING=hi",)) as bed:
            outcome = bed.command({"argv": ["printenv", "GREETING"]})

        assert completed(outcome)["stdout"] == "hi\n"


class TestStandardInput:
    """What a command reads."""

    def test_is_nothing_by_default(self, bed: RunnerBed) -> None:
        outcome = bed.command({"script": "readlink /proc/self/fd/0; cat"})

        assert completed(outcome)["stdout"] == "/dev/null\n"

    def test_is_the_text_that_is_given(self, bed: RunnerBed) -> None:
        assert completed(bed.command({"argv": ["cat"], "stdin": "é\0\n"}))["stdout"] == "é\0\n"

    def test_is_compact_json_for_another_value(self, bed: RunnerBed) -> None:
        outcome = bed.command({"argv": ["cat"], "stdin": {"a": [1, None]}})

        assert completed(outcome)["stdout"] == '{"a":[1,null]}'

    def test_may_be_larger_than_a_pipe_and_left_unread(self, bed: RunnerBed) -> None:
        outcome = bed.command({"argv": ["true"], "stdin": "x" * 1_000_000})

        assert isinstance(outcome, Completed)


class TestResult:
    """What becomes the result."""

    def test_is_exit_code_and_output(self, bed: RunnerBed) -> None:
        outcome = bed.command({"script": "echo out; echo err >&2"})

        assert completed(outcome) == {
            "exit_code": 0,
            "stdout": "out\n",
            "stderr": "err\n",
            "truncated": False,
        }

    def test_holds_the_last_64_kib_of_each_stream(self, bed: RunnerBed) -> None:
        outcome = bed.command({"script": "seq 1 100000; seq 1 100000 >&2"})

        result = completed(outcome)
        full = "".join(f"{number}\n" for number in range(1, 100_001))
        assert result["stdout"] == full[-64 * 1024 :]
        assert result["stderr"] == full[-64 * 1024 :]
        assert result["truncated"] is True

    def test_replaces_what_is_no_utf_8(self, bed: RunnerBed) -> None:
        outcome = bed.command({"script": r"printf 'a\377b'"})

        assert completed(outcome)["stdout"] == "a\ufffdb"

    def test_is_the_document_on_stdout_when_asked_for(self, bed: RunnerBed) -> None:
        outcome = bed.command({"script": 'echo "{\\"n\\": [1, 2]}"', "stdout": "json"})

        assert completed(outcome) == {"n": [1, 2]}

    def test_is_the_document_in_the_result_file(self, bed: RunnerBed) -> None:
        outcome = bed.command({"script": 'echo progress; echo "[1]" >"$INBOXD_RESULT_FILE"'})

        assert completed(outcome) == [1]

    def test_file_counts_more_than_stdout(self, bed: RunnerBed) -> None:
        outcome = bed.command({"script": 'echo 1; echo 2 >"$INBOXD_RESULT_FILE"', "stdout": "json"})

        assert completed(outcome) == 2

    def test_file_is_gone_afterwards(self, bed: RunnerBed) -> None:
        bed.command({"script": 'echo 2 >"$INBOXD_RESULT_FILE"'})
        bed.run(attempt("noop", position=9))

        assert list(bed.state.rglob("*.result")) == []

    @pytest.mark.parametrize("make", ["ln -s /etc/hostname", "mkfifo", "mkdir"])
    def test_file_that_is_no_regular_file_is_not_read_and_fails_the_attempt(
        self, bed: RunnerBed, make: str
    ) -> None:
        error = failed(bed.command({"script": f'{make} "$INBOXD_RESULT_FILE"'})).error

        assert error.code == TaskErrorCode.INVALID_RESULT
        assert error.message.endswith("it is empty, or no regular file")

    @pytest.mark.parametrize(
        ("inputs", "code"),
        [
            ({"argv": ["echo", "{"], "stdout": "json"}, TaskErrorCode.INVALID_RESULT),
            ({"argv": ["true"], "stdout": "json"}, TaskErrorCode.INVALID_RESULT),
            ({"script": ': >"$INBOXD_RESULT_FILE"'}, TaskErrorCode.INVALID_RESULT),
            (
                {"script": "head -c 2000000 /dev/zero", "stdout": "json"},
                TaskErrorCode.RESULT_TOO_LARGE,
            ),
            (
                {"script": 'head -c 2000000 /dev/zero >"$INBOXD_RESULT_FILE"'},
                TaskErrorCode.RESULT_TOO_LARGE,
            ),
        ],
    )
    def test_that_cannot_be_used_fails_the_attempt(
        self, bed: RunnerBed, inputs: dict[str, Any], code: TaskErrorCode
    ) -> None:
        assert failed(bed.command(inputs)).error.code == code

    def test_of_a_failure_is_kept_beside_the_error(self, bed: RunnerBed) -> None:
        outcome = failed(
            bed.command({"script": 'echo 1; echo no >&2; echo 2 >"$INBOXD_RESULT_FILE"; exit 7'})
        )

        assert outcome.error.message == "exit status 7: no"
        assert result_of(outcome) == {
            "exit_code": 7,
            "stdout": "1\n",
            "stderr": "no\n",
            "truncated": False,
        }


def test_exit_65_is_not_tried_again(bed: RunnerBed) -> None:
    outcome = failed(bed.command({"script": "exit 65"}))

    assert (outcome.error.exit_code, outcome.retryable) == (65, False)


def test_output_is_in_the_attempts_log_whole(bed: RunnerBed) -> None:
    bed.command({"script": "seq 1 100000; echo bad >&2"}, position=3, number=2)

    out, err = attempt_log_paths(bed.state, TREE_ID, 3, 2)

    assert out.read_text() == "".join(f"{number}\n" for number in range(1, 100_001))
    assert err.read_text() == "bad\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert stat.S_IMODE(out.parent.stat().st_mode) == 0o700


class TestWhatCannotBeStarted:
    """`spawn_failed`: said with what and where; it may be possible later, so it is retried."""

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (["no_such_program_anywhere"], "no program no_such_program_anywhere in PATH"),
            (["/no/such/program"], "there is no program /no/such/program"),
            (["./missing"], "there is no program ./missing"),
            (["/etc/passwd"], "/etc/passwd may not be executed: Permission denied"),
            (["/"], "/ may not be executed: Permission denied"),
        ],
    )
    def test_a_program_that_is_not_there_or_may_not_run(
        self, bed: RunnerBed, argv: list[str], message: str
    ) -> None:
        outcome = failed(bed.command({"argv": argv}))

        assert outcome.error.code == TaskErrorCode.SPAWN_FAILED
        assert outcome.error.message.startswith(message)
        assert outcome.retryable

    def test_a_file_without_an_interpreter(self, bed: RunnerBed, tmp_path: Path) -> None:
        program = tmp_path / "data"
        program.write_bytes(b"\x00\x01\x02")
        program.chmod(0o755)

        outcome = failed(bed.command({"argv": [str(program)]}))

        assert outcome.error.message == (
            f"{program} is no program, and has no first line with #! that names one"
        )

    def test_an_interpreter_that_is_missing(self, bed: RunnerBed, tmp_path: Path) -> None:
        program = tmp_path / "script"
        program.write_text("#!/no/such/interpreter\n")
        program.chmod(0o755)

        outcome = failed(bed.command({"argv": [str(program)]}))

        assert outcome.error.message == (
            f"there is no program {program}, or none that its first line names"
        )

    def test_arguments_that_are_too_long_together(self, bed: RunnerBed) -> None:
        outcome = failed(bed.command({"argv": ["true", *["x" * 100_000] * 100]}))

        assert outcome.error.code == TaskErrorCode.SPAWN_FAILED
        assert "longer than Linux allows" in outcome.error.message

    def test_a_zero_character(self, bed: RunnerBed) -> None:
        outcome = failed(bed.command({"argv": ["echo", "a\0b"]}))

        assert outcome.error.message == "it could not be started: embedded null byte"

    def test_no_descriptors_are_left(self, bed: RunnerBed) -> None:
        bed.command({"argv": ["true"]})
        before = open_descriptors()

        for number in range(20):
            bed.command({"argv": ["/no/such"], "stdin": "x"}, position=number, number=2)

        assert open_descriptors() == before

    def test_a_state_directory_that_may_not_be_written(self, tmp_path: Path) -> None:
        state = tmp_path / "state"
        state.mkdir()
        (state / "attempts").write_text("a file in the way")
        with RunnerBed(state) as bed:
            outcome = failed(bed.command({"argv": ["true"]}))

        assert outcome.error.code == TaskErrorCode.SPAWN_FAILED
        assert "Not a directory" in outcome.error.message


def test_a_command_is_in_a_session_of_its_own(bed: RunnerBed) -> None:
    outcome = bed.command({"script": "cut -d' ' -f1,5,6 /proc/$$/stat; :"})

    pid, group, session = completed(outcome)["stdout"].split()
    assert pid == group == session


def test_a_command_inherits_its_lock_and_nothing_else(bed: RunnerBed) -> None:
    outcome = bed.command({"script": "ls -l /proc/$$/fd; :"})

    lines = [line.split() for line in completed(outcome)["stdout"].splitlines()[1:]]
    targets = {int(words[-3]): words[-1] for words in lines}
    inherited = [one for fd, one in targets.items() if fd > 2 and not one.startswith("/proc/")]
    assert targets[0] == "/dev/null"
    assert [Path(one).suffix for one in inherited] == [".lock"]


def test_signals_are_as_usual_in_a_command(bed: RunnerBed) -> None:
    ignored = signal.getsignal(signal.SIGPIPE)
    outcome = bed.command({"script": "yes | head -n 1; grep SigIgn /proc/$$/status"})
    first, _, mask = completed(outcome)["stdout"].split()
    # 32 and 33 are the C library's own; make, for one, starts its children with both ignored.
    of_programs = int(mask, 16) & ~(0b11 << 31)

    assert ignored == signal.SIG_IGN
    assert (first, of_programs) == ("y", 0)


@pytest.mark.parametrize(
    "script",
    [
        "exec 0<&- 1>&- 2>&-; exit 0",
        "cd /; umask 0; ulimit -n 4; exit 0",
        'rmdir "$INBOXD_TREE_DIR"; exit 0',
        'rm -f "${INBOXD_RESULT_FILE%.result}".*; exit 0',
    ],
    ids=["closes 0 to 2", "changes its limits", "removes its directory", "removes its files"],
)
def test_what_a_command_does_to_itself_is_its_own_affair(bed: RunnerBed, script: str) -> None:
    first = bed.command({"script": script})
    second = bed.command({"argv": ["echo", "still here"]}, position=1)

    assert completed(first)["exit_code"] == 0
    assert completed(second)["stdout"] == "still here\n"
