"""Whatever is sent to the control socket: no fault of the server, and it goes on."""

from __future__ import annotations

import logging
import re
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inboxd.control import connections
from inboxd.control.routes import ROUTES

from .control_bed import ControlledDaemon, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Also what comes after a first answer on the same connection.
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")

#: Those that answer at once.
_ROUTES = [route for route in ROUTES if not route.path.endswith(("/events", "/wait"))]

_SEGMENTS = st.one_of(
    st.sampled_from(
        ["@", "a", "%ff", "%00", "..", "%2e%2e%2f", "%", "%zz", "a%2Fb", "'\"", "x" * 9_000]
    ),
    st.text(
        st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="?#/"), min_size=1
    ),
    st.binary(min_size=1, max_size=40).map(lambda data: "".join(f"%{byte:02x}" for byte in data)),
)
_QUERIES = st.one_of(
    st.just(""),
    st.sampled_from(["limit", "after", "status", "offset", "attempt", "stream", "timeout"]).flatmap(
        lambda name: st.sampled_from(
            [
                "",
                "0",
                "-1",
                "1",
                "1e9",
                "9223372036854775807",
                "9223372036854775808",
                "%ff",
                "failed",
                "x" * 500,
            ]
        ).map(lambda value: f"?{name}={value}")
    ),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40).map("?{}".format),
)
_BODIES = st.one_of(
    st.just(b""),
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"{}",
            b'{"priority": 1}',
            b'{"priority": 1e400}',
            b"[" * 50_000,
            b'{"a":' * 5_000,
            b"null",
            b'"\\ud800"',
            b"x" * 70_000,
        ]
    ),
)
_STRANGE_HEADERS = [
    b"expect: 100-continue",
    b"connection: upgrade\r\nupgrade: websocket",
    b"connection: Upgrade\r\nupgrade: h2c",
    b"connection: close",
    b"transfer-encoding: gzip",
    b"transfer-encoding: chunked",
    b"content-length: -1",
    b"content-length: 5\r\ncontent-length: 6",
    b"host: y",
    b"last-event-id: \xff",
    b"x: " + b"y" * 40_000,
    b"a:b\r\n c",
    b"\x00: 1",
]
_HEADERS = st.lists(
    st.one_of(
        st.sampled_from(_STRANGE_HEADERS),
        st.binary(max_size=30),
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlledDaemon]:
    daemon = ControlledDaemon(tmp_path_factory.mktemp("h"))
    with daemon:
        daemon.run([{"id": "a", "executor": "noop"}])
        yield daemon


@pytest.fixture
def no_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.WARNING)
    yield
    told = [
        record
        for record in caplog.records
        if record.name.startswith(("asyncio", "uvicorn", "inboxd.control"))
    ]
    assert not told, [record.getMessage() for record in told]


def check(daemon: ControlledDaemon, answer: bytes) -> None:
    statuses = [int(status) for status in _STATUS.findall(answer)]
    assert all(status < 500 for status in statuses), answer
    assert daemon.client.get("/healthz")["status"] == "ok"


_PLENTY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_PLENTY
@given(data=st.binary(max_size=400))
def test_bytes_that_are_no_request(daemon: ControlledDaemon, no_errors: None, data: bytes) -> None:
    check(daemon, raw(daemon.socket, data))


@_PLENTY
@given(data=st.data())
def test_heads_that_nobody_should_send(
    daemon: ControlledDaemon, no_errors: None, data: st.DataObject
) -> None:
    route = data.draw(st.sampled_from(_ROUTES))
    method = data.draw(st.sampled_from([route.method, "GET", "HEAD", "CONNECT", "get", "X-Y"]))
    body = data.draw(_BODIES)
    length = data.draw(st.sampled_from([len(body), len(body) + 5, 0, 10**30]))
    head = [f"{method} {route.path} HTTP/1.1".encode(), b"host: x", b"content-length: %d" % length]
    request = b"\r\n".join([*head, *data.draw(_HEADERS)]) + b"\r\n\r\n" + body
    check(daemon, raw(daemon.socket, request * data.draw(st.integers(1, 2))))


@settings(_PLENTY, max_examples=150)
@given(data=st.data())
def test_paths_queries_and_bodies_that_nobody_should_send(
    daemon: ControlledDaemon, no_errors: None, data: st.DataObject
) -> None:
    route = data.draw(st.sampled_from(_ROUTES))
    tree, task = data.draw(st.one_of(st.just("@"), _SEGMENTS)), data.draw(_SEGMENTS)
    target = route.path.replace("{ref}", tree).replace("{id}", task)
    if route.query:
        target += data.draw(_QUERIES)
    body = data.draw(_BODIES) if route.method == "POST" else b""
    head = f"{route.method} {target} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    check(daemon, raw(daemon.socket, head.encode() + body))


def test_chunks_that_never_end_are_cut_off(daemon: ControlledDaemon, no_errors: None) -> None:
    head = b"POST /v1/pause HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = raw(
        daemon.socket,
        head + b"1000\r\n" + b" " * 0x1000 + b"\r\n" + (b"1000\r\n" + b" " * 0x1000 + b"\r\n") * 40,
    )

    assert answer.startswith(b"HTTP/1.1 413 ")
    check(daemon, answer)


def test_no_user_takes_all_connections(daemon: ControlledDaemon, no_errors: None) -> None:
    many = [socket.socket(socket.AF_UNIX) for _ in range(120)]
    try:
        for one in many:
            one.connect(str(daemon.socket))  # waits for its turn, since it has no timeout
            one.settimeout(30)
        many[-1].sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = many[-1].recv(65_536)
    finally:
        for one in many:
            one.close()

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"too many connections" in answer


def test_who_sends_no_request_is_let_go(
    daemon: ControlledDaemon, no_errors: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 0.05)

    assert raw(daemon.socket, b"GET / HTTP/1.1\r\nhost: ", is_whole=False) == b""
