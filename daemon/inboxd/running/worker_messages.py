"""
What the daemon and a worker process say to each other: JSON, each message behind its length.

Never pickle (ADR 0019): what a worker sends is foreign text, bounded before it is read.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from inboxd.task import TaskError

if TYPE_CHECKING:
    import socket

__all__ = [
    "NULL",
    "Begin",
    "Connection",
    "Dependencies",
    "Ended",
    "FromWorker",
    "Load",
    "MessageError",
    "Progress",
    "Ready",
    "ToWorker",
    "WantsDependencies",
    "WorkerSource",
]

#: The result null.
NULL = b"null"

_LENGTH = struct.Struct(">I")
_RECEIVE_BYTES = 64 * 1024
#: More than a length can say, and more than a daemon sends.
_MOST_BYTES = 2**32 - 1


class MessageError(Exception):
    """What came is no message."""


class WorkerSource(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker gets an executor."""

    executor: str
    #: The entry point of its plugin.
    group: str
    name: str
    value: str
    #: Whether `inboxd_resolve_executor` makes it; otherwise the plugin offers it.
    is_resolved: bool = False
    #: `[plugins.NAME]`, `[executors.NAME]`, and what `PluginConfiguration` has besides.
    plugin_options: dict[str, Any] = {}
    executor_options: dict[str, Any] = {}
    directory: str = ""
    file: str | None = None


class Load(msgspec.Struct, frozen=True, kw_only=True, tag="load"):
    """The first message to a worker: become one for this executor."""

    source: WorkerSource
    #: `sys.path` of the daemon, without what only its start put there.
    path: list[str]
    #: What `os.environ` is to hold.
    environment: dict[str, str]
    max_memory_bytes: int | None = None


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="begin"):
    """Run an attempt."""

    #: Of this worker, from 1: what is said of the attempt says it too.
    turn: int
    tree_id: str
    task_id: str
    attempt: int
    inputs: msgspec.Raw
    params: msgspec.Raw
    #: Seconds since 1970; None: no time limit.
    deadline: float | None
    directory: str
    out: str
    err: str
    environment: dict[str, str]
    max_result_bytes: int


class Dependencies(msgspec.Struct, frozen=True, kw_only=True, tag="dependencies"):
    """The answer to `WantsDependencies`: a JSON object of results, by ids, then by names."""

    results: msgspec.Raw
    #: The unique names, and the ids that they stand for.
    names: dict[str, str] = {}
    problem: str | None = None


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The executor is loaded."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """How far the attempt is."""

    turn: int
    fraction: float | None
    message: str


class WantsDependencies(msgspec.Struct, frozen=True, kw_only=True, tag="wants_dependencies"):
    """The executor asks for the results of the tasks before."""

    turn: int


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """The attempt is over."""

    #: 0: the executor could not be loaded.
    turn: int
    #: JSON; of an attempt that completed. (msgspec knows no optional Raw.)
    result: msgspec.Raw = msgspec.Raw(NULL)
    error: TaskError | None = None
    retryable: bool = True
    retry_after_seconds: float | None = None
    #: Why this worker is not to be used again; None: it is as it was before.
    retire: str | None = None


ToWorker: TypeAlias = Load | Begin | Dependencies
FromWorker: TypeAlias = Ready | Progress | WantsDependencies | Ended

_encode = msgspec.json.Encoder().encode


class Connection:
    """One end of the socket; sends from any thread that holds the right to, receives for one."""

    def __init__(self, own: socket.socket, kind: Any, *, most_bytes: int = _MOST_BYTES) -> None:
        """
        Args:
            own: connected, a stream.
            kind: the union of the messages that come.
            most_bytes: of one of them.
        """
        self.socket = own
        self._decode = msgspec.json.Decoder(kind).decode
        self._most_bytes = most_bytes
        self._buffer = bytearray()

    def send(self, message: ToWorker | FromWorker) -> None:
        """
        Send a message.

        Raises:
            OSError: the other end is gone, or does not read within the socket's time limit.
        """
        text = _encode(message)
        self.socket.sendall(_LENGTH.pack(len(text)) + text)

    def receive(self) -> Any:
        """
        Wait for a message; None when the other end is closed.

        Raises:
            MessageError: what came is none, or is larger than is taken.
            TimeoutError: the socket has a time limit, and it is over.
            OSError: the other end is gone.
        """
        buffer = self._buffer
        while True:
            if len(buffer) >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(buffer)
                if length > self._most_bytes:
                    raise MessageError(f"a message of {length:,} bytes")
                end = _LENGTH.size + length
                if len(buffer) >= end:
                    text = bytes(buffer[_LENGTH.size : end])
                    del buffer[:end]
                    return self._decoded(text)
            piece = self.socket.recv(_RECEIVE_BYTES)
            if not piece:
                return None
            buffer += piece

    def _decoded(self, text: bytes) -> Any:
        try:
            return self._decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MessageError(str(error)) from error
