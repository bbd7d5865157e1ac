"""
Places where a test may kill the process, by name: what `kill -9` would do at just that step.

For tests only. `INBOXD_FAILPOINT=after_commit` ends the process by SIGKILL the first time that
`failpoint("after_commit")` is passed, `INBOXD_FAILPOINT=after_commit:3` the third time.
Without the variable, which is read once at import, a pass costs one call that does nothing.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["arm", "failpoint"]

_kill_at: Callable[[str], None] | None = None


def failpoint(name: str) -> None:
    """Pass the step *name*; see the module."""
    if _kill_at is not None:
        _kill_at(name)


def arm(setting: str) -> None:
    """Set the failpoint as the variable would; "" sets none."""
    global _kill_at
    _kill_at = _killer(setting) if setting else None


def _killer(setting: str) -> Callable[[str], None]:
    wanted, _, count = setting.partition(":")
    lock = threading.Lock()
    left = int(count or 1)

    def kill_at(name: str) -> None:
        nonlocal left
        if name != wanted:
            return
        with lock:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return kill_at


arm(os.environ.get("INBOXD_FAILPOINT", ""))
