"""The daemon, clock and fixtures that authors get for their tests do what the page says."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import pytest

from inboxd import InvalidInputs, executor
from inboxd.clock import rfc3339
from inboxd.errors import PluginError
from inboxd.plugins.hookspecs import hookimpl
from inboxd.registry import running_instances
from inboxd.testing import (
    AttemptFailed,
    DaemonUnderTest,
    FileRejected,
    MovableClock,
    NotEnded,
    TestContext,
    run_executor,
)

from . import sample_executors as samples

if TYPE_CHECKING:
    from pathlib import Path

    from inboxd import TaskContext
    from inboxd.testing.fixtures import MakeDaemon


def test_a_daemon_runs_what_is_dropped(inboxd_daemon: DaemonUnderTest) -> None:
    result = inboxd_daemon.run(
        [{"id": "a", "executor": "command", "inputs": {"script": "echo hi"}}]
    )

    assert result["status"] == "completed"
    assert inboxd_daemon.log("a") == "hi\n"
    assert inboxd_daemon.statuses() == {"a": "completed"}


def test_a_file_keeps_its_name_and_has_its_receipt(inboxd_daemon: DaemonUnderTest) -> None:
    dropped = inboxd_daemon.drop([{"name": "noop"}], "nightly.json")
    result = dropped.result()

    assert (dropped.receipt()["file"], result["file"]) == ("nightly.json", "nightly.json")
    assert dropped.tree_id == result["tree_id"]
    assert inboxd_daemon.result("nightly.json") == result


def test_a_rejected_file_says_why(make_inboxd_daemon: MakeDaemon) -> None:
    daemon = make_inboxd_daemon(samples.on_loop)
    task = {"name": "a", "executor": "on-loop", "inputs": {"secnds": 1}}

    with pytest.raises(FileRejected, match=r'/0/inputs/secnds: invalid_inputs: .*"seconds"'):
        daemon.run([task])
    (error,) = daemon.drop([task]).errors()
    assert error["code"] == "invalid_inputs"
    with pytest.raises(AssertionError, match="was accepted"):
        daemon.drop([{"name": "noop"}]).errors()


def test_a_wait_in_vain_says_what_each_task_waits_for(make_inboxd_daemon: MakeDaemon) -> None:
    daemon = make_inboxd_daemon(samples.on_loop)
    tasks = [
        {"id": "later", "executor": "noop", "not_before": "2099-01-01T00:00:00Z"},
        {"id": "busy", "executor": "on-loop", "inputs": {"seconds": 60}},
        {"id": "after", "executor": "noop", "dependencies": ["busy"]},
    ]
    dropped = daemon.drop(tasks)

    with pytest.raises(NotEnded, match=r"(?s)  later: .*\n  busy: .*\n  after: .*busy"):
        dropped.result(limit_seconds=0.3)


def test_moving_the_clock_makes_what_waits_for_a_date_due(
    make_inboxd_daemon: MakeDaemon,
) -> None:
    daemon = make_inboxd_daemon(samples.on_loop)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    dropped = daemon.drop(
        [
            {"id": "later", "executor": "noop", "not_before": rfc3339(tomorrow)},
            {"id": "again", "executor": "on-loop", "inputs": {"later": 7200}, "retry": 1},
        ]
    )
    daemon.wait_until_waiting()
    before = daemon.statuses()
    daemon.clock.move(hours=3)
    daemon.wait_until_waiting()
    between = daemon.statuses()
    daemon.clock.move(days=1)
    tasks = {task["id"]: task for task in dropped.result()["tasks"]}

    assert before == {"later": "pending", "again": "pending"}
    assert between == {"later": "pending", "again": "completed"}
    assert tasks["again"]["result"]["attempt"] == 2
    assert tasks["later"]["started_at"] >= rfc3339(tomorrow)


def test_the_key_of_a_task_is_the_same_over_its_attempts(make_inboxd_daemon: MakeDaemon) -> None:
    keys: list[str] = []

    class Keeps(samples.Once):
        name = "keeps"

        async def execute(self, inputs: dict[str, Any], context: TaskContext) -> None:
            keys.append(context.idempotency_key)
            if context.attempt == 1:
                raise ValueError("once more")

    make_inboxd_daemon(Keeps()).run(
        [{"id": "a", "executor": "keeps", "retry": {"limit": 1, "delay": "1ms"}}]
    )

    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_clock_never_goes_back() -> None:
    clock = MovableClock()
    to = clock.now() + timedelta(days=2)
    clock.move(to=to)

    assert clock.now() >= to
    with pytest.raises(ValueError, match="never back"):
        clock.move(seconds=-1)


def test_settings_are_as_in_the_file(make_inboxd_daemon: MakeDaemon) -> None:
    daemon = make_inboxd_daemon(config="[executors.command]\nenabled = false\n")

    with pytest.raises(FileRejected, match="unknown_executor"):
        daemon.run([{"name": "a", "executor": "command", "inputs": {"script": "true"}}])


def test_a_module_with_hooks_is_a_plugin(make_inboxd_daemon: MakeDaemon) -> None:
    module = ModuleType("a_plugin_of_a_test")

    @hookimpl
    def inboxd_executors() -> list[object]:
        return [samples.Once()]

    cast("Any", module).inboxd_executors = inboxd_executors

    assert make_inboxd_daemon(module).run([{"name": "once"}])["status"] == "completed"


def test_a_broken_plugin_that_is_given_ends_the_test(make_inboxd_daemon: MakeDaemon) -> None:
    class Nameless(samples.Once):
        name = "no blanks"

    with pytest.raises(PluginError, match="letters, digits"):
        make_inboxd_daemon(Nameless())


def test_work_goes_on_after_a_start(make_inboxd_daemon: MakeDaemon) -> None:
    daemon = make_inboxd_daemon(samples.on_loop)
    tomorrow = rfc3339(datetime.now(UTC) + timedelta(days=1))
    dropped = daemon.drop([{"name": "noop", "not_before": tomorrow}])
    assert dropped.tree_id
    daemon.stop()
    daemon.start()
    daemon.clock.move(days=1)

    assert dropped.result()["status"] == "completed"


def test_the_commands_of_a_terminal_do_not_see_it(inboxd_daemon: DaemonUnderTest) -> None:
    of_user, of_system = running_instances()

    assert inboxd_daemon.state not in [one.state for one in (*of_user, *of_system)]


def test_one_executor_can_be_run_once() -> None:
    assert run_executor(samples.on_loop, {"seconds": 0.01})["attempt"] == 1
    with pytest.raises(AttemptFailed, match="exception: it was to fail") as caught:
        run_executor(samples.on_loop, {"fails": True})
    assert (caught.value.code, caught.value.message) == ("exception", "it was to fail")
    with pytest.raises(FileRejected, match="/0/inputs/seconds"):
        run_executor(samples.on_loop, {"seconds": "long"})
    with pytest.raises(AttemptFailed) as timed_out:
        run_executor(samples.on_loop, {"seconds": 60}, timeout=0.1)
    assert timed_out.value.code == "timeout"


def test_a_context_can_be_made_by_hand(tmp_path: Path) -> None:
    context = TestContext(params={"a": 1}, dependencies={"b": [2]}, directory=tmp_path / "tree")
    context.progress(0.5, "half")
    context.log.info("said %d", 1)
    context.log.debug("not this")

    assert (context.params, context.dependencies) == ({"a": 1}, {"b": [2]})
    assert (context.progressed, context.logged) == ([(0.5, "half")], ["said 1"])
    assert context.directory.is_dir()
    assert TestContext().directory.is_dir()
    with pytest.raises(InvalidInputs, match="inputs"):
        samples.on_loop.execute({"seconds": "long"}, context)


def test_an_executor_that_a_worker_cannot_import_is_told(tmp_path: Path) -> None:
    class Hidden(samples.Once):
        isolation = "process"

    @executor("local", isolation="process")
    def local(inputs: dict[str, Any], context: TaskContext) -> None:
        """Do nothing."""

    for one in (Hidden(), local):
        with pytest.raises(TypeError, match="define it at the top of a module") as caught:
            DaemonUnderTest(tmp_path, one).start()
        assert "inboxd.plugins" not in str(caught.value)


PROJECT = {
    "conftest.py": 'pytest_plugins = ["inboxd.testing"]\n',
    "pytest.ini": "[pytest]\npythonpath = src\n",
    "src/inboxd_crunch.py": """
import time
from dataclasses import dataclass
from inboxd import executor

@dataclass
class Crunch:
    seconds: float = 0.0

@executor("crunch", isolation="process")
def crunch(inputs: Crunch, context):
    "Keeps a processor busy."
    time.sleep(inputs.seconds)
    return context.attempt
""",
    "test_it.py": """
from inboxd.executors.noop import Noop
from inboxd.testing import ExecutorConformance
from inboxd_crunch import crunch

def test_run(inboxd_daemon):
    assert inboxd_daemon.run([{"name": "noop"}])["status"] == "completed"

class TestNoop(ExecutorConformance):
    executor = Noop()

class TestCrunch(ExecutorConformance):
    executor = crunch
    slow_inputs = {"seconds": 60}
""",
}


def test_a_project_gets_the_fixtures_by_one_line_and_may_use_worker_processes(
    tmp_path: Path,
) -> None:
    (tmp_path / "src").mkdir()
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:randomly", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout
    # Of each class 10 tests, and what needs inputs that are not given is skipped.
    assert "14 passed, 7 skipped" in ended.stdout
