"""
The executors that `@executor` made in this process, by name: what a session of the Python API adds
to those of the plugins. The daemon does not look here: what it runs is installed.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from inboxd.plugins.protocol import Executor

__all__ = ["register", "registered_executors"]

_executors: Final[dict[str, Executor]] = {}
_lock: Final = threading.Lock()


def register(executor: Executor) -> None:
    """Keep an executor under its name; the newest of a name counts, as a name in a module does."""
    with _lock:
        _executors[executor.name] = executor


def registered_executors() -> dict[str, Executor]:
    """Return those that there are now."""
    with _lock:
        return dict(_executors)
