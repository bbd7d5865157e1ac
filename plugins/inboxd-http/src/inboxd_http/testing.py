"""For tests: a web server that answers, byte for byte, what a test says; and one request."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from inboxd.testing import TestContext
from inboxd_http.executor import Http

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

Lookup = Callable[..., list[tuple[Any, ...]]]

__all__ = ["LOCAL_SETTINGS", "LocalServer", "Received", "answer", "fetch"]

#: With these, plain requests to this machine are made.
LOCAL_SETTINGS: Mapping[str, Any] = {
    "schemes": ["http", "https"],
    "allow_hosts": ["127.0.0.0/8", "::1"],
}
#: To begin and to end a server.
_LIMIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it came."""

    method: str
    #: As it stands in the request line.
    target: str
    #: Names as they came.
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def query(self) -> list[tuple[str, str]]:
        """The decoded pairs of the query."""
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    def header(self, name: str) -> str | None:
        """Return the value of a header; None when it did not come."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


Handler = Callable[[Received, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answer(
    body: bytes | str = b"", *, status: str = "200 OK", headers: dict[str, str] | None = None
) -> bytes:
    """Return a whole answer."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + data


class LocalServer:
    """
    Serves while it is entered, on a thread of its own.

    `routes` has, by path, one answer for always, a list of answers for one request after the other
    (the last for always), or a coroutine function that reads and writes as it likes.
    """

    def __init__(self, *, certificate: Path | None = None) -> None:
        """*certificate*: a file with a key and a certificate for localhost, for https."""
        self.routes: dict[str, bytes | list[bytes] | Handler] = {}
        self.received: list[Received] = []
        self.port = 0
        self._certificate = certificate
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """Its origin."""
        if self._certificate is None:
            return f"http://127.0.0.1:{self.port}"
        return f"https://localhost:{self.port}"

    def __enter__(self) -> LocalServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(_LIMIT_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_LIMIT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _begin(self) -> None:
        context = None
        if self._certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=context, backlog=512
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = [
            (name, value) for name, _, value in (line.partition(": ") for line in head[1:-2])
        ]
        length = next((int(value) for name, value in headers if name == "Content-Length"), 0)
        body = await reader.readexactly(length)
        received = Received(method=method, target=target, headers=headers, body=body)
        self.received.append(received)
        route = self.routes.get(urlsplit(target).path, answer(status="404 Not Found"))
        if callable(route):
            await route(received, reader, writer)
            return
        if isinstance(route, list):
            route = route.pop(0) if len(route) > 1 else route[0]
        writer.write(route)
        await writer.drain()


def fetch(
    url: str,
    *,
    settings: Mapping[str, Any] = LOCAL_SETTINGS,
    lookup: Lookup | None = None,
    context: TestContext | None = None,
    **inputs: Any,
) -> dict[str, Any]:
    """
    Run the executor once, on a loop of its own; return its result, or raise what it raises.

    Args:
        url: the input of this name.
        settings: `[executors.http]`.
        lookup: stands for `socket.getaddrinfo`.
        context: by default one of its own.
        inputs: the other inputs.
    """
    http = Http() if lookup is None else Http(lookup=lookup)
    http.configure(settings)
    return asyncio.run(http.execute({"url": url, **inputs}, context or TestContext()))
