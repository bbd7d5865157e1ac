"""
The inbox as open directories: made, checked, locked, and from then on reached by descriptor only.

Who may write to the inbox may run commands as the daemon's user, so the directories are looked at
with suspicion: nothing is followed that somebody else could have put there.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from inboxd.errors import ConfigurationError, InboxInUse
from inboxd.forked_children import give_to_children, keep_from_children
from inboxd.inbox.file_names import UNFINISHED_PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from inboxd.config.settings import InboxSettings

__all__ = ["Identity", "OpenInbox", "identity_of", "is_still", "open_inbox"]

logger = logging.getLogger(__name__)

_LOCK_NAME = ".lock"

_CLAIMED_MODE = 0o700

#: Set-group-id, so that what is made in it belongs to the inbox's group: who may drop may read.
_ANSWERS_MODE = 0o2750

#: The sub-directories, by the names they have on disk and as attributes.
_SUBDIRECTORIES = (
    (".claimed", "claimed"),
    ("accepted", "accepted"),
    ("rejected", "rejected"),
    ("results", "results"),
)

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Identity(NamedTuple):
    """What tells a directory from another one that came to have its path."""

    device: int
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenInbox:
    """Descriptors of the inbox and its four sub-directories, and the lock that makes them ours."""

    path: Path
    identity: Identity
    #: The group that answers are given to.
    group: int
    inbox: int
    claimed: int
    accepted: int
    rejected: int
    results: int
    lock: int

    def close(self) -> None:
        """Close the descriptors and so give the lock up."""
        for descriptor in (
            self.inbox,
            self.claimed,
            self.accepted,
            self.rejected,
            self.results,
        ):
            os.close(descriptor)
        _close_lock(self.lock)

    def is_current(self) -> bool:
        """Return whether the path still leads to these directories; False when it leads nowhere."""
        return self.is_at_path() and not self.exchanged()

    def is_at_path(self) -> bool:
        """Return whether the path still leads to the inbox itself."""
        try:
            return identity_of(os.stat(self.path)) == self.identity  # noqa: PTH116 - Path.stat is slower; this runs at every look
        except OSError:
            return False

    def exchanged(self) -> list[str]:
        """
        Return the names of the sub-directories that are gone, or are not the ones that are open.

        People archive by moving a whole directory away; the descriptor would follow it.
        """
        return [
            name
            for name, attribute in _SUBDIRECTORIES
            if not is_still(name, self.inbox, getattr(self, attribute))
        ]

    def file_system_now_ns(self) -> int:
        """Return the time by the clock that stamps the inbox's files, a server's on NFS."""
        os.utime(self.lock)
        return os.fstat(self.lock).st_mtime_ns


def is_still(name: str, parent: int, descriptor: int) -> bool:
    """Return whether *name* in the open directory *parent* is the directory that is open."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))


def identity_of(facts: os.stat_result) -> Identity:
    """Return the identity of the directory that *facts* are of."""
    return Identity(facts.st_dev, facts.st_ino)


def open_inbox(settings: InboxSettings, *, make: bool) -> OpenInbox:
    """
    Open and lock the inbox: make its sub-directories, check, remove what a crash left unfinished.

    Args:
        settings: say where it is and who may write to it.
        make: make the inbox itself too where there is none; not after it went away by itself,
            since the place may be one where a file system is mounted.

    Raises:
        ConfigurationError: the inbox or a sub-directory is not safe to use; the text says why.
        InboxInUse: another daemon holds it.
        OSError: it cannot be reached.
    """
    path = settings.path
    if make and not path.exists():
        path.mkdir(parents=True, mode=0o770)
        logger.info("inbox made", extra={"event": "inbox_made", "path": str(path)})
    with contextlib.ExitStack() as opened:

        def keep(descriptor: int) -> int:
            opened.callback(os.close, descriptor)
            return descriptor

        # The inbox itself may be reached through a symlink, which is the operator's to set.
        inbox = keep(os.open(path, _OPEN_DIRECTORY & ~os.O_NOFOLLOW))
        facts = os.fstat(inbox)
        _check_who_may_write(settings, facts)
        group = facts.st_gid
        claimed = keep(_open_subdirectory(path, inbox, ".claimed", _CLAIMED_MODE, facts))
        lock = _lock(path, claimed)
        opened.callback(_close_lock, lock)
        accepted = keep(_open_subdirectory(path, inbox, "accepted", _ANSWERS_MODE, facts))
        rejected = keep(_open_subdirectory(path, inbox, "rejected", _ANSWERS_MODE, facts))
        results = keep(_open_subdirectory(path, inbox, "results", _ANSWERS_MODE, facts))
        for directory in (accepted, rejected, results):
            _remove_unfinished(directory)
        opened.pop_all()
    return OpenInbox(
        path=path,
        identity=identity_of(facts),
        group=group,
        inbox=inbox,
        claimed=claimed,
        accepted=accepted,
        rejected=rejected,
        results=results,
        lock=lock,
    )


