"""Retries, time limits and cancellation while things run, through the Python API."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import (
    NoRetry,
    RetryLater,
    TaskManager,
    TaskProgress,
    create_session,
    executor,
)

from .api_trees import LIMIT_SECONDS, Gate, ended_as, made, ran, start_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from inboxd import Session, TaskContext

NEVER = "2100-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    # A command that ignores SIGTERM is killed after `grace`.
    with create_session(places=4, grace="200ms") as session:
        yield session


@pytest.fixture(scope="module", autouse=True)
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A module that worker processes can import as this one can: a test module is not found."""
    directory = tmp_path_factory.mktemp("jobs")
    (directory / "behave_jobs.py").write_text(JOBS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(directory))
        import_module("behave_jobs")
        yield


JOBS = """
import os, signal, time
from inboxd import executor

@executor("behave-process-sleeper", isolation="process")
def sleeper(inputs, context):
    time.sleep(30)

@executor("behave-process-killed", isolation="process")
def killed(inputs, context):
    if context.attempt < inputs["good"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return context.attempt
"""


# Retries -----------------------------------------------------------------------------------------

#: When each attempt of a task started, by monotonic time.
STARTS: dict[str, list[float]] = {}


@executor("behave-flaky")
async def flaky(inputs: dict[str, Any], context: TaskContext) -> int:
    """Fail until the attempt that the task names."""
    STARTS.setdefault(context.task_id, []).append(time.monotonic())
    if context.attempt < inputs["good"]:
        raise RuntimeError(f"attempt {context.attempt}")
    return context.attempt


def test_a_task_that_fails_twice_is_tried_a_third_time_after_growing_pauses(
    session: Session,
) -> None:
    """Expected: 3 attempts; 40 ms, then 80 ms between them; its dependant runs once, after."""
    STARTS.clear()
    tasks = ran(
        session,
        {
            "id": "a",
            "executor": "behave-flaky",
            "inputs": {"good": 3},
            "retry": {"limit": 5, "delay": "40ms", "backoff": 2, "jitter": 0},
        },
        {"id": "b", "executor": "behave-read", "dependencies": ["a"]},
    )
    pauses = [after - before for before, after in itertools.pairwise(STARTS["a"])]

    assert ended_as(tasks["a"]) == ("completed", None, None)
    assert tasks["a"].attempts == 3
    assert [pause >= least for pause, least in zip(pauses, (0.040, 0.080), strict=True)] == [
        True,
        True,
    ], pauses
    assert (tasks["b"].attempts, tasks["b"].result["dependencies"]) == (1, {"a": 3})


def test_max_delay_bounds_the_pauses(session: Session) -> None:
    """Expected: 5 attempts in well under the 40 s that the growth by itself would take."""
    STARTS.clear()
    tasks = ran(
        session,
        {
            "id": "a",
            "executor": "behave-flaky",
            "inputs": {"good": 9},
            "retry": {"limit": 4, "delay": "10ms", "backoff": 10, "max_delay": "20ms"},
        },
    )

    assert ended_as(tasks["a"]) == ("failed", "exception", None)
    assert tasks["a"].error is not None
    assert tasks["a"].error.message == "RuntimeError: attempt 5"
    assert tasks["a"].attempts == len(STARTS["a"]) == 5
    assert STARTS["a"][-1] - STARTS["a"][0] < 10


def test_a_pause_gives_the_place_to_others() -> None:
    """Expected: with one place, what is less urgent runs while the urgent one waits to retry."""
    with create_session(async_places=1) as narrow:
        tasks = ran(
            narrow,
            {
                "id": "a",
                "executor": "behave-flaky",
                "inputs": {"good": 2},
                "priority": 0,
                "retry": {"limit": 1, "delay": "100ms", "jitter": 0},
            },
            {"id": "b", "priority": 9},
            {"id": "c", "priority": 9},
        )

    assert start_order(tasks) == ["b", "c", "a"]


