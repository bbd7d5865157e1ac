"""An attempt as it is handed to the runner."""

from __future__ import annotations

import msgspec

__all__ = ["Attempt"]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One start of one task, recorded in the store before it is handed over."""

    #: Internal numbers.
    task: int
    tree: int
    #: Public ids.
    tree_id: str
    task_id: str
    #: The task's position in its array, from 0.
    position: int
    #: From 1.
    number: int
    start_seq: int
    #: Microseconds since 1970, UTC.
    started_at: int
    executor: str
    #: As it was when it started.
    priority: int = 2
    timeout_seconds: float | None = None
    #: JSON objects; None for an empty one.
    inputs: bytes | None = None
    params: bytes | None = None
    #: `inputs` are as they are written, and what they refer to is still to be filled in.
    has_references: bool = False
