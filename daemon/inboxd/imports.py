"""
Importing libraries that look for plugins of their own while they are imported.

APScheduler and Alembic do, by `importlib.metadata.entry_points`, which raises when the list of any
installed distribution is damaged, whatever that is for. inboxd uses none of their plugins, so they
are shown none: a broken one of those cannot stop the daemon either.
"""

from __future__ import annotations

import importlib.metadata
import threading
from contextlib import contextmanager
from importlib.metadata import EntryPoints
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["without_entry_points"]

_NAME = "entry_points"


@contextmanager
def without_entry_points() -> Generator[None]:
    """Show this thread no entry points while the block imports something."""
    importing = threading.get_ident()
    found: Callable[..., object] = getattr(importlib.metadata, _NAME)

    def shown(**selection: Any) -> object:
        return EntryPoints(()) if threading.get_ident() == importing else found(**selection)

    setattr(importlib.metadata, _NAME, shown)
    try:
        yield
    finally:
        setattr(importlib.metadata, _NAME, found)
