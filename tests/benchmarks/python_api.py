"""
What a no-op costs through the Python API, in a chain and beside others, by the size of the tree.

    python -m tests.benchmarks.python_api [--counts 1000 10000 50000] [--workloads W1 W2]
        [--kept DIRECTORY]

Each tree runs in a session of its own: a private one, or one on a store that is kept, in a file in
`--kept`. Prints a table in Markdown: microseconds a task, by the clock and of CPU (all threads).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd import TaskCreator, TaskManager, create_session

from .workloads import WORKLOADS, task_file

if TYPE_CHECKING:
    from collections.abc import Iterator


class Laps:
    """Seconds since the last lap, by the clock and of CPU."""

    def __init__(self) -> None:
        self._last = self._now()

    def next(self) -> tuple[float, float]:
        """Return the seconds of this lap, and begin another one."""
        now, before = self._now(), self._last
        self._last = now
        return now[0] - before[0], now[1] - before[1]

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


async def measure(workload: str, count: int, url: str | None) -> Iterator[tuple[float, float]]:
    """Return the laps of making the drafts, running the tree, and reading all of its tasks."""
    array = json.loads(task_file(workload, count))
    with create_session(url) as session:
        laps = Laps()
        trees = await TaskCreator(session).create_task_trees_from_array(array)
        made = laps.next()
        await TaskManager(session).distribute_task_tree(trees)
        ran = laps.next()
        ended = {(task.status, task.result, task.attempts) for task in trees.tasks()}
        read = laps.next()
    if ended != {("completed", None, 1)}:
        raise SystemExit(f"{workload} of {count} ended as {ended}")
    return iter((made, ran, read))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument("--workloads", nargs="+", default=["W1", "W2"], choices=list(WORKLOADS))
    parser.add_argument("--kept", type=Path, default=None, metavar="DIRECTORY")
    options = parser.parse_args()
    store = "a private store" if options.kept is None else "a store that is kept"
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, "
          f"{time.strftime('%Y-%m-%d')}; noop, {store}; µs a task: clock (CPU)\n")  # fmt: skip
    print("| workload | tasks | making the drafts | running | reading the handles |")
    print("|---|---|---|---|---|")
    for workload in options.workloads:
        for count in options.counts:
            with tempfile.TemporaryDirectory(prefix="inboxd-bench-", dir=options.kept) as directory:
                url = None if options.kept is None else f"sqlite:///{directory}/kept.db"
                laps = asyncio.run(measure(workload, count, url))
            cells = (f"{wall / count * 1e6:,.0f} ({cpu / count * 1e6:,.0f})" for wall, cpu in laps)
            print(f"| {workload} {WORKLOADS[workload]} | {count:,} | {' | '.join(cells)} |",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
