"""What an attempt's executor is given besides the inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.running.paths import make_private_directory, tree_directory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.running.attempt import Attempt

__all__ = ["AttemptContext", "decoded_object"]


def decoded_object(data: bytes | None) -> dict[str, Any]:
    """Return a stored JSON object decoded; None is an empty one."""
    return {} if data is None else msgspec.json.decode(data)


class AttemptContext:
    """Satisfies `inboxd.plugins.protocol.TaskContext`; everything is worked out when asked for."""

    __slots__ = ("_attempt", "_params", "_state", "cancelled")

    def __init__(self, attempt: Attempt, state: Path) -> None:
        self._attempt = attempt
        self._state = state
        self._params: dict[str, Any] | None = None
        #: True once the attempt is to end; set by the runner, from another thread.
        self.cancelled = False

    @property
    def tree_id(self) -> str:
        """The tree's public id."""
        return self._attempt.tree_id

    @property
    def task_id(self) -> str:
        """The task's id in its file."""
        return self._attempt.task_id

    @property
    def attempt(self) -> int:
        """The attempt's number, from 1."""
        return self._attempt.number

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of one task, and for no other task."""
        return f"{self._attempt.tree_id}/{self._attempt.task_id}"

    @property
    def params(self) -> Mapping[str, Any]:
        """The task's `params`."""
        if self._params is None:
            self._params = decoded_object(self._attempt.params)
        return self._params

    @property
    def directory(self) -> Path:
        """The tree's own directory, shared by its tasks; made when first asked for."""
        path = tree_directory(self._state, self._attempt.tree_id)
        make_private_directory(path)
        return Path(path)
