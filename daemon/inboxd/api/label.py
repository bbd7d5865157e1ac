"""What a tree is called, and whose it is: what stands beside the tasks of an array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from inboxd.api.misuse import must_be, must_be_text

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

    def __post_init__(self) -> None:
        """
        Look at it once, since nothing does when its tree is accepted.

        Raises:
            TypeError: the name or the owner is no text, or the metadata no dict.
        """
        must_be_text(self.name, "name")
        must_be_text(self.user_id, "user_id")
        must_be(self.metadata, dict, "metadata is a dict")


NO_LABEL = TreeLabel()
