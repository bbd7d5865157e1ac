"""Who connects, and which rights users and groups have."""

from __future__ import annotations

import os
import socket

import pytest

from inboxd.config.settings import ControlSettings
from inboxd.control.peers import Peer, Permissions, Right, peer_of
from inboxd.errors import ConfigurationError

STRANGER = 54_321


def peer(uid: int, *groups: int) -> Peer:
    return Peer(pid=1, uid=uid, groups=frozenset(groups))


def test_the_kernel_says_who_connected() -> None:
    one, other = socket.socketpair()
    with one, other:
        found = peer_of(one)

    assert (os.getpid(), os.geteuid()) == (found.pid, found.uid)
    assert {os.getegid(), *os.getgroups()} == found.groups


@pytest.mark.parametrize(
    ("who", "right"),
    [
        (peer(os.geteuid()), Right.OPERATE),
        (peer(0), Right.OPERATE),
        (peer(STRANGER), Right.NOTHING),
        (peer(STRANGER, 0, 7), Right.NOTHING),
        (peer(STRANGER + 1), Right.READ),
        (peer(STRANGER + 2), Right.SUBMIT),
        (peer(STRANGER, 70_001), Right.OPERATE),
        (peer(STRANGER + 1, 70_001), Right.OPERATE),
        (peer(STRANGER, 70_000), Right.READ),
        (peer(STRANGER + 3), Right.OPERATE),
    ],
)
def test_rights_come_by_user_and_by_group_and_the_greatest_counts(who: Peer, right: Right) -> None:
    permissions = Permissions(
        ControlSettings(
            readers=(str(STRANGER + 1), "@70000", str(STRANGER + 3)),
            submitters=(str(STRANGER + 2),),
            operators=("@70001", str(STRANGER + 3)),
        )
    )

    assert right is permissions.of(who)


def test_the_names_of_users_and_groups_are_looked_up() -> None:
    permissions = Permissions(ControlSettings(readers=("daemon",), operators=("@daemon",)))

    assert Right.READ is permissions.of(peer(1))
    assert Right.OPERATE is permissions.of(peer(STRANGER, 1))


def test_every_name_that_nobody_has_is_told() -> None:
    settings = ControlSettings(readers=("no-such-user",), operators=("@no-such-group", "daemon"))

    with pytest.raises(ConfigurationError) as raised:
        Permissions(settings)

    assert list(raised.value.problems) == [
        '[control] readers: there is no user "no-such-user" on this machine; use a name from'
        " `getent passwd`, or a number",
        '[control] operators: there is no group "no-such-group" on this machine; use a name from'
        " `getent group`, or a number",
    ]
