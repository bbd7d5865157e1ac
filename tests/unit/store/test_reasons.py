"""Why a task is where it is: the sentence for each state."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.store.reasons import duration_text, task_reason
from inboxd.store.tables import STATUS_OF_STATE, TaskState, TreeMark
from inboxd.store.views import EdgeView, TaskView
from inboxd.task import EdgeOn, RetryPolicy, TaskError, TaskErrorCode, TaskStatus

from .build_store import NOON

TASK = TaskView(
    number=1, tree=1, position=0, id="a", name="a", parent=None, status=TaskStatus.PENDING,
    state=TaskState.READY, executor="noop", priority=2, due_at=NOON, join_any=False,
    allow_failure=False, at_most_once=False, hold=False, is_released=False,
    strict=False, has_dependants=False, unmet=0,
    retry=None, timeout_seconds=None, attempts=0, failures=0, interruptions=0, start_seq=None,
    started_at=None, ended_at=None, error=None,
)  # fmt: skip


def task(state: TaskState, **changes: Any) -> TaskView:
    return msgspec.structs.replace(TASK, state=state, status=STATUS_OF_STATE[state], **changes)


def edge(name: str, status: TaskStatus, on: EdgeOn = EdgeOn.SUCCESS) -> EdgeView:
    return EdgeView(number=1, id=name, status=status, on=on)


def error(code: TaskErrorCode, message: str, cause: str | None = None) -> TaskError:
    return TaskError(code=code, message=message, cause=cause)


PENDING, IN_PROGRESS = TaskStatus.PENDING, TaskStatus.IN_PROGRESS
FAILURE = error(TaskErrorCode.EXIT_STATUS, "exit status 7")


@pytest.mark.parametrize(
    ("state", "held", "expected"),
    [
        (TaskState.READY, {"marks": TreeMark.PAUSED}, "its tree is paused"),
        (TaskState.BLOCKED, {"marks": TreeMark.PAUSED}, "its tree is paused"),
        (
            TaskState.PARKED,
            {"marks": TreeMark.LEFT_OVER | TreeMark.PAUSED},
            "left over by an earlier process, until a person retries its tree",
        ),
        (
            TaskState.PARKED,
            {"marks": TreeMark.RETRIED | TreeMark.PAUSED},
            "its tree is being made ready to run again",
        ),
        (
            TaskState.WAITING,
            {"marks": TreeMark.CANCELLED | TreeMark.PAUSED},
            "is being cancelled with its tree",
        ),
        (TaskState.IN_PROGRESS, {"marks": TreeMark.CANCELLED}, "is being cancelled"),
        (TaskState.IN_PROGRESS, {"is_cancelling": True}, "is being cancelled"),
        (TaskState.IN_PROGRESS, {"marks": TreeMark.PAUSED}, None),
        (TaskState.READY, {"is_all_paused": True}, "everything is paused"),
        (TaskState.COMPLETED, {"marks": TreeMark.PAUSED, "is_all_paused": True}, None),
    ],
)
def test_what_a_person_holds_back_says_so(
    state: TaskState, held: dict[str, Any], expected: str | None
) -> None:
    assert task_reason(task(state, attempts=1), now=NOON, **held) == expected


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (task(TaskState.READY), "ready"),
        (task(TaskState.PARKED), "ready"),
        (task(TaskState.PARKED, strict=True), "ready, by strict_priority"),
        (task(TaskState.COMPLETED), None),
        (task(TaskState.IN_PROGRESS, attempts=1), None),
        (
            task(TaskState.WITHOUT_EXECUTOR, executor="gp\x1bu"),
            'nobody offers the executor "gp\\x1bu"',
        ),
        (
            task(TaskState.WAITING, due_at=NOON + 41_000_000),
            "not before 2026-11-24T12:00:41.000000Z, in 41 s",
        ),
        (
            task(TaskState.PARKED, due_at=NOON + 9 * 86_400_000_000),
            "not before 2026-12-03T12:00:00.000000Z",
        ),
        (task(TaskState.HELD, hold=True), "held until `inboxd release TREE/a`"),
        (
            task(TaskState.HELD, hold=True, due_at=NOON + 41_000_000),
            "held until `inboxd release TREE/a`, and not before 2026-11-24T12:00:41.000000Z,"
            " in 41 s",
        ),
        (
            task(
                TaskState.WAITING,
                due_at=NOON + 41_000_000,
                failures=2,
                retry=RetryPolicy(limit=3),
                error=FAILURE,
            ),
            "due in 41 s (retry 2 of 3 after: exit status 7)",
        ),
        (
            task(TaskState.IN_PROGRESS, failures=1, retry=RetryPolicy(limit=3), attempts=2),
            "retry 1 of 3",
        ),
        (
            task(TaskState.IN_PROGRESS, interruptions=1, attempts=2),
            "attempt 2, after the daemon ended during another",
        ),
        (task(TaskState.FAILED, error=FAILURE), "exit status 7"),
        (
            task(TaskState.FAILED, error=FAILURE, allow_failure=True),
            "exit status 7; allow_failure: the tree does not fail for it",
        ),
        (
            task(
                TaskState.SKIPPED,
                error=error(TaskErrorCode.CONDITION, 'skipped because "b" completed', "b"),
            ),
            'skipped because "b" completed',
        ),
        (
            task(TaskState.CANCELLED, error=error(TaskErrorCode.CANCELLED, "cancelled by\nroot")),
            "cancelled by\\nroot",
        ),
    ],
)
def test_each_state_has_its_sentence(view: TaskView, expected: str | None) -> None:
    assert expected == task_reason(view, now=NOON)


@pytest.mark.parametrize(
    ("changes", "edges", "expected"),
    [
        ({"unmet": 1}, [], "waits for its dependencies"),
        ({"unmet": 1}, [edge("b", PENDING)], "waits for b (pending)"),
        (
            {"unmet": 2},
            [edge("b", IN_PROGRESS), edge("c", PENDING, EdgeOn.END)],
            "waits for b (in progress) and c (pending) to end",
        ),
        (
            {"unmet": 1, "join_any": True},
            [edge("b", IN_PROGRESS, EdgeOn.FAILURE), edge("c", PENDING)],
            "waits for one of b (in progress) to fail and c (pending)",
        ),
        (
            {"unmet": 1, "hold": True},
            [edge("b", PENDING)],
            "waits for b (pending); then held until a person releases it",
        ),
        (
            {"unmet": 1, "hold": True, "is_released": True},
            [edge("b", PENDING)],
            "waits for b (pending); released already",
        ),
        (
            {"unmet": 1_003},
            [edge(name, PENDING) for name in "bcde"],
            "waits for b (pending), c (pending), d (pending) and 1,000 more",
        ),
        (
            {"unmet": 1, "join_any": True},
            [edge(name, PENDING) for name in "bcde"],
            "waits for one of b (pending), c (pending), d (pending) and others",
        ),
    ],
)
def test_a_blocked_task_names_what_it_waits_for(
    changes: dict[str, Any], edges: list[EdgeView], expected: str
) -> None:
    assert expected == task_reason(task(TaskState.BLOCKED, **changes), now=NOON, undecided=edges)


def test_the_error_where_it_began_is_told_of_a_skipped_task() -> None:
    skipped = task(
        TaskState.SKIPPED,
        error=error(TaskErrorCode.DEPENDENCY_FAILED, 'skipped because "b" failed', "b"),
    )

    assert task_reason(skipped, now=NOON, cause=FAILURE) == (
        'skipped because "b" failed: exit status 7'
    )


@pytest.mark.parametrize(
    ("microseconds", "expected"),
    [
        (-5, "0.00 s"),
        (210_000, "0.21 s"),
        (9_994_000, "9.99 s"),
        (9_996_000, "10 s"),
        (59_600_000, "1 min 0 s"),
        (185_000_000, "3 min 5 s"),
        (7_800_000_000, "2 h 10 min"),
        (86_400_000_000, "1 d 0 h"),
        (273_600_000_000, "3 d 4 h"),
    ],
)
def test_a_duration_is_given_as_people_say_it(microseconds: int, expected: str) -> None:
    assert duration_text(microseconds) == expected


@given(st.integers(0, 10**15), st.integers(0, 10**12))
def test_a_longer_duration_never_looks_like_a_shorter_unit(first: int, more: int) -> None:
    units = ["s", "min", "h", "d"]
    ranks = [units.index(duration_text(value).split()[1]) for value in (first, first + more)]

    assert ranks == sorted(ranks)
