"""Ten thousand files at once: each comes in once, and has its receipt and its result."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = 10_000

#: A machine that tests other things meanwhile takes a good part of this; a quiet one ten seconds.
LIMIT_SECONDS = 400.0

#: Drops as fast as one program can: the kernel's queue holds 16,384 events, two for each file.
PRODUCER = """
import os, sys
inbox, count = sys.argv[1], int(sys.argv[2])
for number in range(count):
    with open(f"{inbox}/.drop", "w") as file:
        file.write('[{"id": "t%d", "executor": "noop"}]' % number)
    os.rename(f"{inbox}/.drop", f"{inbox}/{number}.json")
"""


def count(directory: Path, suffix: str) -> int:
    return sum(name.endswith(suffix) for name in os.listdir(directory))  # noqa: PTH208 - 4 times faster


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.1)


@pytest.mark.timeout(LIMIT_SECONDS + 60)
def test_a_burst_of_ten_thousand_files_is_taken_and_answered(tmp_path: Path) -> None:
    inbox, state = tmp_path / "inbox", tmp_path / "state"
    inbox.mkdir()
    command = [sys.executable, "-m", "inboxd", "run", "--inbox", str(inbox), "--state", str(state)]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stderr=log) as daemon:
        try:
            wait_until(lambda: (inbox / "results").is_dir(), "the sub-directories")
            subprocess.run([sys.executable, "-c", PRODUCER, str(inbox), str(FILES)], check=True)
            wait_until(lambda: count(inbox / "results", ".result.json") == FILES, "the results")
        finally:
            daemon.send_signal(signal.SIGTERM)
            status = daemon.wait(60)
    connection = sqlite3.connect(state / "inboxd.db")
    names, statuses = connection.execute(
        "SELECT count(DISTINCT file_name), group_concat(DISTINCT status) FROM trees"
    ).fetchone()
    trees = connection.execute("SELECT count(*) FROM trees").fetchone()[0]
    connection.close()

    assert status == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert (trees, names, statuses) == (FILES, FILES, "completed")
    assert count(inbox / "accepted", ".receipt.json") == FILES
    assert count(inbox / "accepted", ".json") == 2 * FILES
    assert [path.name for path in (inbox / ".claimed").iterdir()] == [".lock"]
