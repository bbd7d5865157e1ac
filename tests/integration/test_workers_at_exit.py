"""A user's program that ends while attempts of every kind run: nothing of them is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inboxd.running.process_table import every_process

from .worker_bed import PLUGINS

#: Runs attempts of every kind, waits until all are under way, and ends as its argument says.
_PROGRAM = """
import asyncio, atexit, sys, threading, time
from pathlib import Path
import msgspec
from inboxd.clock import SystemClock
from inboxd.config.settings import RunSettings
from inboxd.executors.command import Command
from inboxd.running.attempt import Attempt
from inboxd.running.runner import Runner
from inboxd.running.worker_messages import WorkerSource
import worker_sample

state, how = Path(sys.argv[1]), sys.argv[2]
begun = threading.Semaphore(0)

class Calls:
    description, inputs_schema = "Calls a function.", None
    def __init__(self, name, isolation, function):
        self.name, self.isolation, self.execute = name, isolation, function

def stays(inputs, context):
    begun.release()
    while True:
        time.sleep(0.05)

def sleeps(inputs, context):
    begun.release()
    time.sleep(600)

async def waits(inputs, context):
    begun.release()
    await asyncio.Event().wait()

async def ignores(inputs, context):
    begun.release()
    while True:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            pass

executors = [
    Command(), worker_sample.sample, Calls("stays", "thread", stays),
    Calls("sleeps", "thread", sleeps), Calls("waits", "async", waits),
    Calls("ignores", "async", ignores),
]
runner = Runner(
    executors={one.name: one for one in executors}, settings=RunSettings(grace_seconds=0.3),
    state=state, on_outcomes=lambda ended: None, clock=SystemClock(), owns_process=False,
    source_of=lambda name: WorkerSource(
        executor=name, group="inboxd", name=name, value="worker_sample:sample"
    ),
)
runner.start()
atexit.register(runner.stop)
inputs = {
    "command": {"script": "trap '' TERM; (setsid sleep 600 &); echo >command; sleep 600"},
    "sample": {"do": "loop"}, "stays": {}, "sleeps": {}, "waits": {}, "ignores": {},
}
tree = "0192f0c0-0000-7000-8000-000000000001"

async def main():
    runner.run([
        Attempt(
            task=number, tree=1, tree_id=tree, task_id=name, position=number, number=1,
            start_seq=number, started_at=0, executor=name, inputs=msgspec.json.encode(given),
        )
        for number, (name, given) in enumerate(inputs.items())
    ])
    for _ in range(4):
        begun.acquire()
    while not all((state / "trees" / tree / name).exists() for name in ("command", "up")):
        await asyncio.sleep(0.01)

asyncio.run(main())
if how == "raise":
    raise KeyboardInterrupt
"""


@pytest.mark.parametrize(("how", "status"), [("return", 0), ("raise", -2)])
def test_a_program_ends_with_all_that_it_runs(tmp_path: Path, how: str, status: int) -> None:
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", _PROGRAM, str(tmp_path), how],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PLUGINS)},
    )
    said = [line for line in ended.stderr.splitlines() if not line.startswith("  ")]
    traceback = ["Traceback (most recent call last):", "KeyboardInterrupt"]

    assert ended.returncode == status
    assert said == [
        *(traceback if how == "raise" else []),
        "attempt does not end: its executor ignores that it is cancelled",
    ]
    assert time.monotonic() - started < 30
    assert _of_state(tmp_path) == []


def _of_state(state: Path) -> list[str]:
    """Return the command lines of processes that name the state directory somewhere."""
    found: list[str] = []
    for pid in every_process():
        try:
            texts = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline")]
        except OSError:
            continue
        if any(os.fsencode(state) in text for text in texts) and pid != os.getpid():
            found.append(texts[1].decode(errors="replace"))
    return found