def test_the_key_is_the_same_for_all_attempts_and_the_number_rises(session: Session) -> None:
    """Expected: one idempotency key, attempts 1, 2, 3; another key for another task."""
    seen: list[tuple[str, int, str]] = []

    @executor("behave-keys")
    def keys(inputs: dict[str, Any], context: TaskContext) -> None:
        seen.append((context.task_id, context.attempt, context.idempotency_key))
        if context.task_id == "a" and context.attempt < 3:
            raise RuntimeError("again")

    ran(
        session,
        {"id": "a", "executor": "behave-keys", "retry": {"limit": 2, "delay": 0}},
        {"id": "b", "executor": "behave-keys", "dependencies": ["a"]},
    )

    assert [(task_id, number) for task_id, number, _ in seen] == [
        ("a", 1), ("a", 2), ("a", 3), ("b", 1),
    ]  # fmt: skip
    assert len({key for task_id, _, key in seen if task_id == "a"}) == 1
    assert len({key for _, _, key in seen}) == 2


@pytest.mark.parametrize("isolation", ["async", "thread"])
def test_no_retry_ends_the_task_at_once(session: Session, isolation: str) -> None:
    """Expected: one attempt though five more were allowed; what waits for it is skipped."""

    def fail(inputs: dict[str, Any], context: TaskContext) -> None:
        raise NoRetry("there is no such page")

    async def fail_on_the_loop(inputs: dict[str, Any], context: TaskContext) -> None:
        fail(inputs, context)

    executor("behave-final")(fail_on_the_loop if isolation == "async" else fail)
    tasks = ran(
        session,
        {"id": "a", "executor": "behave-final", "retry": 5},
        {"id": "b", "dependencies": ["a"]},
    )

    assert ended_as(tasks["a"]) == ("failed", "exception", None)
    assert tasks["a"].error is not None
    assert "there is no such page" in tasks["a"].error.message
    assert tasks["a"].attempts == 1
    assert ended_as(tasks["b"]) == ("skipped", "dependency_failed", "a")


def test_exit_65_ends_the_task_at_once_and_another_status_does_not(session: Session) -> None:
    """Expected: one attempt, and three; `exit_status` with the code in both."""
    tasks = ran(
        session,
        *(
            {
                "id": f"exit-{status}",
                "executor": "command",
                "inputs": {"script": f"exit {status}"},
                "retry": {"limit": 2, "delay": 0},
            }
            for status in (65, 66)
        ),
    )

    for status, attempts in ((65, 1), (66, 3)):
        task = tasks[f"exit-{status}"]
        assert ended_as(task) == ("failed", "exit_status", None)
        assert task.error is not None
        assert (task.error.exit_code, task.attempts) == (status, attempts)


def test_retry_later_says_when_itself(session: Session) -> None:
    """Expected: after 50 ms, though the task's own delay is an hour; it uses up a retry."""
    starts: list[float] = []

    @executor("behave-later")
    async def later(inputs: dict[str, Any], context: TaskContext) -> None:
        starts.append(time.monotonic())
        if context.attempt < 3:
            raise RetryLater(0.05, "busy")

    tasks = ran(
        session,
        {"id": "a", "executor": "behave-later", "retry": {"limit": 2, "delay": "1h"}},
        {"id": "b", "executor": "behave-later"},
    )

    assert ended_as(tasks["a"]) == ("completed", None, None)
    assert tasks["a"].attempts == 3
    # Without retries there is no later.
    assert ended_as(tasks["b"]) == ("failed", "exception", None)
    assert tasks["b"].error is not None
    assert "busy" in tasks["b"].error.message


