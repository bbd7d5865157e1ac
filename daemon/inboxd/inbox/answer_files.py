"""
Put answers where people look for them: whole, on disk, readable by those who may drop.

An answer is written under a name that begins with `.`, forced to disk, then renamed.
A crash leaves either no answer or a whole one, and perhaps an unfinished file that goes at start.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from inboxd.failpoints import failpoint
from inboxd.inbox.file_names import RESULT_SUFFIX, UNFINISHED_PREFIX, aside_names

if TYPE_CHECKING:
    from collections.abc import Generator
    from io import BufferedWriter

    from inboxd.inbox.directory import OpenInbox

__all__ = ["finish_answer", "move_aside", "move_file", "unfinished_answer", "write_answer"]

#: Whatever the umask: the owner is the daemon, the group is who may drop.
_ANSWER_MODE = 0o640


@contextlib.contextmanager
def unfinished_answer(directory: int, key: str, group: int) -> Generator[BufferedWriter]:
    """
    Give a file to write an answer to; when the block ends, it is on disk, under no final name yet.

    Args:
        directory: open; where the answer will lie.
        key: tells this answer from all others that are being written there.
        group: may read it.

    Raises:
        OSError: it could not be written; what there was of it is gone again.
    """
    name = _unfinished_name(key)
    descriptor = os.open(
        name,
        os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC,
        0o600,
        dir_fd=directory,
    )
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, no path
            if os.fstat(descriptor).st_gid != group:
                with contextlib.suppress(PermissionError):  # told once, when the directory was made
                    os.fchown(descriptor, -1, group)
            os.fchmod(descriptor, _ANSWER_MODE)
            yield file
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=directory)
        raise


def finish_answer(directory: int, key: str, name: bytes) -> None:
    """Give the answer that was written under *key* its name; the caller syncs the directory."""
    os.rename(_unfinished_name(key), name, src_dir_fd=directory, dst_dir_fd=directory)


def write_answer(directory: int, name: bytes, content: bytes, *, key: str, group: int) -> None:
    """Write a whole answer; see `unfinished_answer` and `finish_answer`."""
    with unfinished_answer(directory, key, group) as file:
        file.write(content)
    finish_answer(directory, key, name)


def move_file(source: int, old: bytes, target: int, new: bytes) -> bool:
    """Rename between two open directories; return False when there is nothing to rename."""
    try:
        os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)
    except FileNotFoundError:
        return False
    return True


def move_aside(opened: OpenInbox, old: bytes, new: bytes) -> None:
    """Give all that lies under the answers' name *old* the name *new*; the caller syncs."""
    for directory in (opened.accepted, opened.rejected):
        for before, after in aside_names(old, new):
            move_file(directory, before, directory, after)
            failpoint("within_aside")
    move_file(opened.results, old + RESULT_SUFFIX, opened.results, new + RESULT_SUFFIX)


def _unfinished_name(key: str) -> bytes:
    return UNFINISHED_PREFIX + key.encode()
