"""Reading the log of an attempt, once or until the attempt is over."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.cli.output import note
from inboxd.clock import SystemClock
from inboxd.errors import NotFound
from inboxd.names import escaped
from inboxd.running.logs import Dropped, attempt_log_paths, log_pieces
from inboxd.store.reasons import duration_text
from inboxd.task import TERMINAL_STATUSES, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.cli.render.log_output import LogOutput, Stream
    from inboxd.store.reader import StoreReader
    from inboxd.store.views import TaskView, TreeView

__all__ = ["AttemptLog", "await_attempt", "choose_attempt", "follow"]

#: While an attempt is followed its files are looked at ten times a second, the store four times.
_LOOK_SECONDS = 0.1
_ASK_SECONDS = 0.25


class AttemptLog:
    """The files of one attempt, each read from where the last reading ended."""

    def __init__(
        self, state: Path, tree: TreeView, task: TaskView, number: int, streams: Sequence[Stream]
    ) -> None:
        """Find the files of *streams*; nothing is opened yet."""
        out, err = attempt_log_paths(state, tree.id, task.position, number)
        paths: dict[Stream, Path] = {"stdout": out, "stderr": err}
        self._paths: dict[Stream, Path] = {stream: paths[stream] for stream in streams}
        self._read: dict[Stream, int] = dict.fromkeys(streams, 0)

    def has_both(self) -> bool:
        """Return whether both streams are asked for and hold something."""
        return len(self._paths) == 2 and all(_size(path) for path in self._paths.values())

    def copy_to(self, output: LogOutput) -> None:
        """Write what came since the last time, stdout before stderr."""
        for stream, path in self._paths.items():
            # Where no range can be freed, the middle is dropped by making the file shorter.
            start = min(self._read[stream], _size(path))
            for piece in log_pieces(path, start=start):
                output.write(stream, piece)
                start += piece.size if isinstance(piece, Dropped) else len(piece)
            self._read[stream] = start
        output.flush()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was read so far."""
        return not any(self._read.values())


def choose_attempt(task: TaskView, wanted: int | None, reason: str | None) -> int:
    """
    Return the number of the attempt that is meant: *wanted*, else the newest.

    Raises:
        NotFound: there is none, or none of this number yet; the text says why (*reason*).
    """
    if task.attempts == 0:
        why = f": {reason}" if reason else ""
        hint = "" if task.status in TERMINAL_STATUSES else "; -f waits for its start"
        raise NotFound(f'task "{escaped(task.id)}" was never started{why}{hint}')
    if wanted is not None and wanted > task.attempts:
        raise NotFound(
            f'task "{escaped(task.id)}" has no attempt {wanted}; its newest is {task.attempts}'
        )
    return task.attempts if wanted is None else wanted


def await_attempt(
    reader: StoreReader, tree: TreeView, task: TaskView, wanted: int | None
) -> TaskView:
    """
    Return the task as it is once the attempt that is meant has begun, or cannot begin any more.

    Waits as long as that takes; why it waits is said on stderr, once for each reason.
    """
    least = 1 if wanted is None else wanted
    said: str | None = None
    while task.attempts < least and task.status not in TERMINAL_STATUSES:
        reason = reader.task_reason(tree, task, now=SystemClock().now_micros()) or task.status.value
        kind = reason.split(" in ", 1)[0]  # a due time comes nearer all the time
        if kind != said:
            note(f"{escaped(task.id)} has not started: {reason}")
            said = kind
        time.sleep(_ASK_SECONDS)
        task = reader.find_task(tree, task.id)
    return task


def follow(
    reader: StoreReader,
    tree: TreeView,
    task: TaskView,
    number: int,
    *,
    log: AttemptLog,
    output: LogOutput,
) -> None:
    """Write the attempt's log as it grows, until the attempt is over; say how it ended."""
    asked_at = time.monotonic()
    while True:
        # Asked before the files are read: what it wrote before it ended is in what is read next.
        is_over = task.attempts != number or task.status is not TaskStatus.IN_PROGRESS
        log.copy_to(output)
        if is_over:
            break
        time.sleep(_LOOK_SECONDS)
        if time.monotonic() - asked_at >= _ASK_SECONDS:
            task = reader.find_task(tree, task.id)
            asked_at = time.monotonic()
    _tell_ending(reader, task, number)


def _tell_ending(reader: StoreReader, task: TaskView, number: int) -> None:
    for attempt in reader.task_attempts(task):
        if attempt.number == number and attempt.ended_at is not None:
            took = duration_text(attempt.ended_at - attempt.started_at)
            how = "completed" if attempt.error is None else escaped(attempt.error.message)
            note(f"attempt {number} of {escaped(task.id)} ended after {took}: {how}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
