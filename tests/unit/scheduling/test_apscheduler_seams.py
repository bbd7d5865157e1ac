"""
Where we reach into APScheduler's private parts, so that a new version that moves them fails here.

Each is overridden or relied on in `inboxd.scheduling`; the dependency is pinned below 3.12.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest
from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import BaseJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler

from inboxd.running.attempt import Attempt
from inboxd.scheduling.jobs import AttemptExecutor, AttemptJob
from inboxd.scheduling.task_store import TaskJobStore

ROOT = Path(__file__).parents[3]

ATTEMPT = Attempt(
    task=1, tree=1, tree_id="x", task_id="a", position=0, number=1, start_seq=1, started_at=0,
    executor="noop",
)  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "method", "parameters"),
    [
        (Job, "_get_run_times", ["self", "now"]),
        (Job, "_modify", ["self", "changes"]),
        (BaseExecutor, "submit_job", ["self", "job", "run_times"]),
        (BaseExecutor, "_do_submit_job", ["self", "job", "run_times"]),
        (BaseScheduler, "_dispatch_event", ["self", "event"]),
        (BaseScheduler, "_process_jobs", ["self"]),
        (BaseScheduler, "_lookup_executor", ["self", "alias"]),
        (BaseJobStore, "get_due_jobs", ["self", "now"]),
        (BaseJobStore, "get_next_run_time", ["self"]),
        (BaseJobStore, "update_job", ["self", "job"]),
    ],
)
def test_what_we_override_is_there_with_the_parameters_we_expect(
    owner: type, method: str, parameters: list[str]
) -> None:
    assert parameters == list(inspect.signature(getattr(owner, method)).parameters)


def test_the_loop_reads_nothing_of_a_job_that_ours_lacks() -> None:
    source = inspect.getsource(BaseScheduler._process_jobs)
    read = set(re.findall(r"\bjob\.(\w+)", source))
    job = AttemptJob(ATTEMPT)

    assert {"executor", "coalesce", "trigger", "id", "_get_run_times", "_modify"} <= read
    assert [name for name in read if not hasattr(job, name)] == []


def test_our_job_is_due_now_and_never_ends() -> None:
    job, now = AttemptJob(ATTEMPT), datetime(2026, 11, 24, tzinfo=UTC)

    assert [now] == job._get_run_times(now)
    assert now == job.trigger.get_next_fire_time(now, now)
    assert job.id == "x/a#1"


def test_our_store_and_executor_leave_nothing_abstract() -> None:
    assert not getattr(TaskJobStore, "__abstractmethods__", None)
    assert not getattr(AttemptExecutor, "__abstractmethods__", None)


def test_the_loop_asks_for_the_next_time_after_it_submitted_all_jobs() -> None:
    source = inspect.getsource(BaseScheduler._process_jobs)

    assert source.index("submit_job") < source.index("jobstore.get_next_run_time()")


def test_the_scheduler_s_thread_is_where_we_look_for_it() -> None:
    assert "self._thread" in inspect.getsource(BackgroundScheduler.start)


def test_the_dependency_is_pinned_to_the_version_that_was_read() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert "apscheduler>=3.11.3,<3.12" in project["dependencies"]
    assert version("apscheduler").startswith("3.11.")
