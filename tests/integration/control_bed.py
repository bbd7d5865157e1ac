"""A daemon in this process with a control socket, and a client as any program may write one."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

from inboxd.testing.daemon import DaemonUnderTest

if TYPE_CHECKING:
    from pathlib import Path

    from inboxd.control.feed import Feed

__all__ = ["Client", "ControlledDaemon", "raw"]

LIMIT_SECONDS = 30.0


class _Connection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("inboxd", timeout=LIMIT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT_SECONDS)
        self.sock.connect(str(self._path))


class Client:
    """Asks a control socket, with a new connection for each request."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self, method: str, target: str, body: object = None) -> tuple[int, Any]:
        """Return the status, and the document of the answer."""
        status, text = self.text(method, target, body)
        return status, json.loads(text)

    def text(self, method: str, target: str, body: object = None) -> tuple[int, str]:
        connection = _Connection(self.path)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, target, data)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def get(self, target: str) -> Any:
        status, found = self.ask("GET", target)
        assert status == 200, found
        return found

    def post(self, target: str, body: object = None) -> Any:
        status, found = self.ask("POST", target, body)
        assert status == 200, found
        return found

    def refused(self, method: str, target: str, body: object = None) -> tuple[int, str]:
        """Return the status and the code of an error."""
        status, found = self.ask(method, target, body)
        return status, found["error"]["code"]


class ControlledDaemon(DaemonUnderTest):
    """A daemon under test whose socket lies in its directory."""

    def __init__(self, directory: Path, **given: Any) -> None:
        self.socket = directory / "c.sock"
        overrides = {"control.socket": str(self.socket), **given.pop("overrides", {})}
        super().__init__(directory, overrides=overrides, **given)
        self.client = Client(self.socket)

    @property
    def feed(self) -> Feed:
        """What its readers of events read from."""
        assert self._daemon is not None
        return self._daemon.feed


def raw(path: Path, data: bytes, *, is_whole: bool = True) -> bytes:
    """Send bytes, and return all that comes back until the other side closes."""
    received = b""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LIMIT_SECONDS)
        client.connect(str(path))
        try:
            client.sendall(data)
            if is_whole:
                client.shutdown(socket.SHUT_WR)
            while piece := client.recv(65_536):
                received += piece
        except (BrokenPipeError, ConnectionResetError):
            pass
    return received
