"""
The control socket from the other side: requests over HTTP, answers and errors as values of ours.

Blocking, one connection at a time, and nothing but the standard library: a verb that asks one thing
must start quickly.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, urlencode

from inboxd.control.socket import socket_path
from inboxd.errors import AmbiguousReference, Conflict, DaemonNotReachable, InboxdError, NotFound
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from inboxd.instances import Instance

__all__ = [
    "ControlClient",
    "DaemonEnded",
    "NotPermitted",
    "RequestRefused",
    "TryLater",
    "task_path",
    "tree_path",
]

#: A request is answered in milliseconds; a retry of a tree of a million tasks in some seconds.
_TIMEOUT_SECONDS = 60.0

#: Bytes of an answer that is handed on as it comes.
_PIECE = 65_536

#: Of an error's answer no more is read.
_MOST_ERROR_BYTES = 1024 * 1024


class DaemonEnded(DaemonNotReachable):
    """The daemon ended while it was being asked; it may be on its way back."""


class NotPermitted(InboxdError):
    """The daemon runs, and this user may not do what was asked."""

    exit_code = 69


class TryLater(InboxdError):
    """The daemon runs, and cannot do it now."""

    exit_code = 75


class RequestRefused(InboxdError):
    """What was asked for is none of the things that the daemon can do."""

    exit_code = 2


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("inboxd", timeout=timeout)
        self._path = path
        #: Kept, since an answer that ends with the connection takes `sock` away.
        self.wire: socket.socket | None = None

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.timeout)
            connection.connect(os.fspath(self._path))
        except BaseException:
            connection.close()
            raise
        self.sock = self.wire = connection


class ControlClient:
    """
    Asks one daemon; a context manager, for one thread.

    Raises, from every method:
        DaemonNotReachable: there is none, or it ended before it answered.
        NotPermitted: it does not let this user.
        NotFound, AmbiguousReference, Conflict: what the reference means, or the state it is in.
        TryLater: it is stopping, or too much is asked of it.
        RequestRefused: the request itself is wrong.
    """

    def __init__(self, path: Path, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        """*path* is the socket; nothing is connected yet."""
        self._path = path
        self._timeout = timeout_seconds
        self._connection: _Connection | None = None

    @classmethod
    def of(cls, instance: Instance) -> ControlClient:
        """
        Return a client of the daemon of an instance.

        Raises:
            DaemonNotReachable: it does not run.
        """
        if instance.is_running is False:
            raise DaemonNotReachable(
                f"no daemon runs on {escaped(str(instance.settings.state.path))}, and this needs"
                " one: start it with `inboxd run`"
            )
        return cls(instance.socket or socket_path(instance.settings, os.environ))

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go; may be called twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(
        self,
        path: str,
        query: Mapping[str, object] | None = None,
        *,
        timeout_seconds: float | None = None,
    ) -> Any:
        """
        Return the JSON that stands at a path.

        Args:
            path: with its parts quoted (`tree_path`, `task_path`).
            query: values of None are left out.
            timeout_seconds: longer than usual, for what is waited for.
        """
        with self._asked("GET", _url(path, query), None, timeout_seconds) as answer:
            return self._document(answer)

    def post(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Have something done; return the JSON that says what was."""
        with self._asked("POST", path, {} if body is None else body, None) as answer:
            return self._document(answer)

    def pieces(self, path: str, query: Mapping[str, object] | None = None) -> Iterator[bytes]:
        """Yield the bytes at a path as they come; however large, at most 64 KiB are held."""
        with self._asked("GET", _url(path, query), None, None) as answer:
            while piece := self._read(answer, _PIECE):
                yield piece

    def events(self, *, tree: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """
        Yield what happens from now on, as (kind, facts), until the daemon ends the answer.

        It does so when this reader is too slow, and when it stops.
        """
        with self._asked("GET", _url("/v1/events", {"tree": tree}), None, None) as answer:
            kind = ""
            while line := self._line(answer):
                name, _, value = line.rstrip(b"\n").partition(b": ")
                if name == b"event":
                    kind = value.decode()
                elif name == b"data" and kind == "reset":
                    return
                elif name == b"data":
                    yield kind, json.loads(value)

    def interrupt(self) -> None:
        """From any thread: end the answer that is being read, which raises or ends there."""
        wire = None if self._connection is None else self._connection.wire
        if wire is not None:
            with contextlib.suppress(OSError):  # it has ended by itself
                wire.shutdown(socket.SHUT_RDWR)

    def _line(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            return answer.readline()
        except (OSError, http.client.HTTPException) as error:
            self._unreachable(error)

    def _asked(
        self, method: str, url: str, body: Mapping[str, object] | None, timeout: float | None
    ) -> http.client.HTTPResponse:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        self.close()
        connection = _Connection(self._path, self._timeout if timeout is None else timeout)
        self._connection = connection
        try:
            try:
                connection.request(method, url, body=data, headers=headers)
            except (BrokenPipeError, ConnectionResetError):
                # Who may not ask is told before anything is read: the answer may be there.
                if connection.sock is None:
                    raise
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._unreachable(error)
        if answer.status >= 300:
            self._raise(answer)
        return answer

    def _document(self, answer: http.client.HTTPResponse) -> Any:
        try:
            return json.loads(self._read(answer, None) or b"null")
        except ValueError as error:
            self._unreachable(error)

    def _read(self, answer: http.client.HTTPResponse, size: int | None) -> bytes:
        try:
            return answer.read(size)
        except (OSError, http.client.HTTPException) as error:
            self._unreachable(error)

    def _unreachable(self, error: Exception) -> NoReturn:
        self.close()
        shown = escaped(str(self._path))
        if isinstance(error, PermissionError):
            raise NotPermitted(
                f"{shown}: this user may not connect to the daemon; ask its owner for a line in"
                " [control] readers or operators"
            ) from error
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            text = "no daemon listens there; start one with `inboxd run`"
        elif isinstance(error, TimeoutError):
            text = "the daemon did not answer in time; `inboxd doctor` looks for the reason"
        else:
            raise DaemonEnded(
                f"{shown}: the daemon ended, or closed the connection, before it had answered"
            ) from error
        raise DaemonNotReachable(f"{shown}: {text}") from error

    def _raise(self, answer: http.client.HTTPResponse) -> NoReturn:
        try:
            found = json.loads(self._read(answer, _MOST_ERROR_BYTES))["error"]
            code, message, hint = found["code"], str(found["message"]), found.get("hint")
        except (ValueError, TypeError, KeyError, AttributeError):
            code, hint = None, None
            message = f"the daemon answered {answer.status} {answer.reason}"
        self.close()
        text = escaped(message, keep_newlines=True)
        if hint:
            text = f"{text}; {escaped(str(hint), keep_newlines=True)}"
        if code == "ambiguous" or code == "ambiguous_reference":
            raise AmbiguousReference(text, ())
        match answer.status:
            case 403:
                raise NotPermitted(text)
            case 404:
                raise NotFound(text)
            case 409:
                raise Conflict(text)
            case 503:
                raise TryLater(text)
            case status if status >= 500:
                raise DaemonNotReachable(text)
            case _:
                raise RequestRefused(text)


def tree_path(tree: str, *more: str) -> str:
    """Return the path of a tree that a person named, and of what is below it."""
    return _path("v1", "trees", tree, *more)


def task_path(tree: str, task: str, *more: str) -> str:
    """Return the path of a task of such a tree, and of what is below it."""
    return tree_path(tree, "tasks", task, *more)


def _path(*parts: str) -> str:
    # Parts may be names with any byte in them; a path of dots alone would be taken for a direction.
    return "/" + "/".join(
        quote(part, safe="", errors="surrogateescape").replace(".", "%2E")
        if part.strip(".") == ""
        else quote(part, safe="", errors="surrogateescape")
        for part in parts
    )


def _url(path: str, query: Mapping[str, object] | None) -> str:
    given = {key: value for key, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
