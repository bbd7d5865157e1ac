"""What a tree is called, and whose it is: what stands beside the tasks of an array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["NO_LABEL", "TreeLabel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeLabel:
    """The fields of a task array's envelope that are for people."""

    #: What the tree is called; None: it has no name.
    name: str | None = None
    #: Whose tree it is.
    user_id: str | None = None
    #: A JSON object: kept and shown, never read.
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


NO_LABEL = TreeLabel()
