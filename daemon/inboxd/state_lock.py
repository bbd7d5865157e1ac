"""
The locks on a state directory and on a store: one process owns each, and its end frees them.

They are `flock`s (flock(2)) on the file `lock` in the directory, and on a file beside the database,
held for as long as the files are open. What these hold, the owner's pid, is for people; nothing
decides by it. The database itself is not locked so: closing a descriptor of it would drop the locks
that SQLite has on it in this process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from typing import TYPE_CHECKING

from inboxd.errors import ConfigurationError, StateInUse, StoreError, StoreInUse
from inboxd.forked_children import give_to_children, keep_from_children
from inboxd.names import escaped

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["StateLock", "StoreLock", "is_locked", "lock_holder"]

_FILE_NAME = "lock"
#: `is_locked` holds the lock, shared, for some microseconds; whoever acquires it waits that out.
_PATIENCE_SECONDS = 0.5
_PAUSE_SECONDS = 0.01


class StateLock:
    """The lock, held; `release` or the end of the process frees it."""

    def __init__(self, descriptor: int, state: Path) -> None:
        """Take over the descriptor of the locked file in *state*; use `acquire`."""
        self._descriptor = descriptor
        self._state = state
        keep_from_children(descriptor)

    @classmethod
    def acquire(cls, state: Path) -> StateLock:
        """
        Make the state directory, with mode 0700, where there is none, and lock it.

        Raises:
            StateInUse: another process holds the lock.
            ConfigurationError: the directory cannot be made or used.
        """
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = _open(state / _FILE_NAME)
        except OSError as error:
            raise ConfigurationError(
                [
                    f"{escaped(str(state))}: cannot be the state directory: {error.strerror};"
                    " choose another with --state DIR or [state] path"
                ]
            ) from error
        if not _locked_in_time(descriptor):
            os.close(descriptor)
            holder = lock_holder(state)
            raise StateInUse(
                f"{escaped(str(state))}: another inboxd"
                + (f" (pid {holder})" if holder else "")
                + " uses this state directory; stop it, or choose another with --state DIR"
            )
        try:
            _sign(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise ConfigurationError(
                [f"{escaped(str(state / _FILE_NAME))}: cannot be written: {error.strerror}"]
            ) from error
        return cls(descriptor, state)

    @classmethod
    def acquire_free(cls, state: Path) -> StateLock | None:
        """
        Lock a state directory that is there and free, to keep daemons away for a moment.

        Returns None when there is none, when it is in use, or when this user may not.
        """
        try:
            descriptor = os.open(state / _FILE_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return cls(descriptor, state)

    def is_current(self) -> bool:
        """Return whether the lock file is still the one in the state directory."""
        try:
            found = (self._state / _FILE_NAME).stat(follow_symlinks=False)
            own = os.fstat(self._descriptor)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)

    def release(self) -> None:
        """Free the lock; the second time it does nothing."""
        if self._descriptor >= 0:
            # The file stays: unlinking it would let two processes lock two files of one name.
            give_to_children(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> StateLock:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Free the lock."""
        self.release()


class StoreLock:
    """The lock on a database, held; `release` or the end of the process frees it."""

    def __init__(self, descriptor: int) -> None:
        """Take over the descriptor of the locked file; use `acquire`."""
        self._descriptor = descriptor
        keep_from_children(descriptor)

    @classmethod
    def acquire(cls, database: Path) -> StoreLock:
        """
        Lock the file `<database>.lock`, which is made where there is none.

        Of a database that is named by a symlink, it lies beside the file itself: whatever name is
        used, there is one lock.

        Raises:
            StoreInUse: another process, or another session of this one, holds the lock.
            StoreError: the file cannot be made.
        """
        path = database.resolve()
        path = path.with_name(f"{path.name}.lock")
        try:
            descriptor = _open(path)
        except OSError as error:
            raise StoreError(
                f"{escaped(str(path))}: cannot be made: {error.strerror}; the store needs a"
                " directory that is there and may be written"
            ) from error
        if not _locked_in_time(descriptor):
            os.close(descriptor)
            holder = _signer(path)
            raise StoreInUse(
                f"{escaped(str(database))}: "
                + ("this process" if holder == os.getpid() else f"another process (pid {holder})")
                + " uses this store; end that, or use another store"
            )
        try:
            _sign(descriptor)
            _refuse_other_names(database)
        except OSError as error:
            os.close(descriptor)
            raise StoreError(
                f"{escaped(str(path))}: cannot be written: {error.strerror}"
            ) from error
        except StoreError:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Free the lock; the second time it does nothing."""
        if self._descriptor >= 0:
            give_to_children(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


def _refuse_other_names(database: Path) -> None:
    """
    Raise StoreError for a database with hard links: by another name it would have another lock.

    SQLite itself keeps the journal beside the name that is used, and loses commits so
    (sqlite.org/howtocorrupt.html, 2.5).
    """
    with contextlib.suppress(FileNotFoundError):
        facts = database.stat()
        names = facts.st_nlink
        if stat.S_ISREG(facts.st_mode) and names > 1:
            raise StoreError(
                f"{escaped(str(database))}: the file has {names} names (hard links), and a process"
                " that used another one would not know of this one; remove the others"
            )


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _sign(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def is_locked(state: Path) -> bool:
    """
    Return whether a daemon holds the state directory now.

    Raises:
        PermissionError: this user may not look.
    """
    try:
        descriptor = os.open(state / _FILE_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def lock_holder(state: Path) -> int | None:
    """Return the pid that a state directory's lock names, for a message; None: it names none."""
    return _signer(state / _FILE_NAME)


def _signer(file_name: Path) -> int | None:
    try:
        with file_name.open("rb") as file:
            text = file.read(20).strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _locked_in_time(descriptor: int) -> bool:
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_PAUSE_SECONDS)
        else:
            return True
