"""Whatever ends a program that uses a session, nothing is left, and nothing is said that it did."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxd import TaskManager, TaskTreeNode, create_session

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = Path(__file__).with_name("api_programs.py")


@pytest.fixture
def ended(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program with its own directory for temporary files, to its end."""
    (tmp_path / "tmp").mkdir()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", str(PROGRAM), *arguments],
            env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


NAMES = ("first", "second", "third")
FORKED = "this process was forked from the one that has the session"


@pytest.mark.parametrize(
    ("program", "status", "said", "complained"),
    [
        ("exit_while_it_is_open", 3, ["completed"], None),
        ("raise_while_it_is_open", 1, [], "LookupError: its own"),
        ("interrupt_a_command", 0, ["interrupted"], None),
        ("fork_and_go_on", 0, [FORKED, "4", "completed", "0 completed"], None),
    ],
)
def test_nothing_is_left_and_nothing_is_said(
    ended: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    program: str,
    status: int,
    said: list[str],
    complained: str | None,
) -> None:
    result = ended(program)
    lines = result.stdout.splitlines()
    errors = result.stderr.splitlines()

    assert (result.returncode, [line.partition(",")[0] for line in lines]) == (status, said)
    # Its own traceback, whole, and not a word of ours.
    assert errors[-1:] == ([] if complained is None else [complained])
    assert sum("Traceback" in line for line in errors) == len(errors[-1:])
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_kill_leaves_what_the_next_session_clears_and_a_retry_runs(
    ended: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = tmp_path / "kept" / "x.db"
    database.parent.mkdir()
    killed = ended("be_killed", f"sqlite:///{database}")
    pids = [int(pid) for pid in killed.stdout.split()]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))

    assert killed.returncode == -9
    assert len(pids) == 2
    assert [_is_alive(pid) for pid in pids] == [True, True]
    assert len(list((tmp_path / "tmp").iterdir())) == 1

    with create_session():
        alive = [_is_alive(pid) for pid in pids]
        left = [path for path in (tmp_path / "tmp").iterdir() if "alive" in _names_below(path)]

    assert alive.count(True) == 1, "the private session's command was not ended"
    assert left == []
    assert _states_when_opened(f"sqlite:///{database}") == {
        "first": ("failed", "interrupted"),
        "second": ("pending", None),
        "third": ("pending", None),
    }
    assert [_is_alive(pid) for pid in pids] == [False, False]
    assert set(_states_when_opened(f"sqlite:///{database}", retry=True).values()) == {
        ("completed", None)
    }


def _states_when_opened(url: str, *, retry: bool = False) -> dict[str, tuple[str, str | None]]:
    """Open a kept store, look what there is when nothing goes on, and close it."""
    with create_session(url) as session:
        manager = TaskManager(session)

        async def look() -> dict[str, tuple[str, str | None]]:
            found = [await manager.task_repository.get_task_by_id(name) for name in NAMES]
            if retry:
                await manager.retry(await manager.task_repository.get_task_tree(found[0]))
            # Whatever would go on by itself would have begun before this ended.
            other = await manager.task_repository.create_task(name="other", executor="noop")
            await manager.distribute_task_tree(TaskTreeNode(other))
            return {
                task.id: (task.status.value, None if task.error is None else task.error.code.value)
                for task in found
            }

        return asyncio.run(look())


def _names_below(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*")}


def _is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
