"""What a task costs in statements, commits and syncs: numbers that no machine changes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inboxd.task import TaskSpec
    from tests.unit.scheduling.conftest import Bed


def count_statements(bed: Bed) -> Counter[str]:
    """Count from now on what the database executes, by its first word and table."""
    counts: Counter[str] = Counter()
    driver: Any = bed.connection.connection.dbapi_connection

    def count(statement: str) -> None:
        words = re.findall(r"[A-Za-z_]+", statement)[:3]
        length = {"UPDATE": 2, "INSERT": 3}.get(words[0], 1)
        counts[" ".join(words[:length])] += 1

    driver.set_trace_callback(count)
    return counts


def test_independent_tasks_cost_three_writes_each_and_two_commits_a_batch(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    tasks, places = 1_000, 100
    bed = make_bed(async_places=places)
    bed.accept([make_spec(i, has_dependants=False) for i in range(tasks)])
    counts = count_statements(bed)
    bed.run_to_end()

    assert tasks * 2 == counts["UPDATE tasks"]
    assert tasks == counts["INSERT INTO attempts"]
    assert counts["COMMIT"] <= 2 * tasks / places
    assert counts["SELECT"] <= 4 * counts["COMMIT"]


def test_a_chain_costs_one_commit_a_task(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    tasks = 200
    bed = make_bed()
    bed.accept([make_spec(i, on_success=[i - 1] if i else []) for i in range(tasks)])
    counts = count_statements(bed)
    bed.run_to_end()

    assert counts["COMMIT"] <= tasks + 2
    assert counts["SELECT"] <= 5 * tasks


@pytest.mark.parametrize("small_tree", [0, 100_000])
def test_a_turn_does_not_cost_more_for_tasks_that_wait(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    steps: list[int] = []
    for waiting in (10, 1_500):
        bed = make_bed(small_tree=small_tree)
        bed.accept([make_spec(i, priority=i % 3) for i in range(waiting)], strict=True)
        bed.accept([make_spec(i, on_success=[0] if i else []) for i in range(waiting)])
        (attempt,) = bed.turn()
        bed.end(attempt)
        driver: Any = bed.connection.connection.dbapi_connection
        ticks = 0

        def tick() -> None:
            nonlocal ticks
            ticks += 1

        driver.set_progress_handler(tick, 1)
        bed.turn()
        driver.set_progress_handler(None, 1)
        steps.append(ticks)

    # Steps of SQLite's machine: a scan past what waits would cost hundreds of times more.
    assert steps[1] < 2 * steps[0]


_SYNCS = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from inboxd.clock import SystemClock
    from inboxd.config.settings import RunSettings
    from inboxd.scheduling.mailbox import Mailbox
    from inboxd.scheduling.turn import TurnListener
    from inboxd.scheduling.turns import Turns
    from inboxd.store.acceptance import TreeHeader, insert_small_tree
    from inboxd.store.engine import open_writer
    from inboxd.task import Completed, PlaceKind, TaskSpec

    connection = open_writer("sqlite:///" + sys.argv[1]).connect()
    clock, mailbox = SystemClock(), Mailbox(lambda: None)
    turns = Turns(connection, mailbox, clock=clock, settings=RunSettings(async_places=100),
                  executors={"noop": False}, listener=TurnListener())
    specs = [TaskSpec(position=i, id=f"t{i}", name=f"t{i}", executor="noop", kind=PlaceKind.ASYNC)
             for i in range(1000)]
    header = TreeHeader(public_id="x", task_count=1000, received_at=0)
    mailbox.write(lambda c: insert_small_tree(c, header, specs, clock.now_micros()))
    count = 0
    while True:
        attempts = turns.run()
        count += 1
        if not attempts and turns.is_idle:
            break
        mailbox.add_outcomes([(one, Completed(), clock.now_micros()) for one in attempts])
    print(count)
    """
)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_turn_costs_one_sync(empty_database: Path, tmp_path: Path) -> None:
    database = tmp_path / "inboxd.db"
    shutil.copy(empty_database, database)
    trace = tmp_path / "trace"
    done = subprocess.run(
        ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", trace, sys.executable, "-c", _SYNCS,
         database],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    turns = int(done.stdout)
    syncs = trace.read_text().count("sync(")

    # One for each commit; a few more for the first pages and the checkpoint at the end.
    assert 5 <= turns <= 25
    assert turns - 2 <= syncs <= turns + 8
