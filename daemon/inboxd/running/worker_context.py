"""What an attempt's executor is given in a worker process; satisfies `TaskContext`."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.clock import from_micros, rfc3339
from inboxd.errors import InboxdError
from inboxd.running.progress import Progress as Said
from inboxd.running.progress import progress_of
from inboxd.running.worker_messages import Dependencies, Progress, WantsDependencies

if TYPE_CHECKING:
    from inboxd.running.worker_messages import Begin, Connection

__all__ = ["WorkerContext"]

#: Not more often: people cannot read faster, and a tight loop would keep the daemon busy.
_PROGRESS_SECONDS = 0.1


class WorkerContext:
    """One attempt's own."""

    def __init__(self, begin: Begin, connection: Connection) -> None:
        self._begin = begin
        self._connection = connection
        self._pid = os.getpid()
        #: One question at a time, and nothing between it and its answer.
        self._lock = threading.Lock()
        self._dependencies: _Results | None = None
        self._params: Mapping[str, Any] | None = None
        self._log: logging.Logger | None = None
        #: What was said of its progress and not sent yet, and what sends it.
        self._said: Said | None = None
        self._timer: threading.Timer | None = None
        self._is_timed = False
        self._sent_at = -math.inf
        self._is_over = False
        #: True once the attempt is to end.
        self.cancelled = False

    @property
    def tree_id(self) -> str:
        """The tree's public id."""
        return self._begin.tree_id

    @property
    def task_id(self) -> str:
        """The task's id in its file."""
        return self._begin.task_id

    @property
    def attempt(self) -> int:
        """The attempt's number, from 1."""
        return self._begin.attempt

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of one task, and for no other task."""
        return f"{self._begin.tree_id}/{self._begin.task_id}"

    @property
    def params(self) -> Mapping[str, Any]:
        """The task's `params`."""
        if self._params is None:
            self._params = msgspec.json.decode(self._begin.params, type=dict[str, Any])
        return self._params

    @property
    def deadline(self) -> datetime | None:
        """When the time limit ends the attempt, aware UTC; None: it has no limit."""
        at = self._begin.deadline
        return None if at is None else datetime.fromtimestamp(at, UTC)

    @property
    def directory(self) -> Path:
        """The tree's own directory, which is there: the attempt runs in it."""
        return Path(self._begin.directory)

    @property
    def log(self) -> logging.Logger:
        """Writes to stderr, which is the attempt's log."""
        if self._log is None:
            name = f"inboxd.attempt.{self.task_id}"
            self._log = logging.Logger(name, logging.INFO)  # noqa: LOG001 - getLogger would keep it
            self._log.addHandler(_StandardError())
        return self._log

    @property
    def dependencies(self) -> Mapping[str, Any]:
        """The results of the tasks it depends on; asked for once, when first needed."""
        if self._dependencies is None and os.getpid() != self._pid:
            # Before the lock: a thread that is not in the copy may have held it.
            raise InboxdError(
                "context.dependencies: ask for them before the process forks; a child has no"
                " connection of its own"
            )
        with self._lock:
            if self._dependencies is None:
                self._dependencies = self._ask()
        return self._dependencies

    def progress(self, fraction: float | None, message: str = "") -> None:
        """Say how far the attempt is; of what comes close together, the last is sent."""
        if os.getpid() != self._pid:
            return
        said = progress_of(fraction, message)
        # Who only says how far he is, is not to fail for it; a daemon that is gone ends us anyway.
        with contextlib.suppress(Exception), self._lock:
            if self._is_over:
                return
            self._said = said
            left = self._sent_at + _PROGRESS_SECONDS - time.monotonic()
            if left <= 0:
                self._send_said()
            elif not self._is_timed:
                timer = threading.Timer(left, self._send_later)
                timer.daemon = True
                timer.start()
                self._timer, self._is_timed = timer, True

    def end(self) -> None:
        """Send the last progress, and nothing after it; what is called later does nothing."""
        self.cancelled = True
        with self._lock:
            self._is_over = True
            timer = self._timer
            with contextlib.suppress(OSError):
                self._send_said()
        if timer is not None:
            timer.cancel()
            timer.join()

    def _send_later(self) -> None:
        with contextlib.suppress(OSError), self._lock:
            self._is_timed = False
            self._send_said()

    def _send_said(self) -> None:
        """Send what is not sent yet; the lock is held."""
        said, self._said = self._said, None
        if said is not None:
            self._sent_at = time.monotonic()
            self._connection.send(
                Progress(turn=self._begin.turn, fraction=said.fraction, message=said.message)
            )

    def _ask(self) -> _Results:
        if self._is_over:
            raise InboxdError("context.dependencies: the attempt is over")
        self._connection.send(WantsDependencies(turn=self._begin.turn))
        answer: Any = self._connection.receive()
        if not isinstance(answer, Dependencies):
            raise InboxdError("context.dependencies: the daemon is gone")
        if answer.problem is not None:
            raise InboxdError(f"context.dependencies: {answer.problem}")
        return _Results(msgspec.json.decode(answer.results, type=dict[str, Any]), answer.names)


class _Results(Mapping[str, Any]):
    """Results by ids, which are the keys; a name that only one task has will do as well."""

    def __init__(self, results: dict[str, Any], names: dict[str, str]) -> None:
        self._results = results
        self._names = names

    def __getitem__(self, key: str) -> Any:
        if key in self._results:
            return self._results[key]
        return self._results[self._names[key]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return f"<dependencies: {', '.join(self._results)}>"


class _StandardError(logging.Handler):
    """Writes to descriptor 2, whatever has become of `sys.stderr`."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            at = rfc3339(from_micros(int(record.created * 1_000_000)))
            line = f"{at} {record.levelname} {self.format(record)}\n"
            os.write(2, line.encode("utf-8", "backslashreplace"))