def _check_who_may_write(settings: InboxSettings, facts: os.stat_result) -> None:
    path = settings.path
    if facts.st_mode & stat.S_IWOTH and not (settings.allow_world and settings.allowed_owners):
        raise ConfigurationError(
            [
                f"{path}: every user of this machine may write to the inbox, and so run commands"
                f' as the daemon\'s user; take that right away (chmod o-w "{path}"), or set both'
                " allow_world and allowed_owners in [inbox]"
            ]
        )
    parent = path.resolve().parent
    mode = parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise ConfigurationError(
            [
                f"{parent}: every user of this machine may rename what is in it, so also the inbox"
                f' {path.name}; set the sticky bit (chmod +t "{parent}") or take that right away'
                f' (chmod o-w "{parent}")'
            ]
        )


def _open_subdirectory(
    path: Path, inbox: int, name: str, mode: int, inbox_facts: os.stat_result
) -> int:
    made = False
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=inbox)
        made = True
    try:
        descriptor = os.open(name, _OPEN_DIRECTORY, dir_fd=inbox)
    except NotADirectoryError as error:  # what O_DIRECTORY with O_NOFOLLOW says of a symlink too
        raise ConfigurationError(
            [
                f"{path / name}: must be a directory of the daemon's own, not a symlink or a file;"
                " move it away, and the daemon makes the directory"
            ]
        ) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path / name)) from error
    try:
        _check_subdirectory(path / name, descriptor, mode, inbox_facts, made=made)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_subdirectory(
    path: Path, descriptor: int, mode: int, inbox_facts: os.stat_result, *, made: bool
) -> None:
    facts = os.fstat(descriptor)
    if facts.st_uid != os.geteuid():
        raise ConfigurationError(
            [
                f"{path}: belongs to user {facts.st_uid}, not to the daemon's user {os.geteuid()};"
                " move it away, and the daemon makes its own"
            ]
        )
    if facts.st_dev != inbox_facts.st_dev:
        raise ConfigurationError(
            [
                f"{path}: lies on another file system than the inbox, so files cannot be moved"
                " there in one step; unmount it"
            ]
        )
    if made:
        if facts.st_gid != inbox_facts.st_gid and mode == _ANSWERS_MODE:
            _give_to_group(path, descriptor, inbox_facts.st_gid)
        os.fchmod(descriptor, mode)  # after the group: chown takes set-group-id away
    elif facts.st_mode & 0o022 or (mode == _CLAIMED_MODE and facts.st_mode & 0o077):
        # Others could exchange what is being read, or forge an answer.
        os.fchmod(descriptor, mode)
        logger.warning(
            "others could write to a directory of the inbox; its rights were mended",
            extra={"event": "inbox_rights_mended", "path": str(path), "mode": f"{mode:04o}"},
        )


def _give_to_group(path: Path, descriptor: int, group: int) -> None:
    try:
        os.fchown(descriptor, -1, group)
    except PermissionError:
        logger.warning(
            "the inbox's group cannot read answers: the daemon's user is not in it",
            extra={"event": "inbox_group_missing", "path": str(path), "group": group},
        )


def _lock(path: Path, claimed: int) -> int:
    lock = os.open(
        _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=claimed
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise InboxInUse(
            f"{path}: another daemon takes files from this inbox"
            + (f" (process {holder})" if holder else "")
            + "; stop it, or give this one an inbox of its own"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    keep_from_children(lock)
    return lock


def _close_lock(lock: int) -> None:
    give_to_children(lock)
    os.close(lock)


def _remove_unfinished(directory: int) -> None:
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries if _is_unfinished(entry)]
    for name in names:
        os.unlink(name, dir_fd=directory)


def _is_unfinished(entry: os.DirEntry[str]) -> bool:
    return os.fsencode(entry.name).startswith(UNFINISHED_PREFIX) and entry.is_file(
        follow_symlinks=False
    )
