"""What a task refers to is filled in again when its attempt is repeated after a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .real_daemon import wait_until

if TYPE_CHECKING:
    from .conftest import MakeDaemon

_TREE = [
    {"id": "fetch", "executor": "command",
     "inputs": {"argv": ["printf", '{"city": "a; b"}'], "stdout": "json"}},
    {"id": "use", "executor": "command", "dependencies": ["fetch"],
     "inputs": {
         "script": 'echo "$CITY" >>cities; until [ -e go ]; do sleep 0.01; done; cat cities',
         "env": {"CITY": "{{ tasks.fetch.result.city }}"},
     }},
]  # fmt: skip


def test_values_are_filled_in_again_after_a_crash(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    daemon.start_and_wait()
    daemon.drop("tree.json", _TREE)
    wait_until(lambda: list(daemon.state.rglob("cities")), "the task writes")
    (cities,) = daemon.state.rglob("cities")
    wait_until(cities.read_text, "the task wrote")
    daemon.kill()
    (cities.parent / "go").touch()
    daemon.run_until_idle()
    result = daemon.result("tree.json")
    assert result is not None
    use = result["tasks"][1]

    assert (use["status"], use["attempts"]) == ("completed", 2)
    assert use["result"]["stdout"] == "a; b\na; b\n"
