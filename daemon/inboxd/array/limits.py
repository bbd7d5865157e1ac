"""How large a task file may be."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEEPEST", "Limits"]

#: The decoder recurses, and Python stops it at about 1,000 levels.
DEEPEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one file; `[inbox] max_file_bytes max_depth max_tasks` set them."""

    max_bytes: int = 256 * 1024 * 1024
    #: Objects and arrays inside each other; the outermost counts as 1. Above `DEEPEST` that holds.
    max_depth: int = 64
    max_tasks: int = 1_000_000
