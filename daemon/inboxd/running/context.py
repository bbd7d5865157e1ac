"""What an attempt's executor is given besides the inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.clock import from_micros
from inboxd.running.attempt_log import attempt_logger
from inboxd.running.dependencies import DependencyResults
from inboxd.running.paths import make_private_directory, tree_directory
from inboxd.running.progress import ProgressBoard

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping
    from datetime import datetime

    from inboxd.clock import Clock
    from inboxd.running.attempt import Attempt
    from inboxd.store.reader import StoreReader

__all__ = ["AttemptContext", "ContextSource", "decoded_object"]


def decoded_object(data: bytes | None) -> dict[str, Any]:
    """Return a stored JSON object decoded; None is an empty one."""
    return {} if data is None else msgspec.json.decode(data)


class ContextSource:
    """Makes the contexts of attempts, and has what all of them share; for every isolation."""

    __slots__ = ("board", "clock", "max_output_bytes", "reader", "state")

    def __init__(
        self,
        *,
        state: Path,
        clock: Clock,
        max_output_bytes: int,
        reader: StoreReader | None = None,
        board: ProgressBoard | None = None,
    ) -> None:
        """
        Args:
            state: the state directory, absolute.
            clock: for the end of time limits.
            max_output_bytes: the bound of an attempt's log.
            reader: of the store, for the results of other tasks.
            board: where progress is noted.
        """
        self.state = state
        self.clock = clock
        self.max_output_bytes = max_output_bytes
        self.reader = reader
        self.board = ProgressBoard(clock) if board is None else board

    def context(self, attempt: Attempt, limit: float | None = None) -> AttemptContext:
        """Return the context of an attempt whose time limit of *limit* seconds begins now."""
        context = AttemptContext(attempt, self)
        if limit is not None:
            self.begin_limit(context, limit)
        return context

    def begin_limit(self, context: AttemptContext, limit: float) -> None:
        """Take note that an attempt's time limit of *limit* seconds begins now."""
        end = self.clock.now_micros() + round(limit * 1_000_000)
        # Not a method of the context, which is the plugin's to call.
        context._deadline_micros = end  # pyright: ignore[reportPrivateUsage] - of this module


class AttemptContext:
    """Satisfies `inboxd.plugins.protocol.TaskContext`; everything is worked out when asked for."""

    __slots__ = (
        "_attempt",
        "_deadline_micros",
        "_dependencies",
        "_log",
        "_params",
        "_source",
        "cancelled",
    )

    def __init__(self, attempt: Attempt, source: ContextSource) -> None:
        self._attempt = attempt
        self._source = source
        self._dependencies: DependencyResults | None = None
        self._params: dict[str, Any] | None = None
        self._deadline_micros: int | None = None
        self._log: logging.Logger | None = None
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
    def dependencies(self) -> Mapping[str, Any]:
        """The results of the tasks it depends on; see `DependencyResults`."""
        if self._dependencies is None:
            self._dependencies = DependencyResults(self._source.reader, self._attempt.task)
        return self._dependencies

    @property
    def params(self) -> Mapping[str, Any]:
        """The task's `params`."""
        if self._params is None:
            self._params = decoded_object(self._attempt.params)
        return self._params

    @property
    def directory(self) -> Path:
        """The tree's own directory, shared by its tasks; made when first asked for."""
        path = tree_directory(self._source.state, self._attempt.tree_id)
        make_private_directory(path)
        return Path(path)

    @property
    def deadline(self) -> datetime | None:
        """When the time limit ends the attempt, aware UTC; None: it has no limit."""
        return None if self._deadline_micros is None else from_micros(self._deadline_micros)

    @property
    def log(self) -> logging.Logger:
        """A logger of the attempt's own: what is logged at INFO and above is in its log."""
        if self._log is None:
            self._log = attempt_logger(
                self._attempt,
                state=self._source.state,
                max_output_bytes=self._source.max_output_bytes,
            )
        return self._log

    def progress(self, fraction: float | None, message: str = "") -> None:
        """Say how far the attempt is; what is said after its end is nobody's."""
        if not self.cancelled:
            self._source.board.note(self._attempt, fraction, message)
