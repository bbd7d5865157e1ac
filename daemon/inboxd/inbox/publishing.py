"""
Keep two threads from giving one name to two drops.

The results' thread reads under which name a result belongs and then gives it that name; the intake
may make that name a newer drop's in between. So whoever gives names says so in the very transaction
that reads them, and whoever moves earlier answers aside waits until those names are given.
"""

from __future__ import annotations

import threading

__all__ = ["Publishing"]

#: A round gives at most some hundred names, in milliseconds; then something hangs in the kernel.
_PATIENCE_SECONDS = 30.0


class Publishing:
    """Whether results are being given the names that the store had for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_open = False
        #: Held while one name in `results/` is made free, and given: by the intake, which does so
        #: for what it does not know, or by the results' thread.
        self.naming = threading.Lock()

    def begin(self) -> None:
        """Say that names were read and will be given; called in the transaction that reads."""
        with self._changed:
            self._is_open = True

    def end(self) -> None:
        """Say that the names are given, or will not be."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()

    def wait_until_over(self) -> bool:
        """Wait for names that are being given; return False when that does not come to an end."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_open, _PATIENCE_SECONDS)
