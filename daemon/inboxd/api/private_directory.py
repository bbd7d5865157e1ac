"""
The directory of a private session: made for it, locked while it lives, removed with it.

A process that is killed leaves its directory behind; the next session of the same user removes it,
which its lock, that nobody holds any more, says it may.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

from inboxd.state_lock import StateLock

__all__ = ["make_private_directory", "remove_directory"]

_PREFIX = "inboxd-session-"

#: A directory without a lock that is younger may be one that is just being made.
_YOUNG_SECONDS = 60.0


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
            if _is_left_over(directory):
                remove_directory(directory)


def _is_left_over(directory: Path) -> bool:
    try:
        facts = directory.stat(follow_symlinks=False)
    except OSError:
        return False
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        return False
    if time.time() - facts.st_mtime < _YOUNG_SECONDS and not (directory / "lock").exists():
        return False
    if not (directory / "lock").exists():
        return True
    lock = StateLock.acquire_free(directory)
    if lock is None:
        return False
    lock.release()
    return True
