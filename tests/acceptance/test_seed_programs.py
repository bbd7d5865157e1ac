"""
The six programs of the page that `inboxd` follows do what it says, as they are written.

They are taken from the page itself, which lies beside the checkout and is no part of the project.
Only the name of the import is replaced. Their executors come from a plugin behind an entry point,
which records what happened (`page_plugin/`). What must wait for another task is seen to wait where
that one takes its time (`PAGE_SLOW`). Programs of our own with the same graphs are in the docs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from .seed_programs import programs_of_page

ROOT = Path(__file__).parents[2]
PAGE = ROOT.parent / "shared" / "seed" / "task-tree-examples.txt"
PLUGIN = Path(__file__).parent / "page_plugin"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason=f"the page is not there: {PAGE}")

#: Runs a program whose trees are distributed with `strict_priority`, which none of them asks for.
STRICTLY = """
import functools, runpy
from inboxd import TaskManager

TaskManager.distribute_task_tree = functools.partialmethod(
    TaskManager.distribute_task_tree, strict_priority=True
)
runpy.run_path("program.py", run_name="__main__")
"""

#: Runs a program whose task `primary_service` may fail; ends by the status of its tree.
ALLOWED_TO_FAIL = """
import runpy
from inboxd import TaskManager
from inboxd.api.repository import TaskRepository

create_task = TaskRepository.create_task
distribute_task_tree = TaskManager.distribute_task_tree

async def create(self, *, name, **fields):
    may_fail = name == "primary_service"
    return await create_task(self, name=name, allow_failure=may_fail, **fields)

async def distribute(self, tree):
    result = await distribute_task_tree(self, tree)
    print(result.calculate_status())
    return result

TaskRepository.create_task = create
TaskManager.distribute_task_tree = distribute
runpy.run_path("program.py", run_name="__main__")
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a program printed, and what its plugin recorded."""

    #: Its lines.
    printed: list[str]
    record: list[dict[str, Any]]

    @property
    def told(self) -> list[str]:
        """What it printed after its own words, which are the page's."""
        return [line.rpartition(": ")[2] for line in self.printed]

    @property
    def times(self) -> dict[str, tuple[float, float]]:
        """When each executor began and ended, monotonic, in seconds."""
        steps = [line for line in self.record if line["what"] == "step"]
        found = {line["name"]: (line["began_at"], line["ended_at"]) for line in steps}
        assert len(found) == len(steps), "an executor ran twice"
        return found

    @property
    def started(self) -> list[str]:
        """The executors by `start_seq`."""
        starts = [line for line in self.record if line["what"] == "start"]
        return [line["name"] for line in sorted(starts, key=lambda line: int(line["start_seq"]))]

    @property
    def trees(self) -> list[tuple[str, dict[str, int]]]:
        """The status of each tree, and how many of its tasks ended how."""
        return [(each["status"], each["counts"]) for each in self.record if each["what"] == "tree"]

    def assert_one_after_the_other(self, *names: str) -> None:
        """Fail unless each of these began after the one before it had ended."""
        for before, after in pairwise(names):
            assert self.times[before][1] <= self.times[after][0], f"{after} before {before} ended"


RunProgram = Callable[..., Run]


@pytest.fixture(scope="module")
def programs() -> list[str]:
    found = programs_of_page(PAGE.read_text())
    assert len(found) == 6
    return [program.replace("aipartnerupflow", "inboxd") for program in found]


