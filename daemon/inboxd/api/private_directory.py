"""
The directory of a private session: made for it, locked while it lives, removed with it.

A process that is killed leaves its directory behind, and may leave commands running; the next
session of the same user ends and removes these, which the lock, that nobody holds any more, says it
may.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

from inboxd.running.leftovers import end_leftovers
from inboxd.state_lock import StateLock

__all__ = ["make_private_directory", "remove_directory"]

_PREFIX = "inboxd-session-"

#: A directory without a lock that is younger may be one that is just being made.
_YOUNG_SECONDS = 60.0

#: What a killed session left running has so long between SIGTERM and SIGKILL; who makes the next
#: session waits for it.
_GRACE_SECONDS = 1.0


def make_private_directory() -> Path:
    """Make an empty directory, mode 0700, in the system's directory for temporary files."""
    parent = Path(tempfile.gettempdir())
    _remove_left_over(parent)
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()


def remove_directory(directory: Path) -> None:
    """Remove a directory with everything in it, as far as that can be done."""
    shutil.rmtree(directory, ignore_errors=True)


def _remove_left_over(parent: Path) -> None:
    with contextlib.suppress(OSError):
        for directory in parent.glob(f"{_PREFIX}*"):
            if _is_own(directory) and _ends_what_is_left(directory):
                remove_directory(directory)


def _is_own(directory: Path) -> bool:
    try:
        facts = directory.stat(follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()


def _ends_what_is_left(directory: Path) -> bool:
    """End the commands of a session that was killed; False: it lives, or is just being made."""
    if not (directory / "lock").exists():
        return time.time() - directory.stat().st_mtime >= _YOUNG_SECONDS
    lock = StateLock.acquire_free(directory)
    if lock is None:
        return False
    try:
        end_leftovers(directory, (), grace_seconds=_GRACE_SECONDS)
    finally:
        lock.release()
    return True
