"""The control socket: where it lies, how it is made, and how it goes."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import re
import socket
import stat
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.errors import ConfigurationError
from inboxd.forked_children import give_to_children, keep_from_children
from inboxd.names import escaped
from inboxd.registry import registry_directory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.config.settings import ControlSettings, Settings

__all__ = ["BACKLOG", "MOST_BYTES", "ControlSocket", "socket_path"]

#: A path of a Unix socket has at most 107 bytes (unix(7)); some are left for who bridges it.
MOST_BYTES = 100

#: Connections that wait to be accepted.
BACKLOG = 128

_MODE = 0o660

#: Names that `socket_path` gives.
_NAME = re.compile(r"[0-9a-f]{16}\.sock")
_LEFT_SECONDS = 60.0


def socket_path(settings: Settings, environ: Mapping[str, str]) -> Path:
    """
    Return where the socket of the instance with these settings lies.

    By default beside its entry in the registry, under the same short name, so that it does not
    matter how long the path of the state directory is; in /tmp where even that would be too long.
    """
    given = settings.control.socket
    if given != "auto":
        return given
    name = sha256(os.fsencode(settings.state.path.resolve())).hexdigest()[:16] + ".sock"
    path = registry_directory(environ) / name
    if len(os.fsencode(path)) > MOST_BYTES:
        path = registry_directory({}) / name
    return path


class ControlSocket:
    """A socket that listens; made by whoever holds the lock on the state directory."""

    def __init__(self, path: Path, listening: socket.socket) -> None:
        """Take over a socket that was bound to *path*; use `make`."""
        self.path = path
        self.listening = listening
        self._identity = _identity(path)
        keep_from_children(listening.fileno())

    @classmethod
    def make(cls, path: Path, settings: ControlSettings) -> ControlSocket:
        """
        Make the socket, in place of one that a daemon left behind which is gone.

        The first `@group` that the settings name owns it, where this process may give it away, so
        that its members reach it; whoever connects is looked at again (`peers`).

        Raises:
            ConfigurationError: it cannot be made there.
        """
        shown = escaped(str(path))
        if len(os.fsencode(path)) > MOST_BYTES:
            raise ConfigurationError(
                [f"[control] socket: {shown}: longer than {MOST_BYTES} bytes; choose another place"]
            )
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _make_directory(path.parent)
            _remove_stale(path)
            # The name gets the mode that the socket has, less the umask (unix(7)): so there is no
            # moment in which others could connect, and the umask, which all threads share, stays.
            os.fchmod(listening.fileno(), 0o600)
            listening.bind(str(path))
            _give_to_group(path, settings)
            path.chmod(_MODE)
            listening.listen(BACKLOG)
            listening.setblocking(False)
        except OSError as error:
            listening.close()
            raise ConfigurationError(
                [f"[control] socket: {shown}: cannot be made: {error.strerror or error}"]
            ) from error
        except BaseException:
            listening.close()
            raise
        return cls(path, listening)

    @staticmethod
    def remove_left(directory: Path) -> None:
        """
        Remove sockets of daemons that are gone, and did not come back: nobody else would.

        Args:
            directory: the runtime directory, which is this user's own.
        """
        for path in directory.glob("*.sock"):
            with contextlib.suppress(OSError):  # it may go at any moment, and nothing hangs on it
                # A young one may be another daemon's that does not listen yet.
                is_old = time.time() - path.lstat().st_mtime > _LEFT_SECONDS
                if is_old and _NAME.fullmatch(path.name) and _is_dead(path):
                    path.unlink()

    def close(self) -> None:
        """Close it and remove its name, unless that is another's by now; may be called twice."""
        if self.listening.fileno() < 0:
            return
        with contextlib.suppress(OSError):
            if _identity(self.path) == self._identity:
                self.path.unlink()
        give_to_children(self.listening.fileno())
        self.listening.close()


def _make_directory(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = directory.stat()
    # Who may write there could put a socket of their own in place of ours.
    if facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX:
        raise ConfigurationError(
            [
                f"[control] socket: {escaped(str(directory))}: every user may write there and"
                " remove what others made; choose another directory, or chmod o-w it"
            ]
        )


def _remove_stale(path: Path) -> None:
    """
    Remove a socket that nobody listens at.

    Raises:
        ConfigurationError: another process listens there, or it is no socket.
    """
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return
    shown = escaped(str(path))
    if not stat.S_ISSOCK(facts.st_mode):
        raise ConfigurationError(
            [f"[control] socket: {shown}: is there and is no socket; remove it, or choose another"]
        )
    if _is_dead(path):
        path.unlink()
    else:
        raise ConfigurationError(
            [f"[control] socket: {shown}: another process listens there; choose another"]
        )


def _is_dead(path: Path) -> bool:
    """Return whether a path is a socket at which nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        return probe.connect_ex(str(path)) == errno.ECONNREFUSED


def _give_to_group(path: Path, settings: ControlSettings) -> None:
    for name in (*settings.operators, *settings.submitters, *settings.readers):
        if name.startswith("@"):
            group = name[1:]
            number = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
            with contextlib.suppress(PermissionError):  # only root, and members, may
                os.chown(path, -1, number)
            return


def _identity(path: Path) -> tuple[int, int]:
    facts = path.lstat()
    return facts.st_dev, facts.st_ino