def test_a_worker_process_that_is_killed_fails_its_attempt_and_nothing_else(
    session: Session,
) -> None:
    """Expected: `signal` SIGKILL; with a retry another process completes it; others go on."""
    tasks = ran(
        session,
        {"id": "a", "executor": "behave-process-killed", "inputs": {"good": 9}},
        {
            "id": "b",
            "executor": "behave-process-killed",
            "inputs": {"good": 2},
            "retry": {"limit": 1, "delay": 0},
        },
        {"id": "c", "dependencies": [{"id": "a", "on": "failure"}]},
    )

    assert ended_as(tasks["a"]) == ("failed", "signal", None)
    assert tasks["a"].error is not None
    assert tasks["a"].error.signal == "SIGKILL"
    assert (tasks["b"].status, tasks["b"].result) == ("completed", 2)
    assert ended_as(tasks["c"]) == ("completed", None, None)


# Time limits -------------------------------------------------------------------------------------

SEEN_BY_THREAD = threading.Event()


@executor("behave-loop-sleeper")
async def loop_sleeper(inputs: dict[str, Any], context: TaskContext) -> None:
    await asyncio.sleep(LIMIT_SECONDS)


@executor("behave-thread-sleeper")
def thread_sleeper(inputs: dict[str, Any], context: TaskContext) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not context.cancelled and time.monotonic() < deadline:
        time.sleep(0.005)
    SEEN_BY_THREAD.set()


@pytest.mark.parametrize(
    "fields",
    [
        {"executor": "behave-loop-sleeper"},
        {"executor": "behave-thread-sleeper"},
        {"executor": "behave-process-sleeper"},
        {"executor": "command", "inputs": {"argv": ["sleep", "30"]}},
        # Whoever ignores SIGTERM is killed, and so is what it started.
        {"executor": "command", "inputs": {"script": "trap '' TERM; sleep 30 & wait; sleep 30"}},
    ],
    ids=["async", "thread", "process", "command", "command that ignores it"],
)
def test_past_its_time_limit_an_attempt_is_ended_and_tried_again(
    session: Session, fields: dict[str, Any]
) -> None:
    """Expected: two attempts of 100 ms, `timeout`, and what waits for the failure runs."""
    begun = time.monotonic()
    tasks = ran(
        session,
        {"id": "a", **fields, "timeout": 0.1, "retry": {"limit": 1, "delay": 0}},
        {"id": "b", "dependencies": [{"id": "a", "on": "failure"}]},
        {"id": "c", "dependencies": ["a"]},
    )
    took = time.monotonic() - begun

    assert ended_as(tasks["a"]) == ("failed", "timeout", None)
    assert tasks["a"].attempts == 2
    assert ended_as(tasks["b"]) == ("completed", None, None)
    assert ended_as(tasks["c"]) == ("skipped", "dependency_failed", "a")
    assert 0.2 <= took < LIMIT_SECONDS


def test_an_attempt_knows_when_its_time_is_over(session: Session) -> None:
    """Expected: the deadline is 60 s after the start; None without a limit."""
    deadlines: dict[str, datetime | None] = {}

    @executor("behave-deadline")
    async def deadline(inputs: dict[str, Any], context: TaskContext) -> None:
        deadlines[context.task_id] = context.deadline

    tasks = ran(
        session,
        {"id": "limited", "executor": "behave-deadline", "timeout": "1m"},
        {"id": "free", "executor": "behave-deadline"},
    )
    started, deadline_at = tasks["limited"].started_at, deadlines["limited"]

    assert started is not None
    assert deadline_at is not None
    assert abs((deadline_at - started).total_seconds() - 60) < 1
    assert deadlines["free"] is None


def test_the_limit_of_the_session_is_for_tasks_without_their_own() -> None:
    """Expected: `timeout` for the one that says nothing; the other one has its own."""
    with create_session(default_timeout="100ms") as session:
        tasks = ran(
            session,
            {"id": "a", "executor": "behave-loop-sleeper"},
            {"id": "b", "executor": "command", "inputs": {"script": "sleep 0.2"}, "timeout": 60},
        )

    assert ended_as(tasks["a"]) == ("failed", "timeout", None)
    assert ended_as(tasks["b"]) == ("completed", None, None)