@pytest.fixture
def run(tmp_path: Path, programs: list[str]) -> RunProgram:
    """Give a function that runs a program of the page as its reader does."""

    def run(number: int, *, driver: str | None = None, **settings: object) -> Run:
        (tmp_path / "program.py").write_text(programs[number - 1])
        (tmp_path / "driver.py").write_text(driver or "")
        record = tmp_path / "record"
        ended = subprocess.run(
            [sys.executable, "program.py" if driver is None else "driver.py"],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(PLUGIN),
                "PAGE_RECORD": str(record),
                **{name: str(value) for name, value in settings.items()},
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        # What a failed task is worth saying goes to the log, which nobody configured here.
        assert "PAGE_FAIL" in settings or ended.stderr == ""
        lines = record.read_text().splitlines()
        return Run(printed=ended.stdout.splitlines(), record=[json.loads(line) for line in lines])

    return run


def test_first_a_pipeline_runs_in_order(run: RunProgram) -> None:
    ran = run(1, PAGE_SLOW="fetch_data,process_data")

    assert ran.told == ["completed"]
    assert ran.started == ["fetch_data", "process_data", "save_results"]
    ran.assert_one_after_the_other("fetch_data", "process_data", "save_results")
    assert ran.trees == [("completed", {"completed": 3})]


def test_second_tasks_without_dependencies_overlap(run: RunProgram) -> None:
    ran = run(2, PAGE_SLOW="fetch_api_a,fetch_api_b")
    a, b = ran.times["fetch_api_a"], ran.times["fetch_api_b"]

    assert ran.told == ["completed"]
    assert max(a[1], b[1]) - min(a[0], b[0]) < 0.5
    assert max(a[0], b[0]) < min(a[1], b[1])
    ran.assert_one_after_the_other("fetch_api_a", "merge_results")
    ran.assert_one_after_the_other("fetch_api_b", "merge_results")
    assert ran.started == ["root_task", "fetch_api_a", "fetch_api_b", "merge_results"]


#: By their priorities: 0, 1, 2, 3. The root is a task like any other.
BY_PRIORITY = ["urgent_task", "root_task", "normal_task", "low_task"]


def test_third_with_one_place_tasks_run_by_priority(run: RunProgram) -> None:
    ran = run(3, INBOXD_RUN__PLACES=1)

    assert ran.started == BY_PRIORITY
    ran.assert_one_after_the_other(*BY_PRIORITY)
    assert ran.trees == [("completed", {"completed": 4})]


def test_third_with_many_places_tasks_start_by_priority(run: RunProgram) -> None:
    ran = run(3, INBOXD_RUN__PLACES=16)

    assert ran.started == BY_PRIORITY
    assert ran.trees == [("completed", {"completed": 4})]


def test_third_strictly_one_ends_before_the_next_begins(run: RunProgram) -> None:
    # Each takes its time: without strict_priority they would overlap.
    ran = run(3, driver=STRICTLY, INBOXD_RUN__PLACES=16, PAGE_SLOW=",".join(BY_PRIORITY))

    assert ran.started == BY_PRIORITY
    ran.assert_one_after_the_other(*BY_PRIORITY)


PHASES = [
    ("collect_source1", "process_data"),
    ("collect_source2", "process_data"),
    ("process_data", "validate_data"),
    ("process_data", "save_data"),
    ("save_data", "notify"),
    ("validate_data", "notify"),
]


def test_fourth_phases_follow_each_other(run: RunProgram) -> None:
    ran = run(4, PAGE_SLOW="collect_source1,process_data,save_data")

    assert ran.told == ["completed"]
    for before, after in PHASES:
        ran.assert_one_after_the_other(before, after)
    assert ran.trees == [("completed", {"completed": 7})]


def test_fourth_notifies_after_a_validation_that_fails(run: RunProgram) -> None:
    # It takes longer than save_data, and notify waits for it all the same.
    ran = run(4, PAGE_SLOW="validate_data", PAGE_FAIL="validate_data")

    for before, after in PHASES:
        ran.assert_one_after_the_other(before, after)
    assert ran.told == ["failed"]
    assert ran.trees == [("failed", {"completed": 6, "failed": 1})]


@pytest.fixture
def prints(programs: list[str]) -> list[str]:
    """What the fifth program can print: that the primary failed, that the final task completed."""
    found = re.findall(r'print\("(.*)"\)', programs[4])
    assert len(found) == 2
    return found


def test_fifth_falls_back_when_the_primary_fails(run: RunProgram, prints: list[str]) -> None:
    ran = run(5, PAGE_SLOW="primary_service,fallback_service", PAGE_FAIL="primary_service")

    assert ran.printed == prints
    ran.assert_one_after_the_other("primary_service", "fallback_service", "finalize")
    assert ran.trees == [("failed", {"completed": 2, "failed": 1})]


def test_fifth_completes_when_the_primary_may_fail(run: RunProgram, prints: list[str]) -> None:
    ran = run(5, driver=ALLOWED_TO_FAIL, PAGE_FAIL="primary_service")

    assert ran.printed == ["completed", *prints]
    assert ran.trees == [("completed", {"completed": 2, "failed": 1})]


def test_fifth_prints_once_when_the_primary_completes(run: RunProgram, prints: list[str]) -> None:
    ran = run(5, PAGE_SLOW="primary_service,fallback_service")

    assert ran.printed == prints[1:]
    ran.assert_one_after_the_other("primary_service", "fallback_service", "finalize")


def test_sixth_an_array_runs_as_a_tree(run: RunProgram) -> None:
    ran = run(6, PAGE_SLOW="fetch_data,process_data")

    assert ran.told == ["completed"]
    assert ran.started == ["fetch_data", "process_data", "save_results"]
    ran.assert_one_after_the_other("fetch_data", "process_data", "save_results")
