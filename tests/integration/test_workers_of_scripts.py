"""A script whose session runs executors of its own modules in worker processes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_JOBS = """
import os
from inboxd import executor

@executor("where", isolation="process")
def where(inputs, context):
    return {"pid": os.getpid(), "parent": os.getppid()}

@executor("doubled", isolation="process")
class Doubled:
    async def execute(self, inputs, context):
        return 2 * inputs["n"]
"""

_SCRIPT = """
import asyncio, json, os
import jobs
from inboxd import InvalidTaskArray, TaskCreator, TaskManager, create_session, executor

@executor("mine", isolation="process")
def mine(inputs, context):
    return 1

async def main():
    with create_session() as db:
        creator, manager = TaskCreator(db), TaskManager(db)
        told = {"pid": os.getpid()}
        for name in ("where", "doubled"):
            tree = await creator.create_task_tree_from_array([{"name": name, "inputs": {"n": 21}}])
            await manager.distribute_task_tree(tree)
            told[name] = tree.task.result
        try:
            tree = await creator.create_task_tree_from_array([{"name": "a", "executor": "mine"}])
            await manager.distribute_task_tree(tree)
        except InvalidTaskArray as error:
            told["mine"] = str(error)
        print(json.dumps(told))

asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["its own directory", "another one"])
def test_a_worker_imports_what_the_script_can_import(tmp_path: Path, where: str) -> None:
    """The script's directory too, which the daemon would not give to its workers."""
    (tmp_path / "jobs.py").write_text(_JOBS)
    (tmp_path / "script.py").write_text(_SCRIPT)
    (tmp_path / "elsewhere").mkdir()
    is_here = where == "its own directory"
    ended = subprocess.run(
        [sys.executable, "script.py" if is_here else "../script.py"],
        cwd=tmp_path if is_here else tmp_path / "elsewhere",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    told = json.loads(ended.stdout)

    assert told["where"]["parent"] == told["pid"]
    assert told["where"]["pid"] != told["pid"]
    assert told["doubled"] == 42
    assert "it is defined in the script that was started" in told["mine"]
    assert "move it to the top level of a module of its own" in told["mine"]
