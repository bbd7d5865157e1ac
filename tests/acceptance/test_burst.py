"""Ten thousand files at once: each comes in once, and has its receipt and its result."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .real_daemon import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeDaemon

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


def names(directory: Path, suffix: str) -> set[str]:
    found = os.listdir(directory)  # noqa: PTH208 - 4 times faster
    return {name.removesuffix(suffix) for name in found if name.endswith(suffix)}


@pytest.mark.timeout(LIMIT_SECONDS + 60)
def test_a_burst_of_ten_thousand_files_is_taken_and_answered(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    daemon.start_and_wait()
    inbox = daemon.inbox
    subprocess.run([sys.executable, "-c", PRODUCER, str(inbox), str(FILES)], check=True)
    wait_until(
        lambda: len(names(inbox / "results", ".result.json")) == FILES, "results", LIMIT_SECONDS
    )
    status = daemon.stop()
    counted = daemon.rows(
        "SELECT count(*), count(DISTINCT file_name), group_concat(DISTINCT status) FROM trees"
    )
    expected = {str(number) for number in range(FILES)}

    assert status == 0
    assert "Traceback" not in daemon.log.read_text()
    assert counted == [(FILES, FILES, "completed")]
    assert names(inbox / "accepted", ".receipt.json") == expected
    assert names(inbox / "results", ".result.json") == expected
    assert [path.name for path in (inbox / ".claimed").iterdir()] == [".lock"]
