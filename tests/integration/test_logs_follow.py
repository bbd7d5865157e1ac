"""`inboxd logs -f` as its own process: it waits for a start, and Ctrl-C ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING

import pytest

from inboxd.running.logs import attempt_log_paths
from inboxd.store.tables import TaskState

from ..unit.store.build_store import StoreBuilder, TaskRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreBuilder]:
    builder = StoreBuilder(tmp_path)
    yield builder
    builder.close()


@pytest.fixture
def following(store: StoreBuilder, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Give a process that follows a task that has not started, and the tree's id."""
    tree = store.add_tree([TaskRow(id="a", state=TaskState.READY)])
    environ = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "inboxd", "logs", "-f", "@/a", "--state", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    )
    wait_for_line(process.stderr, b"a has not started: ready\n")
    yield process, tree
    process.kill()
    process.communicate()


def wait_for_line(stream: IO[bytes] | None, wanted: bytes) -> None:
    assert stream is not None
    for line in stream:
        if line == wanted:
            return
    raise AssertionError(wanted)


def test_a_task_that_has_not_started_is_waited_for(
    following: tuple[subprocess.Popen[bytes], str], store: StoreBuilder, tmp_path: Path
) -> None:
    process, tree = following
    out, _ = attempt_log_paths(tmp_path, tree, 0, 1)
    out.parent.mkdir(parents=True)
    out.write_bytes(b"begun\n")
    store.execute("UPDATE tasks SET state = 10, attempt = 1, started_at = 1 WHERE id = 1")
    wait_for_line(process.stdout, b"begun\n")

    with out.open("ab") as file:
        file.write(b"\x00 and on\n")
    store.execute("UPDATE tasks SET state = 20 WHERE id = 1")

    assert process.communicate(timeout=60)[0] == b"\x00 and on\n"
    assert process.returncode == 0


def test_ctrl_c_ends_it_with_130(following: tuple[subprocess.Popen[bytes], str]) -> None:
    process, _ = following
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert b"Traceback" not in err