# Cancelling while it runs ------------------------------------------------------------------------


def test_cancelling_the_awaiting_coroutine_cancels_the_tree(session: Session) -> None:
    """Expected: what ran is cut, what waited is `cancelled`, `end` dependants too."""
    gate = Gate("behave-gate-coroutine")
    trees = made(
        session,
        {"id": "first"},
        {"id": "runs", "executor": "behave-gate-coroutine", "dependencies": ["first"]},
        {"id": "waits", "dependencies": ["runs"]},
        {"id": "cleans", "dependencies": [{"id": "runs", "on": "end"}]},
        {"id": "later", "not_before": NEVER},
    )
    manager = TaskManager(session)

    async def main() -> None:
        running = asyncio.create_task(manager.distribute_task_tree(trees))
        await gate.wait_until_begun()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await manager.wait(trees) == "cancelled"

    asyncio.run(main())
    tasks = {task.id: task for task in trees.tasks()}

    assert gate.was_cut.wait(LIMIT_SECONDS)
    assert ended_as(tasks["first"]) == ("completed", None, None)
    for cancelled in ("runs", "waits", "cleans", "later"):
        assert ended_as(tasks[cancelled]) == ("cancelled", "cancelled", None)
    assert [tasks[name].attempts for name in ("runs", "cleans")] == [1, 0]
    assert trees.calculate_status() == "cancelled"


def test_a_time_limit_around_the_call_cancels_the_tree(session: Session) -> None:
    """Expected: `TimeoutError` for the caller, `cancelled` for a command that sleeps."""
    trees = made(session, {"id": "a", "executor": "command", "inputs": {"argv": ["sleep", "30"]}})
    manager = TaskManager(session)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await manager.distribute_task_tree(trees)
        await manager.wait(trees)

    asyncio.run(main())
    (task,) = trees.tasks()

    assert ended_as(task) == ("cancelled", "cancelled", None)


@pytest.mark.parametrize(
    "fields",
    [
        {"executor": "behave-loop-sleeper"},
        {"executor": "behave-thread-sleeper"},
        {"executor": "behave-process-sleeper"},
        {"executor": "command", "inputs": {"argv": ["sleep", "30"]}},
    ],
    ids=["async", "thread", "process", "command"],
)
def test_a_task_that_is_cancelled_while_it_runs_is_not_tried_again(
    session: Session, fields: dict[str, Any]
) -> None:
    """Expected: `cancelled` after one attempt of six; dependants by the table; others go on."""
    SEEN_BY_THREAD.clear()
    trees = made(
        session,
        {"id": "a", **fields, "retry": 5},
        {"id": "success", "dependencies": ["a"]},
        {"id": "failure", "dependencies": [{"id": "a", "on": "failure"}]},
        {"id": "end", "dependencies": [{"id": "a", "on": "end"}]},
    )
    tasks = {task.id: task for task in trees.tasks()}
    manager = TaskManager(session)

    async def main() -> None:
        events = manager.events(trees)
        running = asyncio.create_task(manager.distribute_task_tree(trees))
        async with asyncio.timeout(LIMIT_SECONDS):
            async for _ in events:
                break  # it has started
            await manager.cancel(tasks["a"])
            await running

    asyncio.run(main())

    assert ended_as(tasks["a"]) == ("cancelled", "cancelled", None)
    assert tasks["a"].attempts == 1
    assert ended_as(tasks["success"]) == ("skipped", "dependency_cancelled", "a")
    assert ended_as(tasks["failure"]) == ("skipped", "dependency_cancelled", "a")
    assert ended_as(tasks["end"]) == ("completed", None, None)
    assert trees.calculate_status() == "cancelled"
    if fields["executor"] == "behave-thread-sleeper":
        assert SEEN_BY_THREAD.wait(LIMIT_SECONDS), "the thread was not told"


