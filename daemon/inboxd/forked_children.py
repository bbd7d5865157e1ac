"""
What a forked child of the daemon must not have, and where it must not go on.

A plugin runs in the daemon, and may fork. Its child is a copy of the daemon: it would hold the
daemon's locks for as long as it lives, and going on as the daemon it would do everything twice.
Children of `fork` and `exec` are not meant: the descriptors close by themselves.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["give_to_children", "keep_from_children", "leave_if_child"]

#: Descriptors that a lock hangs on.
_kept: Final[set[int]] = set()


def keep_from_children(descriptor: int) -> None:
    """Have a descriptor lead nowhere in children that are forked from now on."""
    _kept.add(descriptor)


def give_to_children(descriptor: int) -> None:
    """Take `keep_from_children` back; before the descriptor is closed, whose number is reused."""
    _kept.discard(descriptor)


def leave_if_child(owner: int, error: BaseException | None = None) -> None:
    """
    End this process, and nothing else of it, where it is not the process *owner*.

    Args:
        owner: the process that called the plugin.
        error: what the plugin raised; None: it returned.
    """
    if os.getpid() == owner:
        return
    status = 1
    if error is None or (isinstance(error, SystemExit) and error.code is None):
        status = 0
    elif isinstance(error, SystemExit) and isinstance(error.code, int):
        status = error.code & 0xFF
    os._exit(status)


def _take_from_child() -> None:
    """Point what is kept at nothing; the numbers stay taken, so that no other file gets one."""
    if not _kept:
        return
    try:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # no descriptor is left
        for descriptor in _kept:
            os.close(descriptor)
    else:
        for descriptor in _kept:
            os.dup2(null, descriptor, inheritable=False)
        os.close(null)
    _kept.clear()


os.register_at_fork(after_in_child=_take_from_child)
