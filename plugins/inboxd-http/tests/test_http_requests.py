"""Requests and their answers, by a real server on loopback."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.errors import NoRetry, RetryLater
from inboxd.testing import TestContext
from inboxd_http import Http
from inboxd_http.errors import RequestFailed
from inboxd_http.testing import LocalServer, Received, answer, fetch

if TYPE_CHECKING:
    from pathlib import Path


JSON = {"Content-Type": "application/json; charset=utf-8"}

FORM = "application/x-www-form-urlencoded"


def test_an_answer_is_the_result(server: LocalServer) -> None:
    server.routes["/a"] = answer('{"n": [1, "é"]}', headers={**JSON, "X-One": "1"})
    result = fetch(f"{server.url}/a#part")

    assert result == {
        "status": 200,
        "url": f"{server.url}/a",
        "headers": {
            "content-length": "16",
            "content-type": "application/json; charset=utf-8",
            "x-one": "1",
        },
        "json": {"n": [1, "é"]},
        "bytes": 16,
    }


def test_query_headers_and_method_are_sent(server: LocalServer) -> None:
    server.routes["/a"] = answer()
    fetch(
        f"{server.url}/a?z=%26&z=2",
        method="DELETE",
        query={"tag": ["a b", "&=#"], "n": 2, "yes": True},
        headers={"X-Number": 7, "User-Agent": "me", "X-Text": "é"},
    )
    (request,) = server.received

    assert (request.method, request.body) == ("DELETE", b"")
    assert request.query == [
        ("z", "&"), ("z", "2"), ("tag", "a b"), ("tag", "&=#"), ("n", "2"), ("yes", "true"),
    ]  # fmt: skip
    assert [request.header(name) for name in ("X-Number", "User-Agent")] == ["7", "me"]
    assert (request.header("X-Text") or "").encode("latin-1").decode() == "é"


@pytest.mark.parametrize(
    ("inputs", "content_type", "body"),
    [
        ({"json": {"a": [1, None]}}, "application/json", b'{"a":[1,null]}'),
        ({"json": None}, "application/json", b"null"),
        (
            {"form": {"a": ["1", "&"], "b": 2}},
            "application/x-www-form-urlencoded",
            b"a=1&a=%26&b=2",
        ),
        ({"text": "héé"}, "text/plain; charset=utf-8", "héé".encode()),
        ({"text": "<a/>", "headers": {"content-type": "text/xml"}}, "text/xml", b"<a/>"),
        ({"text": "x" * 3_000_000}, "text/plain; charset=utf-8", b"x" * 3_000_000),
    ],
)
def test_a_body_is_sent_as_what_it_is(
    server: LocalServer, inputs: dict[str, Any], content_type: str, body: bytes
) -> None:
    server.routes["/a"] = answer()
    fetch(f"{server.url}/a", method="PUT", **inputs)
    (request,) = server.received

    assert (request.header("Content-Type"), request.body) == (content_type, body)


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("GET", {}, None),
        ("HEAD", {}, None),
        ("POST", {}, "tree/send"),
        ("DELETE", {}, "tree/send"),
        ("POST", {"idempotency-key": "mine"}, "mine"),
    ],
)
def test_what_changes_something_has_an_idempotency_key(
    server: LocalServer, method: str, headers: dict[str, str], expected: str | None
) -> None:
    server.routes["/a"] = answer()
    context = TestContext(tree_id="tree", task_id="send")
    fetch(f"{server.url}/a", method=method, headers=headers, context=context)

    assert server.received[0].header("Idempotency-Key") == expected


def test_a_compressed_answer_is_decompressed(server: LocalServer) -> None:
    server.routes["/a"] = answer(gzip.compress(b"abc" * 99), headers={"Content-Encoding": "gzip"})
    result = fetch(f"{server.url}/a")

    assert (result["text"], result["bytes"]) == ("abc" * 99, 297)


def test_a_body_over_the_limit_fails_and_is_not_cut(server: LocalServer) -> None:
    server.routes["/a"] = answer(b"x" * 101)
    with pytest.raises(NoRetry, match="larger than the 100 bytes that are allowed"):
        fetch(f"{server.url}/a", max_bytes=100)


def test_a_gzip_bomb_fails(server: LocalServer) -> None:
    bomb = gzip.compress(bytes(100_000_000), compresslevel=1)
    server.routes["/a"] = answer(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(NoRetry, match="larger than the 1,048,576 bytes that are allowed"):
        fetch(f"{server.url}/a")


async def endless(
    request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_headers(
    request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1_000_000):
        writer.write(b"X-%d: %s\r\n" % (number, b"x" * 100))
        await writer.drain()


async def slow(
    request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silent(
    request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await reader.read()


async def cut(
    request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    await writer.drain()


def test_an_endless_body_fails(server: LocalServer) -> None:
    server.routes["/a"] = endless
    with pytest.raises(NoRetry, match="larger than"):
        fetch(f"{server.url}/a")


def test_endless_headers_fail(server: LocalServer) -> None:
    server.routes["/a"] = endless_headers
    with pytest.raises(RequestFailed, match=f"GET {server.url}/a: "):
        fetch(f"{server.url}/a")


@pytest.mark.parametrize("route", [slow, silent])
def test_who_is_too_slow_is_given_up(server: LocalServer, route: Any) -> None:
    server.routes["/a"] = route
    with pytest.raises(RequestFailed, match=r"no whole answer within the 0\.2 s"):
        fetch(f"{server.url}/a", timeout="200ms")


def test_a_body_that_is_cut_off_fails(server: LocalServer) -> None:
    server.routes["/a"] = cut
    with pytest.raises(RequestFailed, match=f"GET {server.url}/a: "):
        fetch(f"{server.url}/a")


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"hello\r\n\r\n", "the answer is no HTTP that can be read: Bad status line"),
        (b"", "the server closed the connection and did not answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "the body of the answer was cut off"),
    ],
)
def test_a_broken_answer_is_told_in_words(server: LocalServer, sent: bytes, message: str) -> None:
    server.routes["/a"] = sent
    with pytest.raises(RequestFailed) as caught:
        fetch(f"{server.url}/a")

    text = str(caught.value)
    assert text.startswith(f"GET {server.url}/a: {message}")
    assert [word for word in ("url=", "ssl:", "[None]", "Error", "\n") if word in text] == []


@pytest.mark.parametrize(
    "to", ["http://xn--/", "http://xn--a/", "http://a..b/", f"http://{'a' * 64}.example/"]
)
def test_a_redirect_to_no_host_is_not_tried_again(server: LocalServer, to: str) -> None:
    server.routes["/a"] = answer(status="302 Found", headers={"Location": to})
    with pytest.raises(NoRetry, match=r"no host|no international name"):
        fetch(f"{server.url}/a")


def test_json_that_is_nested_too_deeply_is_said_so(server: LocalServer) -> None:
    server.routes["/a"] = answer("[" * 100_000, headers=JSON)
    with pytest.raises(RequestFailed, match="no JSON: it is nested too deeply"):
        fetch(f"{server.url}/a", response="json")


def test_a_connection_that_cannot_be_made_says_where(server: LocalServer) -> None:
    port = server.port
    with LocalServer() as other:
        closed = other.port
    with pytest.raises(RequestFailed, match=f"127.0.0.1:{closed}: Connection refused$"):
        fetch(f"http://127.0.0.1:{closed}/?secret=1")
    assert port != closed


def test_an_unexpected_status_fails_for_good_with_what_the_server_says(server: LocalServer) -> None:
    server.routes["/a"] = answer('{"error":\n "no such\x1b[2J name"}', status="400 Bad Request")
    with pytest.raises(NoRetry) as caught:
        fetch(f"{server.url}/a?token=abc")

    text = f'GET {server.url}/a: 400 Bad Request: {{"error": "no such\x1b[2J name"}}'
    assert str(caught.value) == text


def test_a_status_that_passes_is_tried_again(server: LocalServer) -> None:
    server.routes["/a"] = answer("wait", status="503 Service Unavailable")
    with pytest.raises(RequestFailed, match="503 Service Unavailable: wait"):
        fetch(f"{server.url}/a")


def test_retry_after_says_when(server: LocalServer) -> None:
    server.routes["/a"] = answer(status="429 Too Many Requests", headers={"Retry-After": "17"})
    with pytest.raises(RetryLater, match="429 Too Many Requests") as caught:
        fetch(f"{server.url}/a")

    assert caught.value.after_seconds == 17


def test_the_task_says_which_statuses_are_good_and_which_pass(server: LocalServer) -> None:
    server.routes["/a"] = answer("none", status="404 Not Found")
    result = fetch(f"{server.url}/a", expect=["2xx", 404])

    assert (result["status"], result["text"]) == (404, "none")
    with pytest.raises(RequestFailed, match="404 Not Found"):
        fetch(f"{server.url}/a", retry_statuses=[404])


def test_a_body_that_should_be_json_and_is_not_fails(server: LocalServer) -> None:
    server.routes["/a"] = answer("<html>", headers=JSON)
    with pytest.raises(RequestFailed, match="the body is no JSON"):
        fetch(f"{server.url}/a", response="json")


def test_head_has_no_body(server: LocalServer) -> None:
    server.routes["/a"] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n"
    result = fetch(f"{server.url}/a", method="HEAD")

    assert (result["headers"]["content-length"], result["bytes"]) == ("5", 0)


def test_a_body_is_saved_whole_with_its_hash(server: LocalServer, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    server.routes["/a"] = answer(gzip.compress(data), headers={"Content-Encoding": "gzip"})
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bin").write_text("old")
    context = TestContext(directory=tmp_path)
    result = fetch(f"{server.url}/a", save_to="data/./a.bin", context=context)

    assert (tmp_path / "data" / "a.bin").read_bytes() == data
    assert result["sha256"] == hashlib.sha256(data).hexdigest()
    assert (result["saved_to"], result["bytes"]) == ("data/a.bin", len(data))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["a.bin"]


def test_what_is_not_whole_leaves_the_old_file(server: LocalServer, tmp_path: Path) -> None:
    server.routes["/a"] = cut
    (tmp_path / "a.bin").write_text("old")
    with pytest.raises(RequestFailed):
        fetch(f"{server.url}/a", save_to="a.bin", context=TestContext(directory=tmp_path))

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.bin", "old")]


def test_no_link_of_another_task_leads_a_saved_body_out(
    server: LocalServer, tmp_path: Path
) -> None:
    server.routes["/a"] = answer("new")
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    tree.mkdir()
    outside.mkdir()
    (outside / "file").write_text("old")
    (tree / "directory").symlink_to(outside)
    (tree / "file").symlink_to(outside / "file")
    context = TestContext(directory=tree)
    with pytest.raises(NoRetry, match="a part of the path is no directory"):
        fetch(f"{server.url}/a", save_to="directory/file", context=context)
    fetch(f"{server.url}/a", save_to="file", context=context)

    assert (outside / "file").read_text() == "old"
    assert ((tree / "file").is_symlink(), (tree / "file").read_text()) == (False, "new")


def test_no_proxy_of_the_environment_is_asked(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalServer() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        server.routes["/a"] = answer("straight")
        result = fetch(f"{server.url}/a")

    assert (result["text"], proxy.received) == ("straight", [])


def test_no_cookie_is_kept(server: LocalServer) -> None:
    server.routes["/a"] = answer(
        status="302 Found", headers={"Location": "/b", "Set-Cookie": "a=1; Path=/"}
    )
    server.routes["/b"] = answer(headers={"Set-Cookie": "b=2"})
    result = fetch(f"{server.url}/a")

    assert result["headers"]["set-cookie"] == ["b=2"]
    assert [request.header("Cookie") for request in server.received] == [None, None]


def test_cancelling_closes_the_connection_at_once(server: LocalServer) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def hold(
        request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        begun.set()
        await reader.read()
        ended.set()

    async def cancel() -> bool:
        http = Http()
        http.configure({"schemes": ["http"], "allow_private": True})
        task = asyncio.create_task(http.execute({"url": f"{server.url}/a"}, TestContext()))
        assert await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        await asyncio.wait([task], timeout=30)
        return task.cancelled() and await asyncio.to_thread(ended.wait, 30)

    server.routes["/a"] = hold

    assert asyncio.run(cancel())
