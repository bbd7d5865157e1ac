"""How many descriptors this process has open."""

from __future__ import annotations

from pathlib import Path

__all__ = ["open_descriptors"]


def open_descriptors() -> int:
    """Return how many descriptors are open."""
    return len(list(Path("/proc/self/fd").iterdir()))
