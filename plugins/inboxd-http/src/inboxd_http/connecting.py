"""
Where a connection goes: the name is looked up here, and each address is checked as it is used.

aiohttp calls `socket_factory` with the very address that it then connects that socket to, for names
and for addresses in URLs alike. So there is no time between the check and the use, and what a name
server answers to a second question does not matter.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from inboxd_http.addresses import AddressKind, AddressPolicy, parse_address

__all__ = ["AddressRefused", "Doorkeeper", "Lookup", "Resolver"]

#: `socket.getaddrinfo`, or what stands for it.
Lookup = Callable[..., list[tuple[Any, ...]]]


class AddressRefused(OSError):
    """A connection to an address is not allowed; aiohttp goes on to the name's next address."""


@dataclass(slots=True, kw_only=True)
class Doorkeeper:
    """Checks the addresses of one request to one host."""

    policy: AddressPolicy
    is_allowed_name: bool
    #: What was refused, as (address, kind).
    refused: list[tuple[str, AddressKind]] = field(default_factory=list[tuple[str, AddressKind]])
    #: Whether a connection was tried.
    has_tried: bool = False

    def socket(self, address_info: tuple[Any, ...]) -> socket.socket:
        """
        Return the socket for a connection to one address; aiohttp's `socket_factory`.

        Raises:
            AddressRefused: the address is not allowed, or is none.
        """
        family, kind, protocol, _, where = address_info
        address = parse_address(str(where[0]))
        if address is None:
            raise AddressRefused(f"{where[0]} is no address")
        refusal = self.policy.refusal(address, is_allowed_name=self.is_allowed_name)
        if refusal is not None:
            self.refused.append((str(address), refusal))
            raise AddressRefused(f"{address} is {refusal}")
        self.has_tried = True
        return socket.socket(family, kind, protocol)


class Resolver(AbstractResolver):
    """
    Looks names up, each on a thread of its own.

    The loop's own threads are few and are waited for when the process ends, and a name server that
    does not answer holds a thread for many seconds.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """
        Return the addresses of a name.

        Raises:
            OSError: it has none, or no name server answered.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()

        def give(found: list[tuple[Any, ...]] | None, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(found or [])

        def look_up() -> None:
            found, error = None, None
            try:
                found = self._lookup(
                    host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG
                )
            except (OSError, UnicodeError) as raised:
                error = raised if isinstance(raised, OSError) else OSError(str(raised))
            try:
                loop.call_soon_threadsafe(give, found, error)
            except RuntimeError:
                return  # the loop was closed in the meantime: nobody waits any more

        threading.Thread(target=look_up, name="http-lookup", daemon=True).start()
        found = [_result(host, info) for info in await answer]
        if not found:
            raise OSError("the name has none")
        return found

    async def close(self) -> None:
        """Close nothing."""


def _result(host: str, info: tuple[Any, ...]) -> ResolveResult:
    family, _, protocol, _, where = info
    address = str(where[0])
    if family == socket.AF_INET6 and len(where) > 3 and where[3]:
        address = f"{address.partition('%')[0]}%{where[3]}"
    return ResolveResult(
        hostname=host,
        host=address,
        port=where[1],
        family=family,
        proto=protocol,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
