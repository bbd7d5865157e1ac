"""What a reference may mean, and what the client of the control socket makes of answers."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.cli.asking import ask_of, ask_of_task, cuts
from inboxd.control.client import (
    ControlClient,
    NotPermitted,
    RequestRefused,
    TryLater,
    task_path,
    tree_path,
)
from inboxd.errors import AmbiguousReference, Conflict, DaemonNotReachable, InboxdError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("@", [("@", None)]),
        ("a/b", [("a", "b"), ("a/b", None)]),
        ("a/b/c", [("a", "b/c"), ("a/b", "c"), ("a/b/c", None)]),
        ("/a", [("/a", None)]),
        ("a/", [("a/", None)]),
    ],
)
def test_each_slash_may_be_the_one_between_tree_and_task(
    reference: str, expected: list[tuple[str, str | None]]
) -> None:
    assert expected == cuts(reference)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (tree_path("@"), "/v1/trees/%40"),
        (tree_path("a b/ü?"), "/v1/trees/a%20b%2F%C3%BC%3F"),
        (tree_path(".."), "/v1/trees/%2E%2E"),
        (tree_path("night\udcff.json", "cancel"), "/v1/trees/night%FF.json/cancel"),
        (task_path("t", "a.b:c-d", "retry"), "/v1/trees/t/tasks/a.b%3Ac-d/retry"),
    ],
)
def test_references_are_quoted(path: str, expected: str) -> None:
    assert expected == path


class _Answers(socketserver.ThreadingUnixStreamServer):
    """A server whose answer to each path is given: the status and the body."""

    daemon_threads = True

    def __init__(self, path: Path, answers: dict[str, tuple[int, bytes]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, bytes]] = []
        super().__init__(str(path), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Answers

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, body))
        missing = (404, b'{"error": {"code": "not_found", "message": "none", "hint": null}}')
        status, data = self.server.answers.get(self.path, missing)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[_Answers]:
    with _Answers(tmp_path / "s", {}) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def error(code: str, message: str, hint: str | None = None) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "hint": hint}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "text"),
    [
        (400, error("bad_request", "bad", "good"), RequestRefused, 2, "bad; good"),
        (400, error("ambiguous", "a\nb"), AmbiguousReference, 2, "a\nb"),
        (403, error("forbidden", "no\x1b"), NotPermitted, 69, "no\\x1b"),
        (404, error("not_found", "none"), NotFound, 3, "none"),
        (409, error("conflict", "it has ended"), Conflict, 5, "it has ended"),
        (503, error("unavailable", "stopping"), TryLater, 75, "stopping"),
        (500, b"<html>", DaemonNotReachable, 69, "the daemon answered 500 Internal Server Error"),
        (404, b"[]", NotFound, 3, "the daemon answered 404 Not Found"),
        (200, b"{", DaemonNotReachable, 69, "before it had answered"),
    ],
)
def test_each_answer_has_its_error(
    server: _Answers,
    tmp_path: Path,
    status: int,
    body: bytes,
    kind: type[InboxdError],
    code: int,
    text: str,
) -> None:
    server.answers["/v1/version"] = (status, body)

    with ControlClient(tmp_path / "s") as client, pytest.raises(kind) as raised:
        client.get("/v1/version")

    assert (raised.value.exit_code, text in str(raised.value)) == (code, True)


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(DaemonNotReachable, match="no daemon listens there"):
        ControlClient(tmp_path / "none").get("/v1/version")


def test_a_reference_with_slashes_is_asked_for_at_each(server: _Answers, tmp_path: Path) -> None:
    server.answers["/v1/trees/a%2Fb/tasks/c/cancel"] = (200, b'{"ended": 1}')

    with ControlClient(tmp_path / "s") as client:
        done = ask_of(client, "a/b/c", "cancel", {"x": 1})
        with pytest.raises(NotFound, match="names no task"):
            ask_of_task(client, "a", lambda tree, task: client.post(task_path(tree, task)))

    assert done == {"ended": 1}
    assert server.asked == [
        ("POST", "/v1/trees/a/tasks/b%2Fc/cancel", b'{"x": 1}'),
        ("POST", "/v1/trees/a%2Fb/tasks/c/cancel", b'{"x": 1}'),
    ]
