"""A context for calling an executor by hand."""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["TestContext"]


class TestContext:
    """
    Satisfies `TaskContext`, for a test that calls a function or `execute` by itself.

    What the executor said of its progress is in `progressed`, what it logged in `logged`.
    """

    #: Its name begins like that of a class of tests, and it is none.
    __test__ = False

    def __init__(
        self,
        *,
        tree_id: str = "00000000-0000-7000-8000-000000000000",
        task_id: str = "task",
        attempt: int = 1,
        params: Mapping[str, Any] | None = None,
        dependencies: Mapping[str, Any] | None = None,
        deadline: datetime | None = None,
        directory: Path | None = None,
    ) -> None:
        """
        Args:
            tree_id: the tree's public id.
            task_id: the task's id in its file.
            attempt: its number, from 1.
            params: the task's.
            dependencies: results of the tasks that it depends on, by their ids.
            deadline: when the time limit ends it, aware.
            directory: the tree's own; by default a new one that goes with this context.
        """
        self.tree_id = tree_id
        self.task_id = task_id
        self.attempt = attempt
        self.params: Mapping[str, Any] = dict(params or {})
        self.dependencies: Mapping[str, Any] = dict(dependencies or {})
        self.deadline = deadline
        #: Set it to have the executor end.
        self.cancelled = False
        #: What `progress` was given: (fraction, message).
        self.progressed: list[tuple[float | None, str]] = []
        #: The messages that were logged at INFO and above.
        self.logged: list[str] = []
        # One of its own, of which the logging module keeps nothing.
        self.log = logging.Logger(f"inboxd.testing.{task_id}", logging.INFO)  # noqa: LOG001
        self.log.addHandler(_Keeping(self.logged))
        self._directory = directory

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of one task, and for no other task."""
        return f"{self.tree_id}/{self.task_id}"

    @property
    def directory(self) -> Path:
        """The tree's own directory; made when first asked for."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="inboxd-"))
            weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    def progress(self, fraction: float | None, message: str = "") -> None:
        """Keep what was said in `progressed`."""
        self.progressed.append((fraction, message))


class _Keeping(logging.Handler):
    """Keeps messages."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__()
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())
