"""`context.log`: a logger whose records go into the attempt's own log, beside what it prints."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from inboxd.clock import from_micros, rfc3339
from inboxd.names import escaped
from inboxd.running.logs import bound_log
from inboxd.running.paths import attempt_files, make_private_directory

if TYPE_CHECKING:
    from pathlib import Path

    from inboxd.running.attempt import Attempt

__all__ = ["attempt_logger"]

logger = logging.getLogger(__name__)

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def attempt_logger(attempt: Attempt, *, state: Path, max_output_bytes: int) -> logging.Logger:
    """
    Return a logger for one attempt: INFO and above go to its stderr file, made when first written.

    It is nobody's child and in no registry, so it goes with the attempt that holds it.
    """
    name = f"inboxd.attempt.{attempt.task_id}"
    own = logging.Logger(name, logging.INFO)  # noqa: LOG001 - getLogger would keep it for ever
    own.addHandler(_AttemptHandler(attempt, state, max_output_bytes))
    return own


class _Formatter(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return rfc3339(from_micros(int(record.created * 1_000_000)))


class _AttemptHandler(logging.Handler):
    """Opens the file for each record: attempts by the thousand hold no descriptor for it."""

    def __init__(self, attempt: Attempt, state: Path, max_output_bytes: int) -> None:
        super().__init__()
        self.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._attempt = attempt
        self._files = attempt_files(state, attempt.tree_id, attempt.position, attempt.number)
        self._max_output_bytes = max_output_bytes
        self._bound_at = max_output_bytes
        self._has_failed = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
            size = self._append(line)
            if size > self._bound_at:
                bound_log(self._files.err, max_bytes=self._max_output_bytes)
                # The size stays as it was: bounded again when a quarter more was written.
                self._bound_at = size + self._max_output_bytes // 4
        except Exception as error:  # the log of an attempt must not end the attempt
            if not self._has_failed:  # said once: what follows would say the same
                self._has_failed = True
                logger.warning(
                    "the log of an attempt cannot be written: %s",
                    escaped(str(error)),
                    extra={
                        "event": "attempt_log_failed",
                        "tree": self._attempt.tree_id,
                        "task": self._attempt.task_id,
                        "attempt": self._attempt.number,
                    },
                )

    def _append(self, line: bytes) -> int:
        """Write at the end, and return where that is now."""
        try:
            descriptor = os.open(self._files.err, _APPEND, 0o600)
        except FileNotFoundError:
            make_private_directory(self._files.directory)
            descriptor = os.open(self._files.err, _APPEND, 0o600)
        try:
            view = memoryview(line)
            while view:
                view = view[os.write(descriptor, view) :]
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
