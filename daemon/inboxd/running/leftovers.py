"""What an earlier daemon left running: found and ended before its attempts are run again."""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import TYPE_CHECKING

import msgspec

from inboxd.running.command_end import remove_what_is_over
from inboxd.running.ending import living
from inboxd.running.locks import found_locks
from inboxd.running.paths import attempt_files
from inboxd.running.process_table import (
    ProcessFacts,
    every_process,
    holds_file,
    mark_of,
    process_facts,
    send_signal,
)
from inboxd.running.progress_file import ProgressFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

__all__ = ["end_leftovers"]

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.02
#: After this many seconds of SIGKILL a process hangs in the kernel, or is not ours to signal.
_KILL_SECONDS = 5.0


class _Traces(msgspec.Struct, frozen=True):
    """By what the processes of attempts are known."""

    #: (device, inode) of lock files.
    locks: frozenset[tuple[int, int]]
    #: (pid, start time) of their leaders.
    leaders: frozenset[tuple[int, int]]
    #: INBOXD_RESULT_FILE of each.
    marks: frozenset[str]


def end_leftovers(
    state: Path, attempts: Iterable[tuple[str, int, int]], *, grace_seconds: float = 10.0
) -> None:
    """
    End the processes of attempts that were in progress when an earlier daemon died.

    Called before anything is run; returns when nothing of them lives, at once when nothing does.
    What a signal does not reach is logged as an error and left.

    Args:
        state: the state directory, which this daemon owns: whoever holds a lock in it is left
            over, also of an attempt that is not named here.
        attempts: (tree id, position, number) of each attempt in progress.
        grace_seconds: between SIGTERM and SIGKILL.
    """
    files = [attempt_files(state, *attempt) for attempt in attempts]
    locks = list(found_locks(state))
    if files or any(lock.is_held for lock in locks):
        traces = _Traces(
            locks=frozenset(lock.identity for lock in locks),
            leaders=frozenset(lock.leader for lock in locks if lock.leader is not None),
            marks=frozenset(one.result for one in files),
        )
        _end(traces, grace_seconds)
    for one in files:
        remove_what_is_over(one)
        ProgressFile(one.progress).remove()


def _end(traces: _Traces, grace_seconds: float) -> None:
    kill_at = time.monotonic() + grace_seconds
    said: signal.Signals | None = None
    while left := _processes_of(traces):
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


def _processes_of(traces: _Traces) -> list[ProcessFacts]:
    """Return the processes that hold a lock, carry a mark, or lead, and what is below them."""
    roots: list[int] = []
    for pid in every_process():
        facts = None if pid == os.getpid() else process_facts(pid)
        if facts is not None and (
            (pid, facts.started) in traces.leaders
            or mark_of(pid) in traces.marks
            or holds_file(pid, traces.locks) is not None
        ):
            roots.append(pid)
    return living(roots)
