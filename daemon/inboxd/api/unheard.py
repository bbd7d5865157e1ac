"""
What a session says where the program has not set up logging.

A library leaves it to the program where records go, and prints nothing by itself. But where nobody
takes them, what a program waits for without knowing it goes to stderr.
"""

from __future__ import annotations

import logging

__all__ = ["heard_by_default"]


class _Unheard(logging.Handler):
    """Prints the few records that a program must see when nobody takes records."""

    EVENTS = frozenset({"turn_failed", "plugin_broken", "cancel_waits", "withdrawal_waits"})

    def emit(self, record: logging.LogRecord) -> None:
        """Print what must be heard, as Python prints warnings that nobody takes."""
        is_grave = getattr(record, "event", None) in self.EVENTS
        if is_grave and not logging.getLogger().handlers and logging.lastResort is not None:
            logging.lastResort.handle(record)


def heard_by_default() -> None:
    """Have grave records printed, and all others dropped, unless the program takes them."""
    logging.getLogger("inboxd").addHandler(_Unheard())
