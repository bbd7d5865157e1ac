"""Waiting for what the daemon answers: the receipt of a file, the result of its tree."""

from __future__ import annotations

import os
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.errors import DaemonNotReachable
from inboxd.inbox.file_names import RECEIPT_SUFFIX, RESULT_SUFFIX, plain_answer_name
from inboxd.names import display_file_name, escaped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "Receipt",
    "ResultHead",
    "TimedOut",
    "failures_of",
    "wait_for_receipt",
    "wait_for_result",
]

_PAUSE_SECONDS = 0.02
#: A daemon that is restarted comes back within this; one that was stopped does not.
_PATIENCE_SECONDS = 15.0
#: How often it is looked whether the daemon still runs, and progress is shown.
_TICK_SECONDS = 0.25


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What `submit` needs of a receipt (docs/explanation/intake.md)."""

    accepted: bool
    tree_id: str | None = None
    duplicate: bool = False
    errors: list[dict[str, Any]] = []

    def problems(self) -> list[str]:
        """Return one line for each error, safe to show."""
        return [_line_of(error) for error in self.errors]


class ResultHead(msgspec.Struct, frozen=True, kw_only=True):
    """What `submit --wait` needs of a result; its tasks, maybe a million, are skipped."""

    status: str
    counts: dict[str, int]


class _Error(msgspec.Struct, frozen=True):
    message: str


class _Task(msgspec.Struct, frozen=True):
    id: str
    status: str
    error: _Error | None = None


class _Tasks(msgspec.Struct, frozen=True):
    tasks: list[_Task]


class TimedOut(Exception):
    """The time that the person gave is over."""


def failures_of(result: bytes, *, most: int) -> list[tuple[str, str]]:
    """Return the first tasks that failed, as (id, why), from a result document; not yet escaped."""
    failed = (
        task for task in msgspec.json.decode(result, type=_Tasks).tasks if task.status == "failed"
    )
    return [
        (task.id, "failed" if task.error is None else task.error.message)
        for task in islice(failed, most)
    ]


def wait_for_receipt(inbox: Path, file_name: bytes, *, is_running: Callable[[], bool]) -> bytes:
    """
    Return the receipt of a file that was dropped, as soon as it is there.

    Args:
        inbox: the inbox.
        file_name: unique in it.
        is_running: whether there is a daemon that can answer.

    Raises:
        DaemonNotReachable: the daemon ended and did not come back.
    """
    name = os.fsdecode(plain_answer_name(file_name) + RECEIPT_SUFFIX)
    return _wait_for(
        [inbox / "accepted" / name, inbox / "rejected" / name],
        is_running=is_running,
        otherwise=(
            f"the daemon ended before it answered; {display_file_name(file_name)} stays in"
            f" {escaped(str(inbox))} and is taken when a daemon starts again"
        ),
    )


def wait_for_result(
    inbox: Path,
    file_name: bytes,
    *,
    is_running: Callable[[], bool],
    tick: Callable[[], None],
    timeout_seconds: float | None = None,
) -> bytes:
    """
    Return the result of the tree that a file became, as soon as it ended.

    Args:
        inbox: the inbox.
        file_name: unique in it.
        is_running: whether there is a daemon that can answer.
        tick: called some times a second.
        timeout_seconds: no longer than this; None: for ever.

    Raises:
        TimedOut: the tree had not ended by then.
        DaemonNotReachable: the daemon ended and did not come back.
    """
    name = os.fsdecode(plain_answer_name(file_name) + RESULT_SUFFIX)
    return _wait_for(
        [inbox / "results" / name],
        is_running=is_running,
        tick=tick,
        timeout_seconds=timeout_seconds,
        otherwise="the daemon ended before the tree did; it goes on when a daemon starts again",
    )


def _line_of(error: dict[str, Any]) -> str:
    text = str(error.get("message"))
    if error.get("hint"):
        text = f"{text}; {error['hint']}"
    if error.get("pointer"):
        text = f"{error['pointer']}: {text}"
    if error.get("line"):
        text = f"{text} (line {error['line']}, column {error.get('column')})"
    return escaped(text)


def _wait_for(
    paths: list[Path],
    *,
    is_running: Callable[[], bool],
    otherwise: str,
    tick: Callable[[], None] = lambda: None,
    timeout_seconds: float | None = None,
) -> bytes:
    last_tick = last_seen = begun = time.monotonic()
    while True:
        # The daemon is looked for before the answer is: one that answers and ends is no failure.
        now = time.monotonic()
        if now - last_tick >= _TICK_SECONDS:
            last_tick = now
            tick()
            if is_running():
                last_seen = now
        for path in paths:
            try:
                return path.read_bytes()
            except FileNotFoundError:
                continue
        if now - last_seen > _PATIENCE_SECONDS:
            raise DaemonNotReachable(otherwise)
        if timeout_seconds is not None and now - begun >= timeout_seconds:
            raise TimedOut
        time.sleep(_PAUSE_SECONDS)
