"""
One connection to the control socket: who it is from, before anything that it sends is looked at.

HTTP is uvicorn's. What that leaves to a proxy in front of it is done here: how many may connect,
and for how long one may say nothing.
"""

from __future__ import annotations

import asyncio
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from inboxd.control.answers import error_body
from inboxd.control.peers import Right, peer_of

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from inboxd.control.peers import Permissions

__all__ = ["Connection", "Door"]

#: Connections at one time, so that the daemon keeps descriptors for its own work (of 1,024, by the
#: usual limit), and so that no user keeps the others out.
_MOST = 200
_MOST_OF_A_USER = 100

#: A whole head of a request has come after so long, or the connection goes.
_HEAD_SECONDS = 30.0
#: What somebody who is refused still sends is thrown away for so long, so that they can read why.
_LINGER_SECONDS = 2.0


class Door:
    """Who may come in, and how many are."""

    def __init__(self, permissions: Permissions) -> None:
        self.permissions = permissions
        #: Connections by uid.
        self.users: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many connections there are."""
        return sum(self.users.values())

    def enter(self, uid: int) -> bool:
        """Count one more of a user; False: there are too many."""
        of_user = self.users.get(uid, 0)
        if of_user >= _MOST_OF_A_USER or self.count >= _MOST:
            return False
        self.users[uid] = of_user + 1
        return True

    def leave(self, uid: int) -> None:
        """Count one less of a user."""
        self.users[uid] -= 1
        if not self.users[uid]:
            del self.users[uid]


class Connection(H11Protocol):
    """uvicorn's connection, for whom the door lets in."""

    def __init__(self, config: Config, server_state: ServerState, door: Door) -> None:
        super().__init__(config, server_state, {}, asyncio.get_running_loop())
        self._door = door
        self._uid: int | None = None
        self._is_refused = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Let the peer in, or tell why not."""
        connection = cast("socket.socket", transport.get_extra_info("socket"))
        try:
            peer = peer_of(connection)
        except OSError:  # gone already
            self._refuse(transport, 403, "the kernel does not say who you are")
            return
        right = self._door.permissions.of(peer)
        if right is Right.NOTHING:
            self._refuse(
                transport,
                403,
                f"uid {peer.uid} may not use this daemon",
                hint="[control] readers and operators of its configuration say who may",
            )
            return
        if not self._door.enter(peer.uid):
            self._refuse(transport, 503, "too many connections; close some, or try again later")
            return
        self._uid = peer.uid
        self.app_state["right"] = right
        super().connection_made(transport)
        self._timer = self.loop.call_later(_HEAD_SECONDS, self._tired)

    def data_received(self, data: bytes) -> None:
        """Take what was sent."""
        if not self._is_refused:
            super().data_received(data)

    def eof_received(self) -> None:
        """See the other side's end; a refused one has nothing more to read."""
        if self._is_refused:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        if self._timer is not None:
            self._timer.cancel()
        if self._uid is not None:
            self._door.leave(self._uid)
            self._uid = None
            super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, unless an answer is under way; then all that is left is to go."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.write(_whole_answer(400, "this is no request of HTTP/1.1"))
        if cycle := self._newest_cycle():
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def shutdown(self) -> None:
        """Close it, whatever goes on."""
        cycle = self._newest_cycle()
        if cycle is None or cycle.response_complete:
            self.transport.close()
        else:
            self.transport.abort()

    def _newest_cycle(self) -> RequestResponseCycle | None:
        return self.cycle  # None before the first request, which its type does not say

    def _tired(self) -> None:
        if self._newest_cycle() is None and not self.transport.is_closing():
            self.transport.abort()

    def _refuse(
        self, transport: asyncio.Transport, status: int, message: str, *, hint: str | None = None
    ) -> None:
        self._is_refused = True
        self.transport = transport
        transport.write(_whole_answer(status, message, hint=hint))
        # To close at once would reset the connection while the request is being sent.
        transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_SECONDS, transport.abort)


def _whole_answer(status: int, message: str, **more: Any) -> bytes:
    body = error_body(status, message, **more)
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body
