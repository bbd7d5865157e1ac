"""Opening a file that a person named, without waiting for ever on what is no file."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NotRegular", "open_regular"]

#: Descriptors that this process was given open (a shell's `<(…)`), and what is always empty.
_DESCRIPTORS = ("/dev/null", "/dev/stdin", "/dev/fd/", "/proc/self/fd/")


class NotRegular(OSError):
    """The path leads to a directory, a FIFO, a socket or a device; `strerror` says so."""


def open_regular(path: Path) -> BinaryIO:
    """
    Open a regular file for reading; one that this process was given open may be a pipe too.

    Opening a FIFO waits for its writer (fifo(7)), so it is opened without, then refused.

    Raises:
        NotRegular: it is something else.
        OSError: it cannot be opened.
    """
    is_given = str(path).startswith(_DESCRIPTORS)
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY
    descriptor = os.open(path, flags if is_given else flags | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode) or not (is_given or stat.S_ISREG(mode)):
        os.close(descriptor)
        what = "is a directory" if stat.S_ISDIR(mode) else "is no regular file"
        raise NotRegular(errno.EINVAL, what, str(path))
    return os.fdopen(descriptor, "rb")
