"""Whole trees with `http`, in a whole daemon, against a server on loopback."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from inboxd.errors import ConfigurationError
from inboxd.testing import ExecutorConformance
from inboxd.testing.daemon import wait_until
from inboxd_http import Http
from inboxd_http.testing import LocalServer, Received, answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inboxd.testing.fixtures import MakeDaemon

CONFIG = """
[executors.http]
schemes = ["http"]
allow_hosts = ["127.0.0.0/8"]
"""
TOKEN = "canary-5f0a9c"  # noqa: S105 # of nobody
_JSON = {"Content-Type": "application/json"}


async def silent(
    request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await reader.read()


def task(identifier: str, url: str, **fields: Any) -> dict[str, Any]:
    inputs = {"url": url, **fields.pop("inputs", {})}

    return {"id": identifier, "executor": "http", "inputs": inputs, **fields}


def test_a_task_makes_a_request_and_its_answer_is_the_result(
    make_inboxd_daemon: MakeDaemon, server: LocalServer
) -> None:
    server.routes["/n"] = answer('{"n": 7}', headers=_JSON)
    result = make_inboxd_daemon(Http(), config=CONFIG).run([task("ask", f"{server.url}/n")])
    (ended,) = result["tasks"]

    assert (ended["status"], ended["result"]["json"]) == ("completed", {"n": 7})


def test_without_settings_nothing_here_can_be_asked(
    make_inboxd_daemon: MakeDaemon, server: LocalServer
) -> None:
    daemon = make_inboxd_daemon(Http())
    (error,) = daemon.drop([task("ask", f"{server.url}/n")]).errors()
    url = f"https://localhost:{server.port}/n"
    (ended,) = daemon.run([task("ask", url, retry={"limit": 3, "delay": 0.01})])["tasks"]

    assert (error["code"], error["pointer"]) == ("invalid_inputs", "/0/inputs/url")
    assert error["message"].endswith("http is not allowed here")
    assert (ended["status"], ended["attempts"]) == ("failed", 1)
    assert "is loopback, and so not asked" in ended["error"]["message"]
    assert server.received == []


def test_a_setting_with_a_typo_ends_the_start(make_inboxd_daemon: MakeDaemon) -> None:
    with pytest.raises(ConfigurationError, match='did you mean "allow_hosts"'):
        make_inboxd_daemon(Http(), config="[executors.http]\nallow_host = []\n")


def test_a_busy_server_is_asked_again_when_it_says(
    make_inboxd_daemon: MakeDaemon, server: LocalServer
) -> None:
    server.routes["/n"] = [
        answer(status="503 Service Unavailable", headers={"Retry-After": "3000"}),
        answer("now"),
    ]
    daemon = make_inboxd_daemon(Http(), config=CONFIG)
    dropped = daemon.drop([task("ask", f"{server.url}/n", retry={"limit": 1, "delay": 0.01})])
    wait_until(
        lambda: server.received and daemon.statuses(dropped.tree_id) == {"ask": "pending"},
        "the first attempt ends",
    )
    daemon.clock.move(seconds=2900)
    assert daemon.statuses(dropped.tree_id) == {"ask": "pending"}
    daemon.clock.move(seconds=200)
    (ended,) = dropped.result()["tasks"]

    assert (ended["status"], ended["attempts"], ended["result"]["text"]) == ("completed", 2, "now")


def test_every_attempt_has_the_same_idempotency_key(
    make_inboxd_daemon: MakeDaemon, server: LocalServer
) -> None:
    server.routes["/n"] = [answer(status="503 Service Unavailable"), answer()]
    daemon = make_inboxd_daemon(Http(), config=CONFIG)
    inputs = {"method": "POST", "json": {}}
    send = task("send", f"{server.url}/n", inputs=inputs, retry={"limit": 1, "delay": 0.01})
    result = daemon.run([send])
    keys = [request.header("Idempotency-Key") for request in server.received]

    assert keys == [f"{result['tree_id']}/send"] * 2


def test_the_task_s_own_timeout_ends_the_request(
    make_inboxd_daemon: MakeDaemon, server: LocalServer
) -> None:
    server.routes["/n"] = silent
    daemon = make_inboxd_daemon(Http(), config=CONFIG)
    (ended,) = daemon.run([task("ask", f"{server.url}/n", timeout=0.2)])["tasks"]

    assert (ended["status"], ended["error"]["code"]) == ("failed", "timeout")


def test_a_large_body_is_no_result_but_can_be_saved(
    make_inboxd_daemon: MakeDaemon, server: LocalServer
) -> None:
    server.routes["/n"] = answer(b"x" * 5_000_000)
    daemon = make_inboxd_daemon(Http(), config=CONFIG)
    count = {"argv": ["sh", "-c", "wc -c <data/n"], "stdout": "json"}
    tasks = [
        task("ask", f"{server.url}/n", allow_failure=True),
        task("save", f"{server.url}/n", inputs={"save_to": "data/n"}),
        {"id": "count", "executor": "command", "inputs": count, "dependencies": ["save"]},
    ]
    ask, save, counted = daemon.run(tasks)["tasks"]

    assert "larger than the 1,048,576 bytes" in ask["error"]["message"]
    assert (save["result"]["bytes"], counted["result"]) == (5_000_000, 5_000_000)


def test_a_secret_is_in_nothing_that_is_kept(
    make_inboxd_daemon: MakeDaemon,
    server: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HTTP_TOKEN", TOKEN)
    caplog.set_level("DEBUG")
    server.routes["/good"] = answer(f'{{"you": "{TOKEN}"}}', headers={**_JSON, "X-You": TOKEN})
    server.routes["/bad"] = answer(f"no {TOKEN}", status="400 Bad Request")
    server.routes["/cut"] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    config = f'{CONFIG}secret_variables = ["HTTP_TOKEN"]\n'
    daemon = make_inboxd_daemon(Http(), config=config)
    inputs = {"auth": {"bearer": {"env": "HTTP_TOKEN"}}}
    daemon.run(
        [task(name, f"{server.url}/{name}", inputs=inputs) for name in ("good", "bad", "cut")]
    )
    daemon.stop()
    files = [path for path in daemon.directory.rglob("*") if path.is_file()]
    found = [path.name for path in files if TOKEN.encode() in path.read_bytes()]

    assert [one.header("Authorization") for one in server.received] == [f"Bearer {TOKEN}"] * 3
    assert any(path.name.startswith("inboxd.db") for path in files)
    assert found == []
    assert TOKEN not in caplog.text


def test_a_token_of_one_task_is_used_by_the_next(
    make_inboxd_daemon: MakeDaemon, server: LocalServer
) -> None:
    server.routes["/login"] = answer('{"token": "t0ken-of-today"}', headers=_JSON)
    server.routes["/report"] = answer("the report")
    bearer = {"result_of": "login", "pointer": "/json/token"}
    daemon = make_inboxd_daemon(Http(), config=CONFIG)
    login = {"method": "POST", "form": {"user": "me"}}
    result = daemon.run(
        [
            task("login", f"{server.url}/login", inputs=login),
            task(
                "report",
                f"{server.url}/report",
                inputs={"auth": {"bearer": bearer}},
                dependencies=["login"],
            ),
        ]
    )

    assert result["status"] == "completed"
    assert server.received[1].header("Authorization") == "Bearer t0ken-of-today"


def test_command_and_http_feed_each_other(
    make_inboxd_daemon: MakeDaemon, server: LocalServer
) -> None:
    server.routes["/double"] = answer('{"doubled": [2, 4]}', headers=_JSON)
    daemon = make_inboxd_daemon(Http(), config=CONFIG)
    make = {"argv": ["echo", '{"numbers": [1, 2], "page": 3}'], "stdout": "json"}
    send = {
        "method": "POST",
        "query": {"page": "{{ tasks.make.result.page }}"},
        "json": {"given": "{{ tasks.make.result.numbers }}"},
        "headers": {"X-Word": "page {{ tasks.make.result.page }}"},
    }
    show = {"argv": ["echo", "{{ tasks.send.result.json.doubled }}"], "stdout": "json"}
    result = daemon.run(
        [
            {"id": "make", "executor": "command", "inputs": make},
            task("send", f"{server.url}/double", inputs=send, dependencies=["make"]),
            {"id": "show", "executor": "command", "inputs": show, "dependencies": ["send"]},
        ]
    )
    (request,) = server.received

    assert (request.body, request.query) == (b'{"given":[1,2]}', [("page", "3")])
    assert request.header("X-Word") == "page 3"
    assert result["tasks"][2]["result"] == [2, 4]


def test_references_stand_in_the_url_but_not_for_a_secret(
    make_inboxd_daemon: MakeDaemon, server: LocalServer
) -> None:
    server.routes["/items/a%2Fb"] = answer("found")
    daemon = make_inboxd_daemon(Http(), config=CONFIG)
    make = {"argv": ["echo", '{"id": "a%2Fb", "bad": "x\\r\\nX-Y: z"}'], "stdout": "json"}
    first = {"id": "make", "executor": "command", "inputs": make}
    needs = {"dependencies": ["make"], "allow_failure": True}
    result = daemon.run(
        [
            first,
            task("good", f"{server.url}/items/{{{{ tasks.make.result.id }}}}", **needs),
            task("bad", f"{server.url}/items/{{{{ tasks.make.result.bad }}}}", **needs),
        ]
    )
    headers = {"Authorization": "Bearer {{ tasks.make.result.id }}"}
    refused = task("a", f"{server.url}/", inputs={"headers": headers}, dependencies=["make"])
    (error,) = daemon.drop([first, refused]).errors()
    _, good, bad = result["tasks"]

    assert good["result"]["text"] == "found"
    assert (bad["status"], bad["error"]["code"]) == ("failed", "invalid_inputs")
    assert [one.target for one in server.received] == ["/items/a%2Fb"]
    assert error["pointer"] == "/1/inputs/headers/Authorization"
    assert "result_of" in error["hint"]


@pytest.mark.timeout(300)
def test_ten_thousand_requests_leave_no_descriptor_behind(
    make_inboxd_daemon: MakeDaemon, server: LocalServer
) -> None:
    server.routes["/n"] = answer('{"n": 7}', headers=_JSON)
    server.routes["/to"] = answer(status="302 Found", headers={"Location": "/n"})
    server.routes["/no"] = answer(status="404 Not Found")
    daemon = make_inboxd_daemon(Http(), config=CONFIG)
    daemon.run([task("warm", f"{server.url}/n")])
    before = len(list(Path("/proc/self/fd").iterdir()))
    paths = ["/n", "/n", "/to", "/no"]
    result = daemon.run(
        [task(f"t{n}", f"{server.url}{paths[n % 4]}", allow_failure=True) for n in range(8_000)],
        limit_seconds=250,
    )
    after = len(list(Path("/proc/self/fd").iterdir()))

    assert len(server.received) == 10_001
    assert (result["counts"]["completed"], result["counts"]["failed"]) == (6_000, 2_000)
    assert after <= before + 10


def test_the_client_is_not_imported_before_the_first_request() -> None:
    """So it costs neither a start nor a verb that only checks."""
    code = (
        "import sys, inboxd_http\n"
        "http, = inboxd_http.inboxd_executors()\n"
        "http.configure({})\n"
        "assert not http.input_problems({'url': 'https://example.org/'})\n"
        "print([name for name in ('aiohttp', 'yarl', 'inboxd_http.client') if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert (ended.stdout, ended.stderr) == ("[]\n", "")


class TestConformance(ExecutorConformance):
    """What every executor must do."""

    executor: ClassVar[Http] = Http()
    config = CONFIG
    bad_inputs: ClassVar[Sequence[Mapping[str, Any]]] = [
        {"url": "http://localhost/", "method": "POST", "json": 1, "text": "a"},
        {"url": "http://user:word@localhost/"},
        {},
    ]

    @pytest.fixture(autouse=True)
    def _served(self, server: LocalServer) -> None:
        server.routes["/good"] = answer('{"n": 7}', headers=_JSON)
        server.routes["/slow"] = silent
        cls = type(self)
        cls.good_inputs = [
            {"url": f"{server.url}/good"},
            {"url": f"{server.url}/good", "method": "POST", "json": {"a": [1]}},
        ]
        cls.failing_inputs = [{"url": f"{server.url}/none"}, {"url": "http://10.0.0.1/"}]
        cls.slow_inputs = {"url": f"{server.url}/slow", "timeout": 60}
