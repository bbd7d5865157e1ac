"""What an earlier daemon left running: found and ended before its attempts are run again."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from typing import TYPE_CHECKING

from inboxd.running.command_end import remove_what_is_over
from inboxd.running.ending import living
from inboxd.running.paths import AttemptFiles, attempt_files
from inboxd.running.process_table import (
    ProcessFacts,
    boot_id,
    every_process,
    holds_file,
    mark_of,
    process_facts,
    send_signal,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

__all__ = ["end_leftovers"]

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.02
#: After this many seconds of SIGKILL a process hangs in the kernel, or is not ours to signal.
_KILL_SECONDS = 5.0


class _Leftover:
    """An attempt whose lock file is still there."""

    __slots__ = ("files", "identity", "leader")

    def __init__(self, files: AttemptFiles) -> None:
        self.files = files
        status = os.stat(files.lock)  # noqa: PTH116 - a string, see AttemptFiles
        self.identity = (status.st_dev, status.st_ino)
        #: (pid, start time); None when the daemon died before it was written.
        self.leader = _leader(files.lock)


def end_leftovers(
    state: Path, attempts: Iterable[tuple[str, int, int]], *, grace_seconds: float = 10.0
) -> None:
    """
    End the processes of attempts that were in progress when an earlier daemon died.

    Called before anything of them is run again; returns when nothing of them lives, at once when
    nothing does. What a signal does not reach is logged as an error and left.

    Args:
        state: the state directory.
        attempts: (tree id, position, number) of each.
        grace_seconds: between SIGTERM and SIGKILL.
    """
    leftovers: list[_Leftover] = []
    for tree_id, position, number in attempts:
        # No lock file: it was not started yet, or was over.
        with contextlib.suppress(FileNotFoundError):
            leftovers.append(_Leftover(attempt_files(state, tree_id, position, number)))
    if leftovers:
        _end(leftovers, grace_seconds)
    for leftover in leftovers:
        remove_what_is_over(leftover.files)


def _end(leftovers: Collection[_Leftover], grace_seconds: float) -> None:
    kill_at = time.monotonic() + grace_seconds
    said: signal.Signals | None = None
    while left := _processes_of(leftovers):
        now = time.monotonic()
        if now >= kill_at + _KILL_SECONDS:
            _say(logging.ERROR, "processes do not end", left)
            return
        number = signal.SIGKILL if now >= kill_at else signal.SIGTERM
        if number != said:
            _say(logging.WARNING, f"{number.name} to what an earlier daemon left running", left)
        # SIGTERM once: many programs take a second one as an order to drop everything.
        if number != said or number == signal.SIGKILL:
            for facts in left:
                send_signal(facts, number)
        said = number
        time.sleep(_PAUSE_SECONDS)


def _say(level: int, message: str, left: Collection[ProcessFacts]) -> None:
    facts = {"event": "leftovers", "pids": [one.pid for one in left]}
    logger.log(level, message, extra=facts)


def _processes_of(leftovers: Collection[_Leftover]) -> list[ProcessFacts]:
    """Return the processes that hold a lock, carry a mark, or lead, and what is below them."""
    locks = {one.identity for one in leftovers}
    marks = {one.files.result for one in leftovers}
    leaders = {one.leader for one in leftovers}
    roots: list[int] = []
    for pid in every_process():
        facts = None if pid == os.getpid() else process_facts(pid)
        if facts is not None and (
            (pid, facts.started) in leaders
            or mark_of(pid) in marks
            or holds_file(pid, locks) is not None
        ):
            roots.append(pid)
    return living(roots)


def _leader(lock: str) -> tuple[int, int] | None:
    """Return pid and start time out of a lock file; None without them, or of an earlier boot."""
    try:
        with open(lock, "rb") as file:  # noqa: PTH123 - a string, see AttemptFiles
            pid, started, boot = file.read(200).split()
            return (int(pid), int(started)) if boot == boot_id() else None
    except (OSError, ValueError):
        return None
