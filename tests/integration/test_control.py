"""The control socket of a running daemon: what it tells, what it does, and what it refuses."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
import threading
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from inboxd.control.feed import RING
from inboxd.events import TaskProgress
from inboxd.testing.daemon import wait_until

from .control_bed import Client, ControlledDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STEM = "/v1/trees"
SLOW = {"id": "slow", "executor": "command", "inputs": {"argv": ["sleep", "60"]}}


def noop(task: str, **fields: object) -> dict[str, object]:
    return {"id": task, "executor": "noop", **fields}


def echo(task: str, text: str, **fields: object) -> dict[str, object]:
    return {"id": task, "executor": "command", "inputs": {"argv": ["printf", text]}, **fields}


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlledDaemon]:
    daemon = ControlledDaemon(tmp_path_factory.mktemp("c"))
    with daemon:
        yield daemon


@pytest.fixture
def client(daemon: ControlledDaemon) -> Client:
    return daemon.client


class EventReader:
    """Reads server-sent events, as `curl -N` does."""

    def __init__(self, path: Path, target: str = "/v1/events", last: str | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        head = "" if last is None else f"last-event-id: {last}\r\n"
        self._socket.sendall(f"GET {target} HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
        self.answer = HTTPResponse(self._socket)
        self.answer.begin()

    def read(self) -> dict[str, Any] | None:
        """Return the next event, None at the end."""
        event: dict[str, Any] = {}
        while line := self.answer.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "data":
                event["data"] = json.loads(value)
            elif name:
                event[name] = value
            elif "event" in event:
                return event
            else:
                event = {}
        return None

    def read_until(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while not found or found[-1]["event"] != kind:
            event = self.read()
            assert event is not None, found
            found.append(event)
        return found

    def close(self) -> None:
        self.answer.close()
        self._socket.close()


# What it tells -----------------------------------------------------------------------------------


def test_trees_come_by_pages_the_newest_first(daemon: ControlledDaemon, client: Client) -> None:
    ids = [daemon.run([noop("a")])["tree_id"] for _ in range(5)]
    daemon.run([echo("no", "x") | {"inputs": {"argv": ["false"]}}])

    found: list[str] = []
    following_page = ""
    while following_page is not None:
        more = f"&after={following_page}" if following_page else ""
        page = client.get(f"{STEM}?limit=2&status=completed{more}")
        found += [tree["tree_id"] for tree in page["trees"]]
        following_page = page["next"]
    assert ids[::-1] == found
    assert [one["status"] for one in client.get(f"{STEM}?status=failed")["trees"]] == ["failed"]


def test_a_tree_is_found_by_all_that_names_it(daemon: ControlledDaemon, client: Client) -> None:
    envelope = {"name": "über / 100%?#", "tasks": [noop("a")]}
    tree_id = daemon.run(envelope, "of a file.json")["tree_id"]

    for name in (tree_id, tree_id[-8:], "@", "of a file.json", "über / 100%?#"):
        assert tree_id == client.get(f"{STEM}/{quote(name, safe='')}")["tree_id"]


def test_tasks_come_by_pages_and_by_status(daemon: ControlledDaemon, client: Client) -> None:
    failing = {"executor": "command", "inputs": {"argv": ["false"]}}
    daemon.run([noop("a"), {"id": "b", **failing}, noop("c", parent_id="a"), noop("d")])

    first = client.get(f"{STEM}/@/tasks?limit=3")
    rest = client.get(f"{STEM}/@/tasks?limit=3&after={first['next']}")
    failed = client.get(f"{STEM}/@/tasks?status=failed")
    assert [one["id"] for one in first["tasks"] + rest["tasks"]] == ["a", "b", "c", "d"]
    assert None is rest["next"]
    assert first["tasks"][2]["parent_id"] == "a"
    assert [(one["id"], one["reason"]) for one in failed["tasks"]] == [("b", "exit status 1")]


def test_the_result_of_a_tree_is_that_of_its_file(daemon: ControlledDaemon, client: Client) -> None:
    result = daemon.run([echo("a", "1"), noop("b")])

    assert result == client.get(f"{STEM}/@/result")


def test_a_task_is_told_with_its_attempts(daemon: ControlledDaemon, client: Client) -> None:
    daemon.run([noop("a.b:c-d"), noop("z", dependencies=["a.b:c-d"])])

    task = client.get(f"{STEM}/@/tasks/a.b%3Ac-d")
    attempts = client.get(f"{STEM}/@/tasks/a.b:c-d/attempts")
    assert (task["id"], task["status"]) == ("a.b:c-d", "completed")
    assert [edge["id"] for edge in task["dependants"]] == ["z"]
    assert task["attempts"] == attempts["attempts"]


def test_a_log_is_read_from_an_offset_on(daemon: ControlledDaemon, client: Client) -> None:
    daemon.run([echo("a", "grün")])

    whole = client.get(f"{STEM}/@/tasks/a/logs")
    rest = client.get(f"{STEM}/@/tasks/a/logs?attempt=1&offset=4")
    assert (whole["pieces"], whole["next"], whole["is_ended"]) == ([{"text": "grün"}], 5, True)
    assert rest["pieces"] == [{"text": "n"}]
    assert client.refused("GET", f"{STEM}/@/tasks/a/logs?attempt=2") == (404, "not_found")


def test_a_character_that_is_not_all_there_yet_is_left_for_the_next_part(
    daemon: ControlledDaemon, client: Client
) -> None:
    script = "printf 'gr\\303'; read line <go; printf '\\274n'"
    daemon.drop([{"id": "a", "executor": "command", "inputs": {"script": f"mkfifo go; {script}"}}])
    url = f"{STEM}/@/tasks/a/logs"
    wait_until(lambda: client.ask("GET", url)[1].get("next") == 2, "the first part")
    part = client.get(url)
    directory = next((daemon.state / "trees").iterdir())
    wait_until((directory / "go").exists, "the pipe")
    (directory / "go").write_text("\n")

    assert (part["pieces"], part["is_ended"]) == ([{"text": "gr"}], False)
    wait_until(lambda: client.get(f"{STEM}/@")["ended_at"], "its end")
    assert client.get(f"{url}?offset=2")["pieces"] == [{"text": "ün"}]


def test_why_a_task_waits_is_explained(daemon: ControlledDaemon, client: Client) -> None:
    daemon.drop([SLOW, noop("b", dependencies=["slow"])])
    wait_until(lambda: client.ask("GET", f"{STEM}/@/tasks/slow")[0] == 200, "the tree")
    said = client.get(f"{STEM}/@/tasks/b/explain")

    assert [one["id"] for one in said["waits_for"]] == ["slow"]
    assert "slow" in said["text"]


def test_waiting_returns_when_the_tree_ends(daemon: ControlledDaemon, client: Client) -> None:
    tree_id = daemon.drop([SLOW]).tree_id
    timed_out = client.get(f"{STEM}/{tree_id}/wait?timeout=0.01")
    answers: list[Any] = []
    waiting = threading.Thread(
        target=lambda: answers.append(client.get(f"{STEM}/{tree_id}/wait?timeout=30"))
    )
    waiting.start()
    wait_until(lambda: daemon.feed.awaited == {tree_id}, "somebody waits")
    client.post(f"{STEM}/{tree_id}/cancel")
    waiting.join(30)

    assert (timed_out["ended"], timed_out["tree"]["status"]) == (False, "in_progress")
    assert (answers[0]["ended"], answers[0]["tree"]["status"]) == (True, "cancelled")
    assert frozenset() == daemon.feed.awaited


def test_health_and_version(client: Client) -> None:
    found = client.get("/healthz")

    assert (found["status"], found["problems"]) == ("ok", [])
    assert found["scheduler"]["is_alive"]
    assert found["intake"]["is_alive"]
    assert None is found["database"]["problem"]
    assert client.get("/v1/version")["api"] == 1


def test_a_daemon_that_cannot_take_files_says_so(daemon: ControlledDaemon, client: Client) -> None:
    daemon.inbox.rename(daemon.inbox.with_name("away"))
    wait_until(lambda: client.ask("GET", "/healthz")[0] == 503, "health is degraded")
    status, found = client.ask("GET", "/healthz")

    assert (status, found["status"]) == (503, "degraded")
    assert "files are not taken" in found["problems"][0]


def test_metrics_count_what_happened_since_the_start(
    daemon: ControlledDaemon, client: Client
) -> None:
    daemon.run([noop("a"), noop("b")])
    status, text = client.text("GET", "/metrics")

    assert status == 200
    lines = text.splitlines()
    assert 'inboxd_attempts_ended_total{outcome="completed"} 2.0' in lines
    assert 'inboxd_trees_ended_total{status="completed"} 1.0' in lines
    assert 'inboxd_files_total{verdict="accepted"} 1.0' in lines
    assert not [line for line in lines if "tree_id" in line]


# What it does ------------------------------------------------------------------------------------


def test_a_tree_is_cancelled_and_retried(daemon: ControlledDaemon, client: Client) -> None:
    tree_id = daemon.drop([SLOW, noop("b", dependencies=["slow"])]).tree_id
    wait_until(lambda: client.get(f"{STEM}/@")["counts"]["in_progress"], "it runs")
    did = client.post(f"{STEM}/@/cancel")

    assert ("cancel", tree_id, None) == (did["action"], did["tree_id"], did["id"])
    assert (did["ended"], did["ending"]) == (1, 1)
    wait_until(lambda: client.get(f"{STEM}/@")["status"] == "cancelled", "its end")
    assert client.refused("POST", f"{STEM}/@/cancel") == (409, "conflict")
    assert client.post(f"{STEM}/@/retry", {})["again"] == 2
    assert client.post(f"{STEM}/@/tasks/b/cancel")["ended"] == 1
    assert client.refused("POST", f"{STEM}/@/tasks/slow/retry") == (409, "conflict")


def test_everything_is_paused_and_resumed(daemon: ControlledDaemon, client: Client) -> None:
    assert client.post("/v1/pause")["changed"]
    assert not client.post("/v1/pause")["changed"]
    daemon.drop([noop("a")])
    wait_until(lambda: client.get(STEM)["trees"], "the tree")

    assert client.get(f"{STEM}/@")["status"] == "pending"
    assert client.post("/v1/resume")["changed"]
    assert client.get(f"{STEM}/@/wait")["ended"]


def test_a_tree_is_paused_with_another_priority_and_resumed(
    daemon: ControlledDaemon, client: Client
) -> None:
    client.post("/v1/pause")
    daemon.drop([noop("a"), noop("b", dependencies=["a"])])
    wait_until(lambda: client.get(STEM)["trees"], "the tree")

    assert client.post(f"{STEM}/@/pause")["changed"]
    assert client.post(f"{STEM}/@/priority", {"priority": 7})["tasks"] == 2
    assert client.post(f"{STEM}/@/tasks/b/priority", {"priority": 0})["tasks"] == 1
    assert client.get(f"{STEM}/@/tasks/b")["priority"] == 0
    client.post("/v1/resume")
    assert client.post(f"{STEM}/@/resume")["changed"]
    assert client.get(f"{STEM}/@/wait")["ended"]


def test_a_task_that_is_held_is_released(daemon: ControlledDaemon, client: Client) -> None:
    daemon.drop([noop("a", hold=True)])
    wait_until(lambda: client.get(STEM)["trees"], "the tree")
    did = client.post(f"{STEM}/@/tasks/a/release")

    assert (did["action"], did["id"]) == ("release", "a")
    assert client.get(f"{STEM}/@/wait")["ended"]
    assert client.refused("POST", f"{STEM}/@/tasks/a/release") == (409, "conflict")


# What it refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("GET", "/v1/trees/nothing-of-this-name", None, 404),
        ("GET", "/v1/trees/@/tasks/%ff", None, 404),
        ("GET", "/v1/trees/%ff%00", None, 404),
        ("GET", "/v1/trees?limit=0", None, 400),
        ("GET", "/v1/trees?status=skipped", None, 400),
        ("GET", "/v1/trees?after=99999999999999999999", None, 400),
        ("GET", "/v1/trees/@/wait?timeout=61", None, 400),
        ("GET", "/v1/events?tree=nothing-of-this-name", None, 404),
        ("POST", "/v1/trees/@/priority", None, 400),
        ("POST", "/v1/trees/@/priority", {"priority": 1000}, 400),
        ("POST", "/v1/trees/@/priority", {"priority": True}, 400),
        ("POST", "/v1/trees/@/priority", {"priorty": 1}, 400),
        ("POST", "/v1/trees/@/cancel", [], 400),
        ("POST", "/v1/trees/@/cancel", {"x": "x" * 70_000}, 413),
        ("DELETE", "/v1/trees/@", None, 405),
        ("GET", "/v2/trees", None, 404),
    ],
)
def test_what_makes_no_sense_is_refused_clearly(
    daemon: ControlledDaemon, client: Client, method: str, target: str, body: object, status: int
) -> None:
    daemon.run([noop("a")])
    found, document = client.ask(method, target, body)

    assert status == found, document
    assert {"code", "message", "hint"} == set(document["error"])


def test_an_ambiguous_reference_names_what_it_may_mean(
    daemon: ControlledDaemon, client: Client
) -> None:
    ids = {daemon.run([noop("a")])["tree_id"] for _ in range(2)}
    status, found = client.ask("GET", f"{STEM}/{next(iter(ids))[:6]}")

    assert (status, found["error"]["code"]) == (400, "ambiguous")
    assert ids == set(found["error"]["candidates"])


# Events ------------------------------------------------------------------------------------------


def test_events_tell_a_tree_from_its_start_to_its_end(daemon: ControlledDaemon) -> None:
    reader = EventReader(daemon.socket)
    tree_id = daemon.run([noop("a"), noop("b", dependencies=["a"])])["tree_id"]
    events = reader.read_until("tree_ended")
    reader.close()

    started_or_ended = [(one["event"], one["data"].get("id")) for one in events]
    assert started_or_ended == [
        ("tree_accepted", None),
        ("task_started", "a"),
        ("task_ended", "a"),
        ("task_started", "b"),
        ("task_ended", "b"),
        ("tree_ended", None),
    ]
    assert {tree_id} == {one["data"]["tree_id"] for one in events}
    numbers = [int(one["id"]) for one in events]
    assert sorted(set(numbers)) == numbers


def test_who_comes_back_reads_on_where_they_were(daemon: ControlledDaemon) -> None:
    reader = EventReader(daemon.socket)
    daemon.run([noop("a")])
    last = reader.read_until("task_started")[-1]["id"]
    reader.close()
    daemon.run([noop("b")])
    reader = EventReader(daemon.socket, last=last)
    events = [*reader.read_until("tree_ended"), *reader.read_until("tree_ended")]
    reader.close()

    assert (events[0]["event"], events[0]["data"]["id"]) == ("task_ended", "a")
    assert "b" in [one["data"].get("id") for one in events]


def test_events_of_one_tree_alone(daemon: ControlledDaemon, client: Client) -> None:
    tree_id = daemon.drop([SLOW]).tree_id
    reader = EventReader(daemon.socket, f"/v1/events?tree={tree_id[-8:]}")
    daemon.run([noop("other")])
    client.post(f"{STEM}/{tree_id}/cancel")
    events = reader.read_until("tree_ended")
    reader.close()

    assert {tree_id} == {one["data"]["tree_id"] for one in events}


@pytest.mark.parametrize("last", ["1", "x", "9999999999999999999999", "-1"])
def test_a_place_that_is_gone_is_told_by_a_reset(daemon: ControlledDaemon, last: str) -> None:
    reader = EventReader(daemon.socket, last=last)
    events = [reader.read(), reader.read()]
    reader.close()

    assert events == [{"event": "reset", "data": {}}, None]


def test_a_reader_that_never_reads_holds_nobody_up_and_is_dropped(
    daemon: ControlledDaemon, client: Client
) -> None:
    stuck, other = EventReader(daemon.socket), EventReader(daemon.socket)
    message = "x" * 1_000
    for number in range(2 * RING):
        if number % 100 == 0:
            client.get("/v1/version")  # the loop has its turn
        daemon.feed.tell(
            TaskProgress(tree_id="t", task_id="a", attempt=1, fraction=None, message=message)
        )
    other.close()
    assert daemon.run([noop("a")])["status"] == "completed"
    read = 0
    while (event := stuck.read()) is not None and event["event"] != "reset":
        read += 1
    stuck.close()

    assert read < RING
    assert event is not None


def test_a_stop_ends_readers_and_those_who_wait(daemon: ControlledDaemon) -> None:
    reader = EventReader(daemon.socket)
    daemon.stop()

    assert None is reader.read()
    reader.close()
    assert not daemon.socket.exists()


# The socket --------------------------------------------------------------------------------------


def test_the_socket_is_for_user_and_group_and_goes_with_the_daemon(
    daemon: ControlledDaemon,
) -> None:
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o660
    daemon.stop()
    assert not daemon.socket.exists()
    daemon.start()
    assert daemon.client.get("/healthz")["status"] == "ok"


def test_http_is_not_loaded_before_somebody_asks(daemon: ControlledDaemon) -> None:
    program = (
        "import sys, inboxd.daemon;"
        "print([one for one in ('uvicorn', 'starlette', 'prometheus_client')"
        " if one in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert run.stdout.strip() == "[]"
