"""Programs under the runner: what they read, what is seen of them, and hostile output."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.executors.program import Program
from inboxd.plugins.protocol import Isolation
from inboxd.running.logs import attempt_log_paths
from inboxd.running.progress import Progress
from inboxd.task import TaskErrorCode

from ..unit.running.runner_bed import RunnerBed, attempt, completed, failed, open_descriptors, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.plugins.protocol import TaskContext


def python(name: str, text: str) -> Program:
    """Return an executor that is a Python program of these lines."""
    lines = "import json, os, sys, time\ndocument = json.load(sys.stdin)\n" + text
    return Program(name=name, argv=(sys.executable, "-c", lines), description="")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir()
    return path


@pytest.fixture
def bed(state: Path) -> Iterator[RunnerBed]:
    programs = [
        python("echo", "print(json.dumps({'result': document}))"),
        python("never-reads", "os._exit(0)"),
        python("wait", 'print(\'{"progress": 2, "message": 5}\', flush=True); time.sleep(1000)'),
        python(
            "flood",
            "sys.stdout.write('{\"result\": 1}\\n' + ('x' * 99 + '\\n') * 300_000)",
        ),
        python("huge-line", "sys.stdout.write('{\"result\": \"' + 'x' * 20_000_000)"),
        python(
            "removes-its-output",
            "print('{\"result\": 1}', flush=True)\n"
            "os.unlink(os.environ['INBOXD_RESULT_FILE'].replace('.result', '.out'))",
        ),
        python(
            "children",
            "if os.fork() == 0:\n"
            "    os.setsid(); time.sleep(1000)\n"
            "print(json.dumps({'result': 1}))",
        ),
        python("result-file", "open(os.environ['INBOXD_RESULT_FILE'], 'w').write('[1]')"),
        python("environment", "print(json.dumps({'result': dict(os.environ)}))"),
        Program(name="missing", argv=("/no/such/program",), description=""),
    ]
    with RunnerBed(state, executors=programs, max_output_bytes=65_536) as bed:
        yield bed


def run(bed: RunnerBed, executor: str, **more: Any) -> Any:
    return bed.run(attempt(executor, **more))[0]


def test_the_document_holds_inputs_params_and_what_attempt_it_is(
    bed: RunnerBed, state: Path
) -> None:
    one = attempt("echo", {"a": ["ü", 1.5, None]}, params={"p": 1}, number=3)

    document = completed(bed.run(one)[0])

    assert document == {
        "inboxd": 1,
        "inputs": {"a": ["ü", 1.5, None]},
        "params": {"p": 1},
        "context": {
            "tree_id": one.tree_id,
            "task_id": "task-0",
            "attempt": 3,
            "idempotency_key": f"{one.tree_id}/task-0",
            "deadline": None,
            "directory": str(state / "trees" / one.tree_id),
            "dependencies": {},
        },
    }


def test_a_program_that_does_not_read_is_no_problem(bed: RunnerBed) -> None:
    assert completed(run(bed, "never-reads", inputs={"x": "y" * 1_000_000})) is None


def test_progress_is_seen_while_it_runs_and_forgotten_after(bed: RunnerBed) -> None:
    one = attempt("wait")
    bed.runner.run([one])

    def progress() -> Progress | None:
        return next((each.progress for each in bed.runner.running()), None)

    assert until(progress) == Progress(1.0, "5")
    bed.runner.cut()
    bed.outcome(one)
    assert bed.runner.board.of(one) is None


def test_the_time_limit_ends_it_with_all_its_children(bed: RunnerBed) -> None:
    outcome = failed(run(bed, "wait", timeout_seconds=0.3))

    assert outcome.error.code == TaskErrorCode.TIMEOUT
    assert outcome.result is None


def test_a_result_before_a_flood_of_output_is_kept_or_missed_aloud(bed: RunnerBed) -> None:
    assert completed(run(bed, "flood")) == 1


def test_a_line_beyond_the_bound_of_output_is_missed_aloud(bed: RunnerBed) -> None:
    outcome = failed(run(bed, "huge-line"))

    assert outcome.error.code == TaskErrorCode.INVALID_RESULT
    assert "were dropped before they were read" in outcome.error.message


def test_a_program_that_removes_its_output_gives_no_result(bed: RunnerBed) -> None:
    assert completed(run(bed, "removes-its-output")) is None


def test_children_that_are_left_are_ended(bed: RunnerBed) -> None:
    assert completed(run(bed, "children")) == 1


def test_the_result_file_serves_as_well(bed: RunnerBed) -> None:
    assert completed(run(bed, "result-file")) == [1]


def test_a_program_that_is_not_there_is_named(bed: RunnerBed) -> None:
    outcome = failed(run(bed, "missing"))

    assert outcome.error.code == TaskErrorCode.SPAWN_FAILED
    assert "there is no program /no/such/program" in outcome.error.message


def test_the_environment_is_that_of_every_command(bed: RunnerBed) -> None:
    names = set(completed(run(bed, "environment")))

    assert names >= {"PATH", "INBOXD_TREE_ID", "INBOXD_ATTEMPT", "INBOXD_RESULT_FILE"}
    assert not any(name.startswith("PYTEST") for name in names)


def test_no_descriptor_is_left(bed: RunnerBed) -> None:
    run(bed, "echo")
    before = open_descriptors()

    for position in range(10):
        run(bed, "echo", position=position, number=2)

    assert open_descriptors() == before


class Telling:
    """Tells its progress and logs, and waits to be let go."""

    description = ""
    inputs_schema = None

    def __init__(self, name: str, isolation: str) -> None:
        self.name = name
        self.isolation = isolation
        self.may_end = threading.Event()

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        context.log.info("begins %s", context.task_id)
        context.progress(0.5, "half")
        if self.isolation == Isolation.ASYNC:
            return self._wait(context)
        self.may_end.wait(30)
        return context.deadline is not None

    async def _wait(self, context: TaskContext) -> bool:
        await asyncio.to_thread(self.may_end.wait, 30)
        return context.deadline is not None


@pytest.mark.parametrize("isolation", [Isolation.ASYNC, Isolation.THREAD])
def test_executors_in_the_daemon_tell_progress_and_log(state: Path, isolation: str) -> None:
    executor = Telling("tells", isolation)
    one = attempt("tells", timeout_seconds=60)
    with RunnerBed(state, executors=[executor]) as bed:
        bed.runner.run([one])
        until(lambda: [each.progress for each in bed.runner.running()] == [Progress(0.5, "half")])
        executor.may_end.set()

        assert completed(bed.outcome(one)) is True

    _, err = attempt_log_paths(state, one.tree_id, one.position, one.number)
    assert err.read_text().endswith(" INFO begins task-0\n")
