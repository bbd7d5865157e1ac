"""The executor `python` on the real daemon, which may be killed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.running.process_table import process_facts

from ..integration.worker_bed import workers_of
from .real_daemon import RealDaemon, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeDaemon

_JOBS = """
import asyncio, ctypes, os, sys, time
from inboxd import NoRetry, RetryLater
from os import getcwd

def add(a, b=1):
    print("adding", a, b)
    return {"sum": a + b}

async def later(text):
    await asyncio.sleep(0)
    return text

def told(context, key):
    context.progress(0.5)
    return [context.task_id, context.attempt, dict(context.dependencies), key]

def own(context=None):
    return context

def refuse(n):
    raise NoRetry(f"{n} is too much")

def busy(context):
    if context.attempt == 1:
        raise RetryLater(0, "busy")
    return context.attempt

def broken(n):
    return 1 // n

def crash():
    ctypes.string_at(0)

def wait(context):
    with open("pid.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("pid.new", "pid")
    while context.attempt == 1:
        time.sleep(0.01)
    return context.attempt

class Box:
    @staticmethod
    def open(n):
        return n
    @staticmethod
    def _secret(n):
        return n

number = 3
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    directory = tmp_path / "jobs-directory"
    directory.mkdir(mode=0o755)
    (directory / "jobs.py").write_text(_JOBS)
    return directory


def _settings(jobs: Path, *allow: str, **more: object) -> dict[str, object]:
    return {
        "executors__python__allow": json.dumps(allow or ["jobs:*", "jobs:Box.*"]),
        "executors__python__path": json.dumps([str(jobs)]),
        "run__grace": "0.3s",
        **more,
    }


def _task(function: str, task_id: str = "t", **more: Any) -> dict[str, Any]:
    inputs = more.pop("inputs", {})
    return {
        "id": task_id,
        "executor": "python",
        "params": {"function": function},
        "inputs": inputs,
        **more,
    }


def _run(daemon: RealDaemon, *tasks: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Run tasks and return them by their ids, as the result file has them."""
    daemon.drop("x.json", list(tasks))
    daemon.run_until_idle()
    result = daemon.result("x.json")
    assert result is not None, (daemon.receipt("x.json"), daemon.log.read_text())
    return {task["id"]: task for task in result["tasks"]}


def _errors(daemon: RealDaemon, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """Drop tasks that are rejected and return what is wrong."""
    daemon.drop("x.json", list(tasks))
    daemon.run_until_idle()
    receipt = daemon.receipt("x.json")
    assert receipt is not None
    assert not receipt["accepted"], receipt
    errors: list[dict[str, Any]] = receipt["errors"]
    return errors


def test_functions_are_called_with_their_inputs(make_daemon: MakeDaemon, jobs: Path) -> None:
    daemon = make_daemon(**_settings(jobs))
    tasks = _run(
        daemon,
        _task("jobs:add", "sum", inputs={"a": 2}),
        _task("jobs:later", "async", inputs={"text": "ä"}),
        _task("jobs:Box.open", "method", inputs={"n": [1]}),
        _task("jobs:told", "told", inputs={"key": "k"}, dependencies=["sum"]),
        _task("jobs:own", "own"),
        _task("jobs:add", "fed", inputs={"a": "{{ tasks.sum.result.sum }}"}, dependencies=["sum"]),
        _task("jobs:busy", "busy", retry=1),
    )

    assert {name: task["result"] for name, task in tasks.items()} == {
        "sum": {"sum": 3},
        "async": "ä",
        "method": [1],
        "told": ["told", 1, {"sum": {"sum": 3}}, "k"],
        "own": None,
        "fed": {"sum": 4},
        "busy": 2,
    }
    (log,) = (daemon.state / "attempts").rglob("0.1.out")
    assert log.read_text() == "adding 2 1\n"


def test_how_functions_fail(make_daemon: MakeDaemon, jobs: Path) -> None:
    daemon = make_daemon(**_settings(jobs))
    tasks = _run(
        daemon,
        _task("jobs:refuse", "refuse", inputs={"n": 9}, retry=5),
        _task("jobs:broken", "broken", inputs={"n": 0}),
        _task("jobs:add", "typo", inputs={"a": 1, "c": 2}, retry=5),
        _task("jobs:add", "missing", inputs={}, retry=5),
        _task("jobs:crash", "crash"),
        _task("jobs:nothing", "nothing", retry=5),
        _task("jobs:number", "number", retry=5),
        _task("jobs:getcwd", "foreign", retry=5),
    )
    errors = {name: task["error"] for name, task in tasks.items()}

    assert {name: (task["error"]["code"], task["attempts"]) for name, task in tasks.items()} == {
        "refuse": ("exception", 1),
        "broken": ("exception", 1),
        "typo": ("invalid_inputs", 1),
        "missing": ("invalid_inputs", 1),
        "crash": ("signal", 1),
        "nothing": ("exception", 1),
        "number": ("exception", 1),
        "foreign": ("exception", 1),
    }
    assert errors["refuse"]["message"] == "9 is too much"
    assert errors["broken"]["message"] == "ZeroDivisionError: integer division or modulo by zero"
    assert "in broken\n    return 1 // n" in errors["broken"]["traceback"]
    assert errors["typo"]["message"] == (
        "inputs: jobs:add(a, b=1): got an unexpected keyword argument 'c'"
    )
    assert errors["missing"]["message"] == (
        "inputs: jobs:add(a, b=1): missing a required argument: 'a'"
    )
    assert errors["crash"]["signal"] == "SIGSEGV"
    assert "has no attribute 'nothing'" in errors["nothing"]["message"]
    assert errors["number"]["message"] == "jobs:number is no function, but int"
    assert errors["foreign"]["message"].startswith("jobs:getcwd comes from posix, and a pattern")


@pytest.mark.parametrize(
    ("params", "pointer", "message"),
    [
        ({}, "/0/params", "params.function is needed"),
        ({"function": "os:system"}, "/0/params/function", "os:system is not allowed"),
        ({"function": "jobs:Box.open.x"}, "/0/params/function", "jobs:Box.open.x is not allowed"),
        ({"function": "jobs:add", "functon": 1}, "/0/params/functon", "python has no param"),
        ({"functon": "jobs:add"}, "/0/params/functon", "python has no param"),
        ({"function": "jobs.add"}, "/0/params/function", "is written as package.module:function"),
        ({"function": "jobs:Box._secret"}, "/0/params/function", "no part of it begins with _"),
        ({"function": "jobs:add.__globals__"}, "/0/params/function", "no part of it begins"),
        ({"function": 7}, "/0/params/function", "is written as package.module:function"),
    ],
)
def test_what_is_not_allowed_is_rejected_with_its_place(
    make_daemon: MakeDaemon, jobs: Path, params: dict[str, Any], pointer: str, message: str
) -> None:
    daemon = make_daemon(**_settings(jobs))
    (error,) = _errors(daemon, {"id": "t", "executor": "python", "params": params})

    assert (error["code"], error["pointer"]) == ("invalid_value", pointer)
    assert message in error["message"]


def test_by_default_nothing_is_allowed_and_the_error_says_what_to_write(
    make_daemon: MakeDaemon,
) -> None:
    (error,) = _errors(make_daemon(), _task("jobs:add"))

    assert error["message"] == "jobs:add is not allowed"
    assert 'the setting executors.python.allow = ["jobs:add"] allows it' in error["hint"]


def test_a_function_of_the_defaults_is_found_there(make_daemon: MakeDaemon, jobs: Path) -> None:
    daemon = make_daemon(**_settings(jobs))
    daemon.drop(
        "x.json",
        {
            "defaults": {"executor": "python", "params": {"function": "os:system"}},
            "tasks": [{"id": "t"}],
        },
    )
    daemon.run_until_idle()
    receipt = daemon.receipt("x.json")

    assert receipt is not None
    assert [one["pointer"] for one in receipt["errors"]] == ["/defaults/params/function"]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("allow", '["jobs"]', 'allow: "jobs" is not of the form module:function'),
        ("path", '["/no/such"]', "path: /no/such: No such file or directory"),
        ("alow", '["jobs:*"]', "there is no setting `alow`; did you mean"),
        ("max_memory", '"1KiB"', "max_memory: Python itself needs more"),
    ],
)
def test_settings_that_cannot_be_used_end_the_start(
    make_daemon: MakeDaemon, option: str, value: str, words: str
) -> None:
    daemon = make_daemon(**{f"executors__python__{option}": value})
    code = daemon.start("--until-idle").wait(60)

    assert code == 78
    variable = f"$INBOXD_EXECUTORS__PYTHON__{option.upper()}"
    assert f"{variable}: [executors.python]: {words}" in daemon.log.read_text()


def test_a_relative_path_starts_from_the_file_that_says_so(
    make_daemon: MakeDaemon, jobs: Path
) -> None:
    daemon = make_daemon()
    config = jobs.parent / "inboxd.toml"
    config.write_text('[executors.python]\nallow = ["jobs:add"]\npath = ["jobs-directory"]\n')
    daemon.drop("x.json", [_task("jobs:add", inputs={"a": 1})])
    code = daemon.start("--until-idle", "--config", str(config)).wait(60)

    assert (code, (daemon.result("x.json") or {}).get("status")) == (0, "completed")


def test_a_path_that_others_may_write_to_is_refused(make_daemon: MakeDaemon, jobs: Path) -> None:
    jobs.chmod(0o777)
    daemon = make_daemon(**_settings(jobs))

    assert daemon.start("--until-idle").wait(60) == 78
    assert f"others may write to {jobs}" in daemon.log.read_text()


def test_nothing_is_imported_from_the_inbox_or_a_trees_directory(
    make_daemon: MakeDaemon, jobs: Path
) -> None:
    daemon = make_daemon(**_settings(jobs))
    (daemon.inbox / "jobs.py").write_text("raise SystemExit('imported from here')")
    # A function runs in the directory of its tree, where tasks write what they like.
    tasks = _run(
        daemon,
        {"id": "write", "executor": "command", "inputs": {"script": "echo 1/0 >jobs.py"}},
        _task("jobs:add", "sum", inputs={"a": 1}, dependencies=["write"]),
    )

    assert tasks["sum"]["result"] == {"sum": 2}


def _alive(pid: int) -> bool:
    facts = process_facts(pid)
    return facts is not None and facts.state != "Z"


def test_a_task_whose_daemon_was_killed_runs_again_and_not_beside_itself(
    make_daemon: MakeDaemon, jobs: Path
) -> None:
    daemon = make_daemon(**_settings(jobs))
    daemon.drop("x.json", [_task("jobs:wait")])
    daemon.start_and_wait()
    wait_until(lambda: list(daemon.state.glob("trees/*/pid")), "the function runs")
    (path,) = daemon.state.glob("trees/*/pid")
    pid = int(path.read_text())
    daemon.kill()
    wait_until(lambda: not _alive(pid), "the worker ends with its daemon")
    daemon.run_until_idle()
    result = daemon.result("x.json")

    assert result is not None
    (task,) = result["tasks"]
    assert (task["status"], task["result"], task["attempts"]) == ("completed", 2, 2)


def test_a_stop_leaves_no_worker(make_daemon: MakeDaemon, jobs: Path) -> None:
    daemon = make_daemon(**_settings(jobs))
    daemon.drop("x.json", [_task("jobs:add", f"t{n}", inputs={"a": n}) for n in range(50)])
    daemon.start_and_wait()
    wait_until(lambda: daemon.result("x.json"), "the tasks ran")
    assert daemon.process is not None
    workers = workers_of(daemon.process.pid)
    code = daemon.stop()

    assert workers != []
    assert code == 0
    assert [pid for pid in workers if _alive(pid)] == []


def test_many_crashes_leave_the_others_alone(make_daemon: MakeDaemon, jobs: Path) -> None:
    daemon = make_daemon(**_settings(jobs, run__places=4))
    tasks = _run(
        daemon,
        *[_task("jobs:crash", f"c{n}") for n in range(20)],
        *[_task("jobs:add", f"a{n}", inputs={"a": n}) for n in range(100)],
    )

    assert {task["error"]["code"] for name, task in tasks.items() if name[0] == "c"} == {"signal"}
    assert [tasks[f"a{n}"]["result"]["sum"] for n in range(100)] == list(range(1, 101))
