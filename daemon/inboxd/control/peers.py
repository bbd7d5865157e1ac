"""
Who is at the other end of a connection, and what they may do.

The kernel says who connected (`SO_PEERCRED` and `SO_PEERGROUPS`, unix(7)); nothing that is sent
does.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from inboxd.errors import ConfigurationError
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inboxd.config.settings import ControlSettings

__all__ = ["Peer", "Permissions", "Right", "peer_of"]

#: <asm-generic/socket.h>; Python's `socket` has no name for it. Since Linux 4.13.
_SO_PEERGROUPS = 59
#: Python asks for no more than 1 KiB.
_MOST_GROUPS = 256

_CREDENTIALS = struct.Struct("3i")


class Right(IntEnum):
    """What somebody may do; each includes those before."""

    NOTHING = 0
    READ = 1
    SUBMIT = 2
    OPERATE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A process that connected, as it was then."""

    pid: int
    uid: int
    #: Its group and its supplementary ones.
    groups: frozenset[int]


def peer_of(connection: socket.socket) -> Peer:
    """
    Return who connected.

    Raises:
        OSError: the kernel does not say.
    """
    pid, uid, gid = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return Peer(pid=pid, uid=uid, groups=frozenset((gid, *_groups_of(connection, uid, gid))))


def _groups_of(connection: socket.socket, uid: int, gid: int) -> Sequence[int]:
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS)
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
        # It has more groups than fit: those that the user has by the databases.
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    return struct.unpack(f"{len(data) // 4}I", data)


class Permissions:
    """Which users and groups have which right, by their numbers."""

    def __init__(self, settings: ControlSettings) -> None:
        """
        Look the names up, once.

        Raises:
            ConfigurationError: with a sentence for each name that nobody has.
        """
        problems: list[str] = []
        self._users: dict[int, Right] = {}
        self._groups: dict[int, Right] = {}
        for key, right, names in (
            ("readers", Right.READ, settings.readers),
            ("submitters", Right.SUBMIT, settings.submitters),
            ("operators", Right.OPERATE, settings.operators),
        ):
            self._add(key, right, names, problems)
        if problems:
            raise ConfigurationError(problems)
        self._users[os.geteuid()] = self._users[0] = Right.OPERATE

    def _add(self, key: str, right: Right, names: Iterable[str], problems: list[str]) -> None:
        for name in names:
            is_group = name.startswith("@")
            number = _group_number(name[1:]) if is_group else _user_number(name)
            if number is None:
                what, database = ("group", "group") if is_group else ("user", "passwd")
                problems.append(
                    f'[control] {key}: there is no {what} "{escaped(name.removeprefix("@"))}" on'
                    f" this machine; use a name from `getent {database}`, or a number"
                )
            elif is_group:
                self._groups[number] = right
            else:
                self._users[number] = right

    def of(self, peer: Peer) -> Right:
        """Return the greatest right that a peer has, by its user or one of its groups."""
        rights = [self._groups[group] for group in peer.groups if group in self._groups]
        return max([self._users.get(peer.uid, Right.NOTHING), *rights])


def _user_number(name: str) -> int | None:
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        return None


def _group_number(name: str) -> int | None:
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        return None
