"""Executors that are programs: configured by argv, or lying in the directory of programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .real_daemon import LIMIT_SECONDS, RealDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ECHO = """#!/bin/sh
read -r document
printf '{"result": %s}\\n' "$document"
"""


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., RealDaemon]]:
    made: list[RealDaemon] = []

    def make(**settings: object) -> RealDaemon:
        made.append(RealDaemon(tmp_path, **settings))
        return made[-1]

    yield make
    for daemon in made:
        daemon.end()


def task_of(result: dict[str, Any] | None, task_id: str) -> dict[str, Any]:
    assert result is not None
    found: dict[str, Any] = next(one for one in result["tasks"] if one["id"] == task_id)
    return found


def codes_of(receipt: dict[str, Any] | None) -> list[str]:
    assert receipt is not None
    return [str(one["code"]) for one in receipt["errors"]]


def test_a_configured_program_reads_one_document_and_gives_a_result(
    make: Callable[..., RealDaemon], tmp_path: Path
) -> None:
    echo = program(tmp_path / "bin/echo.sh", ECHO)
    daemon = make(executors__resize__argv=json.dumps([str(echo)]))
    daemon.drop(
        "a.json",
        [
            {"id": "first", "executor": "command", "inputs": {"argv": ["echo", "hi"]}},
            {
                "id": "second", "executor": "resize", "inputs": {"width": 3, "ü": None},
                "params": {"p": [1.5]}, "dependencies": ["first"], "timeout": "1h",
            },
        ],
    )  # fmt: skip

    assert daemon.run_until_idle() == 0

    result = daemon.result("a.json")
    document = task_of(result, "second")["result"]
    tree = (result or {})["tree_id"]
    assert document["inboxd"] == 1
    assert document["inputs"] == {"width": 3, "ü": None}
    assert document["params"] == {"p": [1.5]}
    context = document["context"]
    assert context.pop("deadline") > (result or {})["started_at"]
    assert context == {
        "tree_id": tree,
        "task_id": "second",
        "attempt": 1,
        "idempotency_key": f"{tree}/second",
        "directory": str(daemon.state / "trees" / tree),
        "dependencies": {"first": task_of(result, "first")["result"]},
    }


def test_a_program_in_the_directory_is_an_executor_of_the_files_name(
    make: Callable[..., RealDaemon], tmp_path: Path
) -> None:
    directory = tmp_path / "executors"
    program(directory / "report.sh", ECHO)
    (directory / "report.sh.json").write_text(
        '{"description": "Reports.", "inputs_schema": {"required": ["to"]}}'
    )
    (directory / "not-executable").write_text(ECHO)
    daemon = make(plugins__directory=directory)
    daemon.drop("a.json", [{"id": "a", "executor": "report.sh", "inputs": {"to": "me"}}])
    daemon.drop("b.json", [{"id": "b", "executor": "report.sh"}])
    daemon.drop("c.json", [{"id": "c", "executor": "not-executable"}])

    daemon.run_until_idle()

    assert task_of(daemon.result("a.json"), "a")["result"]["inputs"] == {"to": "me"}
    assert codes_of(daemon.receipt("b.json")) == ["invalid_inputs"]
    assert codes_of(daemon.receipt("c.json")) == ["unknown_executor"]
    assert "may not be executed; chmod +x" in daemon.log.read_text()


def test_a_program_added_while_the_daemon_runs_is_found(
    make: Callable[..., RealDaemon], tmp_path: Path
) -> None:
    directory = tmp_path / "executors"
    directory.mkdir()
    daemon = make(plugins__directory=directory)
    daemon.start_and_wait()
    program(directory / "late", ECHO)

    daemon.drop("a.json", [{"id": "a", "executor": "late"}])
    wait_until(lambda: daemon.result("a.json"), "the result is written")

    assert task_of(daemon.result("a.json"), "a")["status"] == "completed"


def test_a_program_that_others_may_change_is_not_run_any_more(
    make: Callable[..., RealDaemon], tmp_path: Path
) -> None:
    echo = program(tmp_path / "executors/echo", ECHO)
    daemon = make(plugins__directory=echo.parent)
    daemon.start_and_wait()
    daemon.drop("a.json", [{"id": "a", "executor": "echo"}])
    wait_until(lambda: daemon.result("a.json"), "the first is done")

    echo.chmod(0o777)
    daemon.drop("b.json", [{"id": "b", "executor": "echo"}])
    wait_until(lambda: daemon.result("b.json"), "the second is done")

    task = task_of(daemon.result("b.json"), "b")
    assert task["status"] == "failed"
    assert "others may write to it" in task["error"]["message"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"executors__x__argv": "[]"}, "[executors.x]: argv: must begin with a program"),
        ({"executors__x__argv": "'ls -l'"}, '[executors.x]: argv: must be a list of texts: ["a"'),
        (
            {"executors__x__argv": "['ls']", "executors__x__args": "1"},
            '[executors.x]: unknown key "args"; did you mean "argv"?',
        ),
        (
            {"executors__x__argv": "['ls']", "executors__x__inputs_schema": "{type = 'objekt'}"},
            "[executors.x]: inputs_schema: is no JSON Schema",
        ),
        (
            {"executors__x__argv": "['ls']", "executors__x__inputs_schema": "/none.json"},
            "[executors.x]: inputs_schema: /none.json: cannot be read: No such file",
        ),
        ({"executors__command__argv": "['ls']"}, "[executors.command]: this executor has no set"),
        ({"executors__noop__argv": "['ls']"}, "[executors.noop]: this executor has no settings"),
    ],
)
def test_a_table_that_cannot_be_used_ends_the_start(
    make: Callable[..., RealDaemon], settings: dict[str, str], sentence: str
) -> None:
    daemon = make(**settings)

    code = daemon.start().wait(LIMIT_SECONDS)

    assert (code, sentence in daemon.log.read_text()) == (78, True), daemon.log.read_text()


def test_a_configured_program_that_is_switched_off_is_unknown(
    make: Callable[..., RealDaemon],
) -> None:
    daemon = make(executors__x__argv="['true']", executors__x__enabled="no")
    daemon.drop("a.json", [{"id": "a", "executor": "x"}])

    daemon.run_until_idle()

    assert codes_of(daemon.receipt("a.json")) == ["unknown_executor"]


SLOW = """#!/bin/sh
read -r document
while [ -e "$0.wait" ]; do echo '{"progress": 0.25, "message": "half of the half"}'; sleep 0.1; done
echo '{"progress": 1}'
"""


def test_progress_is_told_while_the_program_runs(
    make: Callable[..., RealDaemon], tmp_path: Path
) -> None:
    slow = program(tmp_path / "bin/slow", SLOW)
    wait = tmp_path / "bin/slow.wait"
    wait.write_text("")
    daemon = make(executors__slow__argv=json.dumps([str(slow)]))
    daemon.start_and_wait()
    daemon.drop("a.json", [{"id": "a", "executor": "slow"}])

    wait_until(lambda: "25% half of the half" in daemon.log.read_text(), "its progress is told")
    assert daemon.result("a.json") is None
    wait.unlink()
    wait_until(lambda: daemon.result("a.json"), "it is over")

    assert task_of(daemon.result("a.json"), "a")["result"] is None
    shown = subprocess.run(
        [
            sys.executable, "-m", "inboxd", "logs", "--state", str(daemon.state),
            "--stream", "stdout", "a.json/a",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout  # fmt: skip
    assert shown.endswith('{"progress": 1}\n')


def test_a_program_over_its_time_limit_is_ended(
    make: Callable[..., RealDaemon], tmp_path: Path
) -> None:
    hang = program(tmp_path / "bin/hang", "#!/bin/sh\necho '{\"result\": 1}'\nsleep 1000\n")
    daemon = make(executors__hang__argv=json.dumps([str(hang)]))
    daemon.drop("a.json", [{"id": "a", "executor": "hang", "timeout": "200ms"}])

    assert daemon.run_until_idle() == 1

    assert task_of(daemon.result("a.json"), "a")["error"]["code"] == "timeout"


def test_an_error_line_says_whether_and_when_it_is_tried_again(
    make: Callable[..., RealDaemon], tmp_path: Path
) -> None:
    flaky = program(
        tmp_path / "bin/flaky",
        "#!/bin/sh\n"
        'if [ "$INBOXD_ATTEMPT" = 1 ]; then\n'
        """  echo '{"error": {"message": "busy", "retry": "10ms"}}'; exit 3\n"""
        "fi\n"
        """echo '{"error": {"message": "no such picture", "retry": false}}'\n""",
    )
    daemon = make(executors__flaky__argv=json.dumps([str(flaky)]))
    retry = {"limit": 5, "delay": "1h"}
    daemon.drop("a.json", [{"id": "a", "executor": "flaky", "retry": retry}])

    assert daemon.run_until_idle() == 1

    task = task_of(daemon.result("a.json"), "a")
    assert task["attempts"] == 2
    assert task["error"] == {"code": "exception", "message": "no such picture", "cause": None}
