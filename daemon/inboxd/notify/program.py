"""One run of the program of `[notify]`: started, given its document, ended in time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, BinaryIO

from inboxd.names import escaped

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["CUT_GRACE_SECONDS", "run_program"]

#: A program that runs longer is ended, and tried again.
RUN_SECONDS = 60.0
#: Between SIGTERM and SIGKILL; in a stop of the daemon, which has little time, the second.
_GRACE_SECONDS = 2.0
CUT_GRACE_SECONDS = 1.0
#: How often a stop of the daemon is looked for while it runs.
_LOOK_SECONDS = 0.2
#: How often its end is looked for once it was signalled.
_END_LOOK_SECONDS = 0.02
#: Of what it printed, so much stands in the reason.
_MOST_OUTPUT_BYTES = 2_000


def run_program(
    argv: Sequence[str],
    document: Path,
    variables: Mapping[str, str],
    *,
    cut: threading.Event,
    limit_seconds: float = RUN_SECONDS,
) -> str | None:
    """
    Run a program and return why it failed, one sentence; None: it exited with 0.

    Args:
        argv: the program and its arguments; no shell takes part.
        document: the file that it reads on stdin.
        variables: added to the daemon's own environment.
        cut: when set, the program is ended.
        limit_seconds: how long it may run.
    """
    with document.open("rb") as stdin, tempfile.TemporaryFile() as output:
        try:
            # A group of its own, to be ended whole; the daemon's session, so that who looks for
            # what commands left behind sees that it is none of these.
            process = subprocess.Popen(
                list(argv),
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={**os.environ, **variables},
                process_group=0,
            )
        except (OSError, ValueError) as error:
            return f"{escaped(argv[0])} cannot be started: {escaped(str(error))}"
        reason = _wait(process, cut, limit_seconds)
        if reason is None and process.returncode == 0:
            return None
        if reason is None:
            reason = _status(process.returncode)
        said = _last_words(output)
        return f"{reason}: {said}" if said else reason


def _wait(
    process: subprocess.Popen[bytes], cut: threading.Event, limit_seconds: float
) -> str | None:
    """Wait for the end, or bring it about; return why that was needed."""
    left = limit_seconds
    while left > 0 and not cut.is_set():
        try:
            process.wait(min(left, _LOOK_SECONDS))
        except subprocess.TimeoutExpired:
            left -= _LOOK_SECONDS
        else:
            return None
    is_cut = cut.is_set()
    _end_group(process.pid, CUT_GRACE_SECONDS if is_cut else _GRACE_SECONDS)
    process.wait()
    if is_cut:
        return "it was ended by the stop of the daemon"
    return f"it was ended after {limit_seconds:g} s"


def _end_group(pid: int, grace_seconds: float) -> None:
    """End a group by SIGTERM; by SIGKILL once its leader ended, or did not in time."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    # Not waited for to its end: as long as the leader is a zombie no other group gets its number.
    look = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, pid, look) is None and time.monotonic() < deadline:
        time.sleep(_END_LOOK_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _status(code: int) -> str:
    if code >= 0:
        return f"it exited with status {code}"
    try:
        return f"it was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was ended by signal {-code}"


def _last_words(output: BinaryIO) -> str:
    """Return the end of what it printed, on one line."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _MOST_OUTPUT_BYTES))
    lines = output.read().decode("utf-8", "replace").split("\n")
    return escaped(" / ".join(line.strip() for line in lines if line.strip()))
