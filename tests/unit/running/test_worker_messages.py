"""Messages between the daemon and a worker: whole, bounded, and nothing else."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.running.worker_messages import (
    Connection,
    Ended,
    FromWorker,
    MessageError,
    Progress,
    Ready,
    WantsDependencies,
)
from inboxd.task import TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator

Ends = tuple[socket.socket, Connection]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Return the worker's socket, and the daemon's connection."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        yield theirs, Connection(ours, FromWorker, most_bytes=1_000)


def _frame(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


def test_messages_arrive_as_they_were_sent(ends: Ends) -> None:
    theirs, ours = ends
    error = TaskError(code=TaskErrorCode.EXCEPTION, message="ä", traceback="line\n")
    sent: list[FromWorker] = [
        Ready(),
        Progress(turn=1, fraction=None, message="ü"),
        WantsDependencies(turn=2),
        Ended(turn=2, result=msgspec.Raw(b'{"a":[1]}'), retire="why"),
        Ended(turn=0, error=error, retryable=False, retry_after_seconds=1.5),
    ]
    connection = Connection(theirs, FromWorker)
    for message in sent:
        connection.send(message)

    assert [ours.receive() for _ in sent] == sent


def test_a_message_may_come_in_pieces(ends: Ends) -> None:
    theirs, ours = ends
    ours.socket.settimeout(0.0)
    data = _frame(b'{"type":"ready"}')
    for number in range(len(data)):
        with pytest.raises(BlockingIOError):
            ours.receive()
        theirs.sendall(data[number : number + 1])

    assert ours.receive() == Ready()


def test_the_end_is_none_also_in_the_middle_of_a_message(ends: Ends) -> None:
    theirs, ours = ends
    theirs.sendall(_frame(b'{"type":"ready"}')[:-1])
    theirs.close()

    assert ours.receive() is None


def test_a_length_over_the_bound_is_refused_before_it_is_read(ends: Ends) -> None:
    theirs, ours = ends
    theirs.sendall(struct.pack(">I", 1_001))

    with pytest.raises(MessageError, match="a message of 1,001 bytes"):
        ours.receive()


@given(text=st.binary(max_size=200))
def test_anything_else_is_refused_as_no_message(text: bytes) -> None:
    theirs, ours = socket.socketpair()
    with theirs, ours:
        theirs.sendall(_frame(text))
        theirs.close()
        received: Any = None
        try:
            received = Connection(ours, FromWorker).receive()
        except MessageError:
            return

    assert isinstance(received, FromWorker)
