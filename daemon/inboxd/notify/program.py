"""One run of the program of `[notify]`: started, given its document, ended in time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING, BinaryIO

from inboxd.names import escaped

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["run_program"]

#: A program that runs longer is ended, and tried again.
RUN_SECONDS = 60.0
#: Between SIGTERM and SIGKILL.
_GRACE_SECONDS = 2.0
#: How often a stop of the daemon is looked for while it runs.
_LOOK_SECONDS = 0.2
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
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
            break
    if cut.is_set():
        return "the daemon stopped while it ran"
    return f"it was ended after {limit_seconds:g} s"


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
