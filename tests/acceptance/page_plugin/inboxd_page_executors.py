"""
The executors of the task trees that the page shows, and a record of what happened.

`PAGE_RECORD` names the file of the record: a JSON object a line, each appended by one write, so
that threads and processes may share it. `PAGE_SLOW` and `PAGE_FAIL` are names of executors with
commas between: those that take 0.3 s, and those that fail.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from inboxd import Isolation, NoRetry, hookimpl

if TYPE_CHECKING:
    from inboxd import TaskContext, ToldAttempt, ToldTask, ToldTree

NAMES = (
    "collect_source1",
    "collect_source2",
    "data_collection",
    "fallback_service",
    "fetch_api_a",
    "fetch_api_b",
    "fetch_data",
    "finalize",
    "low_task",
    "merge_results",
    "normal_task",
    "notify",
    "primary_service",
    "process_data",
    "root_task",
    "save_data",
    "save_results",
    "urgent_task",
    "validate_data",
)

SLOW_SECONDS = 0.3


class Step:
    """Records when it begins and ends; in a thread, so that it takes one of `places`."""

    description = "Records when it begins and ends."
    inputs_schema = None
    isolation = Isolation.THREAD

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> dict[str, Any]:
        """Return what it was given."""
        began_at = time.monotonic()
        if self.name in _names("PAGE_SLOW"):
            time.sleep(SLOW_SECONDS)
        _record("step", name=self.name, began_at=began_at, ended_at=time.monotonic())
        if self.name in _names("PAGE_FAIL"):
            raise NoRetry(f"{self.name} fails, as it was told to")
        return {"name": self.name, "inputs": inputs, "after": sorted(context.dependencies)}


@hookimpl
def inboxd_executors() -> list[Step]:
    """Offer all of them."""
    return [Step(name) for name in NAMES]


@hookimpl
def inboxd_task_starting(task: ToldTask, attempt: ToldAttempt) -> None:
    """Record the place of a start in the order of all starts."""
    _record("start", name=task.executor, start_seq=attempt.start_seq)


@hookimpl
def inboxd_tree_ended(tree: ToldTree) -> None:
    """Record how a tree ended."""
    _record("tree", status=tree.status, counts=dict(tree.counts))


def _names(variable: str) -> list[str]:
    return os.environ.get(variable, "").split(",")


def _record(what: str, **facts: Any) -> None:
    with open(os.environ["PAGE_RECORD"], "ab", buffering=0) as file:  # noqa: PTH123 - one write
        file.write(json.dumps({"what": what, **facts}).encode() + b"\n")