def test_a_task_that_completes_although_it_was_cancelled_is_cancelled(session: Session) -> None:
    """Expected: from the request on the outcome is `cancelled`; its result is not kept."""
    begun, go_on = threading.Event(), threading.Event()

    @executor("behave-deaf")
    def deaf(inputs: dict[str, Any], context: TaskContext) -> str:
        begun.set()
        go_on.wait(LIMIT_SECONDS)
        return "done all the same"

    trees = made(session, {"id": "a", "executor": "behave-deaf"})
    manager = TaskManager(session)

    async def main() -> None:
        running = asyncio.create_task(manager.distribute_task_tree(trees))
        assert await asyncio.to_thread(begun.wait, LIMIT_SECONDS)
        await manager.cancel(trees)
        go_on.set()
        await running

    asyncio.run(main())
    (task,) = trees.tasks()

    assert ended_as(task) == ("cancelled", "cancelled", None)
    assert task.result is None


def test_what_waits_to_be_tried_again_is_cancelled_at_once(session: Session) -> None:
    """Expected: `cancelled` in the pause of an hour, after its one attempt."""
    trees = made(
        session,
        {
            "id": "a",
            "executor": "behave-flaky",
            "inputs": {"good": 9},
            "retry": {"limit": 9, "delay": "1h"},
        },
    )
    manager = TaskManager(session)
    (task,) = trees.tasks()

    async def main() -> None:
        events = manager.events(trees)
        running = asyncio.create_task(manager.distribute_task_tree(trees))
        async with asyncio.timeout(LIMIT_SECONDS):
            # It starts, and its attempt ends.
            await anext(events)
            await anext(events)
            await manager.cancel(task)
            await running

    asyncio.run(main())

    assert ended_as(task) == ("cancelled", "cancelled", None)
    assert task.attempts == 1


def test_a_cancelled_tree_runs_again_when_it_is_retried(session: Session) -> None:
    """Expected: what had completed is kept, the rest runs; attempts go on being counted."""
    gate = Gate("behave-gate-again")
    trees = made(
        session,
        {"id": "kept", "executor": "behave-answer", "inputs": {"value": 1}},
        {"id": "cut", "executor": "behave-gate-again", "dependencies": ["kept"]},
        {"id": "after", "executor": "behave-read", "dependencies": ["cut"]},
    )
    tasks = {task.id: task for task in trees.tasks()}
    manager = TaskManager(session)

    async def main() -> None:
        running = asyncio.create_task(manager.distribute_task_tree(trees))
        await gate.wait_until_begun()
        await manager.cancel(trees)
        await running
        assert trees.calculate_status() == "cancelled"
        gate.open()
        assert await manager.retry(trees) == "completed"

    asyncio.run(main())

    assert [tasks[name].attempts for name in ("kept", "cut", "after")] == [1, 2, 1]
    assert tasks["after"].result["dependencies"] == {"cut": "through"}


# Progress ----------------------------------------------------------------------------------------


def test_progress_is_shown_while_it_runs(session: Session) -> None:
    """Expected: the newest word of the attempt in the event and on the handle, then 1.0."""
    go_on = threading.Event()

    @executor("behave-progress")
    def progress(inputs: dict[str, Any], context: TaskContext) -> None:
        context.progress(0.25, "a quarter")
        go_on.wait(LIMIT_SECONDS)

    trees = made(session, {"id": "a", "executor": "behave-progress"})
    manager = TaskManager(session)
    (task,) = trees.tasks()
    seen: list[Any] = []

    def on_event(event: object) -> None:
        if isinstance(event, TaskProgress):
            seen.append((event.fraction, event.message, task.progress, task.status.value))
            go_on.set()

    asyncio.run(manager.distribute_task_tree(trees, on_event=on_event))

    assert seen[0] == (0.25, "a quarter", 0.25, "in_progress")
    assert (task.progress, trees.calculate_progress()) == (1.0, 1.0)
