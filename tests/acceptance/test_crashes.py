"""kill -9 at each step of an attempt, then a restart: nothing lost, nothing doubled, no lie."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from .real_daemon import LIMIT_SECONDS, wait_until

if TYPE_CHECKING:
    from .conftest import MakeDaemon

#: In the order of their passing.
STEPS = [
    "before_claim_commit",
    "after_claim_commit",
    "before_spawn",
    "after_spawn",
    "after_pid",
    "before_outcome_commit",
    "after_outcome_commit",
    "before_tree_end_commit",
    "after_tree_end_commit",
]


def tree(effects: object, delivery: str) -> list[dict[str, Any]]:
    """Return two tasks, each of which writes a line when it runs."""
    return [
        {
            "id": name,
            "executor": "command",
            "delivery": delivery,
            "inputs": {"script": f"echo {name} >>{effects}"},
            "dependencies": dependencies,
        }
        for name, dependencies in (("first", []), ("second", [{"id": "first", "on": "end"}]))
    ]


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_each_step_of_an_attempt_ends_in_one_place(
    make_daemon: MakeDaemon, step: str, delivery: str
) -> None:
    daemon = make_daemon(run__grace="0.2")
    effects = daemon.directory / "effects"
    daemon.drop("tree.json", tree(effects, delivery))
    killed = daemon.start(failpoint=step).wait(LIMIT_SECONDS)
    code = daemon.run_until_idle()
    lines = effects.read_text().split() if effects.exists() else []
    result = daemon.result("tree.json")
    assert result is not None, daemon.log.read_text()
    by_id = {task["id"]: task for task in result["tasks"]}
    history = daemon.rows(
        "SELECT t.attempt, count(a.number) FROM tasks AS t LEFT JOIN attempts AS a ON a.task = t.id"
        " GROUP BY t.id"
    )

    assert killed == -signal.SIGKILL
    assert all(attempt == recorded for attempt, recorded in history)
    if delivery == "at_least_once":
        assert (code, result["status"]) == (0, "completed")
        assert {"first", "second"} == set(lines)
        assert len(lines) <= 3
        return
    # Recorded as started and not seen to end: it may have run, and is not run again.
    cut = [task for task in by_id.values() if task["status"] == "failed"]
    assert ["interrupted"] * len(cut) == [task["error"]["code"] for task in cut]
    assert len(cut) <= (step != "before_claim_commit")
    assert (bool(cut), "failed" if cut else "completed") == (bool(code), result["status"])
    for name, task in by_id.items():
        assert lines.count(name) <= 1
        assert task["status"] == "failed" or lines.count(name) == 1


def test_a_command_that_outlives_its_daemon_is_ended_before_it_runs_again(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon(run__grace="0.3")
    effects = daemon.directory / "effects"
    # Each attempt says when it begins and ends; a second one must not begin within a first.
    script = (
        f"echo begin >>{effects}; trap '' TERM; i=0;"
        ' if [ "$INBOXD_ATTEMPT" = 1 ]; then setsid sleep 60 & sleep 60; fi;'
        f" echo end >>{effects}"
    )
    daemon.drop("tree.json", [{"id": "a", "executor": "command", "inputs": {"script": script}}])
    daemon.start_and_wait()
    wait_until(lambda: effects.exists() and effects.read_text(), "the first attempt runs")
    daemon.kill()
    code = daemon.run_until_idle()

    assert code == 0
    assert effects.read_text().split() == ["begin", "begin", "end"]


def test_sigterm_lets_what_runs_end_and_a_second_one_does_not(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(run__drain_timeout="50", run__grace="0.3")
    effects = daemon.directory / "effects"
    gate = daemon.directory / "gate"
    wait = f"echo begin >>{effects}; until [ -e {gate} ]; do sleep 0.05; done; echo end >>{effects}"
    tasks = [
        {"id": "a", "executor": "command", "inputs": {"script": wait}},
        {"id": "b", "executor": "command", "dependencies": ["a"],
         "inputs": {"script": f"echo b >>{effects}"}},
    ]  # fmt: skip
    daemon.drop("tree.json", tasks)
    daemon.start_and_wait()
    wait_until(lambda: effects.exists(), "the task runs")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in daemon.log.read_text(), "the drain begins")
    gate.touch()
    first = daemon.process.wait(LIMIT_SECONDS)
    after_drain = effects.read_text().split()
    gate.unlink()
    effects.unlink()
    daemon.drop("again.json", [{**tasks[0], "id": "c"}])
    daemon.start_and_wait()
    wait_until(lambda: effects.exists() and "begin" in effects.read_text(), "it runs again")
    second = _stop_twice(daemon)
    statuses = dict(daemon.rows("SELECT local_id, state FROM tasks"))

    assert (first, after_drain) == (0, ["begin", "end"])
    assert second == 0
    assert statuses["c"] == 2, "the cut attempt waits to be run again"
    assert daemon.rows("SELECT interruptions FROM tasks WHERE local_id = 'c'") == [(0,)]


def _stop_twice(daemon: Any) -> int:
    daemon.process.send_signal(signal.SIGTERM)
    wait_until(lambda: daemon.log.read_text().count("stopping") >= 2, "the drain begins")
    daemon.process.send_signal(signal.SIGTERM)
    code: int = daemon.process.wait(LIMIT_SECONDS)
    return code


def test_a_daemon_whose_state_directory_is_removed_stops_and_says_so(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon()
    # There is something to wait for, so it looks several times a second: without, every 5 s.
    task = {"id": "a", "executor": "noop", "not_before": "2999-01-01T00:00:00Z"}
    daemon.drop("later.json", [task])
    daemon.start_and_wait("--until-idle")
    wait_until(lambda: (daemon.receipt("later.json") or {}).get("accepted"), "a task waits")
    daemon.state.rename(daemon.directory / "moved")
    assert daemon.process is not None
    code = daemon.process.wait(LIMIT_SECONDS)

    assert code == 78
    assert "was removed or replaced while it was in use" in daemon.log.read_text()


def test_a_terminal_that_goes_away_lets_what_runs_end(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    effects = daemon.directory / "effects"
    script = f"echo begin >>{effects}; sleep 0.5; echo end >>{effects}"
    daemon.drop("tree.json", [{"id": "a", "executor": "command", "inputs": {"script": script}}])
    daemon.start_and_wait()
    wait_until(lambda: effects.exists(), "the task runs")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    code = daemon.process.wait(LIMIT_SECONDS)

    assert code == 0
    assert effects.read_text().split() == ["begin", "end"]


def test_a_database_that_cannot_be_written_is_refused_with_what_to_do(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon()
    (daemon.state / "inboxd.db").mkdir(parents=True)
    code = daemon.start().wait(LIMIT_SECONDS)

    assert code == 78
    assert "inboxd.db: cannot be written: Is a directory; give" in daemon.log.read_text()


def test_an_executor_that_nobody_has_cannot_be_switched_off_by_a_slip(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon(executors__comand__enabled="false")
    code = daemon.start().wait(LIMIT_SECONDS)

    assert code == 78
    assert 'did you mean "command"' in daemon.log.read_text()
