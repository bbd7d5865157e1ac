"""A body written to a file in the tree's directory: whole under its name, or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from typing import TYPE_CHECKING

from inboxd.errors import NoRetry

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath
    from types import TracebackType

__all__ = ["SavedBody"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class SavedBody:
    """
    A file on its way; a context manager that leaves nothing behind when it is not kept.

    Every part of the path is opened below the one before and may be no symbolic link: another task
    of the tree cannot lead it out of the directory.
    """

    def __init__(self, directory: Path, name: PurePosixPath) -> None:
        """
        Make the directories of *name* and a file beside where it will be.

        Raises:
            NoRetry: a part of the path is something else than a directory.
            OSError: the disk is full, ….
        """
        self._name = name.name
        self._part = f".{secrets.token_hex(8)}.part"
        self._hash = hashlib.sha256()
        self._is_kept = False
        self._parent = os.open(directory, _DIRECTORY)
        try:
            for part in name.parent.parts:
                self._parent = _below(self._parent, part)
            file = os.open(self._part, _NEW_FILE, 0o600, dir_fd=self._parent)
        except OSError as error:
            os.close(self._parent)
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise NoRetry(f"save_to: {name}: a part of the path is no directory") from error
            raise
        self._file = os.fdopen(file, "wb")

    def write(self, data: bytes) -> None:
        """Write and hash a piece; from one thread at a time, and it may wait for the disk."""
        self._hash.update(data)
        self._file.write(data)

    def keep(self) -> str:
        """Give the file its name and return the SHA-256 of it; may wait for the disk."""
        self._file.close()
        try:
            os.rename(
                self._part, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent
            )  # below a directory's descriptor
        except IsADirectoryError as error:
            raise NoRetry(f"save_to: {self._name} is a directory") from error
        self._is_kept = True
        return self._hash.hexdigest()

    def __enter__(self) -> SavedBody:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # the disk is full: what raised says so
            self._file.close()
        if not self._is_kept:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._part, dir_fd=self._parent)
        os.close(self._parent)


def _below(parent: int, part: str) -> int:
    """Open a directory below another, made if it is not there; the other is closed."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(part, 0o700, dir_fd=parent)
    found = os.open(part, _DIRECTORY, dir_fd=parent)
    os.close(parent)
    return found
