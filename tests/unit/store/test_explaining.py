"""What `explain` says of a task in each state, and where a task stands in the order of starts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.store.explaining import explain_task, explained, explanation_document
from inboxd.store.reader import StoreReader
from inboxd.store.start_order import Standing, standing_of
from inboxd.store.tables import TaskFlag, TaskState, TreeMark
from inboxd.task import EdgeOn, PlaceKind

from .build_store import NOON, StoreBuilder, TaskRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECOND = 1_000_000
#: Later than everything that the builder writes.
NOW = NOON + 10 * SECOND
PLACES = {PlaceKind.PROCESS: 8, PlaceKind.ASYNC: 1}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreBuilder]:
    builder = StoreBuilder(tmp_path)
    yield builder
    builder.close()


def explanation(
    store: StoreBuilder, task: str, *, tree: str = "@", kept: int = 0
) -> tuple[str, str, dict[str, Any]]:
    """Return the state, the text and the document of a task."""
    with StoreReader(store.url) as reader:
        found = reader.find_tree(tree)
        facts, _ = explain_task(reader, found, reader.find_task(found, task), now=NOW)
    said = explained(facts, now=NOW, places=PLACES, kept=kept)
    return said.state, said.text, explanation_document(facts, said, places=PLACES, kept=kept)


def test_a_blocked_task_names_what_it_waits_for_and_since_when(store: StoreBuilder) -> None:
    store.add_tree(
        [
            TaskRow(id="fetch", state=TaskState.IN_PROGRESS, columns={"started_at": NOW - 3_000}),
            TaskRow(id="load", state=TaskState.BLOCKED, edges=[(0, EdgeOn.SUCCESS)]),
            TaskRow(
                id="report",
                state=TaskState.BLOCKED,
                edges=[(0, EdgeOn.END), (1, EdgeOn.SUCCESS)],
            ),
        ]
    )

    state, text, document = explanation(store, "report")

    assert (state, text) == (
        "blocked",
        "report waits for fetch (in progress since 0.00 s) to end and load (pending).",
    )
    assert document["waits_for"] == [
        {
            "id": "fetch",
            "on": "end",
            "status": "in_progress",
            "started_at": "2026-11-24T12:00:09.997000Z",
        },
        {"id": "load", "on": "success", "status": "pending", "started_at": None},
    ]


ERROR = '{"code":"exit_status","message":"exit status 1","cause":null}'
SKIPPED = '{"code":"dependency_failed","cause":"a","message":"skipped because \\"a\\" failed"}'


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            TaskRow(
                id="b",
                state=TaskState.WAITING,
                columns={
                    "due_at": NOW + 41 * SECOND, "failures": 2, "retry": '{"limit":3}',
                    "error": ERROR,
                },
            ),
            ("waiting", "b is due in 41 s (retry 2 of 3 after: exit status 1)."),
        ),
        (
            TaskRow(id="b", state=TaskState.WAITING, columns={"due_at": NOW + 41 * SECOND}),
            ("waiting", "b may start not before 2026-11-24T12:00:51.000000Z, in 41 s."),
        ),
        (
            TaskRow(id="b", state=TaskState.WITHOUT_EXECUTOR, columns={"executor": "gpu"}),
            (
                "without_executor",
                'b waits for its executor "gpu", which nobody offers. `inboxd executors` lists'
                " those that there are, `inboxd doctor` what is broken.",
            ),
        ),
        (
            TaskRow(
                id="b",
                state=TaskState.IN_PROGRESS,
                columns={"started_at": NOW - 3 * SECOND, "timeout": 90.0},
            ),
            (
                "in_progress",
                "b is in progress since 3.00 s. It is ended 1 min 30 s after its start.",
            ),
        ),
        (
            TaskRow(
                id="b",
                state=TaskState.IN_PROGRESS,
                flags=TaskFlag.CANCEL_REQUESTED,
                columns={"started_at": NOW - 3 * SECOND},
            ),
            ("in_progress", "b is in progress since 3.00 s and is being cancelled."),
        ),
        (TaskRow(id="b"), ("completed", "b completed 8.49 s ago.")),
        (
            TaskRow(id="b", state=TaskState.FAILED, columns={"error": ERROR}),
            ("failed", "b failed 8.49 s ago: exit status 1."),
        ),
        (
            TaskRow(id="b", state=TaskState.SKIPPED, columns={"error": SKIPPED}),
            ("skipped", 'b was skipped because "a" failed: exit status 1.'),
        ),
    ],
    ids=lambda each: each.state.name if isinstance(each, TaskRow) else "",
)  # fmt: skip
def test_each_state_has_its_sentence(
    store: StoreBuilder, row: TaskRow, expected: tuple[str, str]
) -> None:
    # The builder inserts the columns of the first row, of all rows.
    row = replace(row, columns={"failures": 0, **row.columns})
    failed = {"failures": 0, "error": ERROR}
    store.add_tree([TaskRow(id="a", state=TaskState.FAILED, columns=failed), row])

    assert explanation(store, "b")[:2] == expected


@pytest.mark.parametrize(
    ("marks", "state", "words"),
    [
        (TreeMark.PAUSED, "paused", "its tree is paused: `inboxd resume "),
        (TreeMark.LEFT_OVER, "left_over", "`inboxd retry "),
        (TreeMark.CANCELLED, "cancelling", "is being cancelled with its tree"),
        (TreeMark.RETRIED, "retrying", "is being made ready to run again"),
    ],
)
def test_what_holds_back_the_whole_tree_comes_first(
    store: StoreBuilder, marks: int, state: str, words: str
) -> None:
    tree = store.add_tree([TaskRow(id="b", state=TaskState.PARKED)], marks=marks)

    said = explanation(store, "b")

    assert (said[0], words in said[1]) == (state, True)
    assert "`" not in words or tree[-8:] in said[1]


def test_a_pause_of_everything_is_told(store: StoreBuilder) -> None:
    store.add_tree([TaskRow(id="b", state=TaskState.READY)])
    store.execute("INSERT INTO meta (key, value) VALUES ('paused', 1)")

    assert explanation(store, "b")[:2] == (
        "paused",
        "b could start, but everything is paused, until `inboxd resume`.",
    )


def test_a_ready_task_says_how_many_are_before_it_and_why(store: StoreBuilder) -> None:
    first = store.add_tree(
        [
            TaskRow(id="urgent", state=TaskState.READY, columns={"priority": 0}),
            TaskRow(id="runs", state=TaskState.IN_PROGRESS),
        ]
    )
    store.add_tree([TaskRow(id="a", state=TaskState.READY), TaskRow(id="b", state=TaskState.READY)])

    _, text, document = explanation(store, "b")

    assert text == (
        f"b is ready, 3rd in the queue, the only place taken. First comes {first[-8:]}/urgent,"
        " which has priority 0, and this one 2."
    )
    assert document["queue"] == {
        "ahead": 2,
        "is_exact": True,
        "running": 1,
        "kept": 0,
        "places": 1,
        "first": {
            "tree_id": first,
            "id": "urgent",
            "priority": 0,
            "why": "has priority 0, and this one 2",
        },
        "strict_priority": None,
    }
    assert explanation(store, "urgent", tree=first)[1] == (
        "urgent is ready, the next to start, the only place taken."
    )


def test_a_thread_whose_attempt_is_over_still_holds_its_place(store: StoreBuilder) -> None:
    process = {"kind": PlaceKind.PROCESS}
    running = [TaskRow(id=f"r{n}", state=TaskState.IN_PROGRESS, columns=process) for n in range(7)]
    store.add_tree([*running, TaskRow(id="b", state=TaskState.READY, columns=process)])

    assert explanation(store, "b")[1] == "b is ready, the next to start."
    assert explanation(store, "b", kept=1)[1] == (
        "b is ready, the next to start, all 8 places taken, by a thread too whose attempt is over."
    )


def test_strict_priority_names_the_more_urgent_task(store: StoreBuilder) -> None:
    store.add_tree(
        [
            TaskRow(id="a", state=TaskState.IN_PROGRESS, columns={"priority": 1}),
            TaskRow(id="b", state=TaskState.PARKED, flags=TaskFlag.STRICT),
        ],
        strict_priority=1,
    )

    assert explanation(store, "b")[1] == (
        "b is ready, but by strict_priority waits for a, of priority 1, which is in progress."
    )


def test_the_standing_counts_parked_tasks_of_large_trees_in_the_order_of_starts(
    store: StoreBuilder,
) -> None:
    """Compared with the order itself: parked rows of two trees, and ready ones of a third."""
    expected: list[tuple[tuple[int, int, int, int], int]] = []
    number = 0
    for tree in (1, 2, 3):
        accepted = NOON + 1_000 * (1 if tree < 3 else 2)
        rows: list[TaskRow] = []
        for priority in (3, 1, 2, 2, 1):
            number += 1
            is_ready = tree == 2
            due = accepted if is_ready else (0 if number % 2 else NOON + SECOND)
            columns = {"priority": priority, "due_at": due, "acceptance": tree * is_ready}
            state = TaskState.READY if is_ready else TaskState.PARKED
            rows.append(TaskRow(id=f"t{number}", state=state, columns=columns))
            expected.append(((priority, max(due, accepted), tree, number), number))
        store.add_tree(rows, accepted_at=accepted)
    # A tree is large by its number of tasks; here its row alone says so.
    store.execute("UPDATE trees SET task_count = 100000 WHERE id IN (1, 3)")
    order = [number for _, number in sorted(expected)]

    with StoreReader(store.url) as reader, reader.transaction() as connection:
        found = [standing_of(connection, one, now=NOW) for one in order]

    assert [None if one is None else one.ahead for one in found] == list(range(len(order)))
    assert [one.first is None for one in found if isinstance(one, Standing)] == [
        True,
        *[False] * (len(order) - 1),
    ]


@pytest.mark.parametrize("is_paused", [True, False])
def test_a_task_that_is_held_says_how_it_is_released(store: StoreBuilder, is_paused: bool) -> None:
    hold = {"flags": TaskFlag.HOLD}
    tree = store.add_tree(
        [
            TaskRow(id="deploy", state=TaskState.HELD, columns=hold),
            TaskRow(id="after", state=TaskState.BLOCKED, edges=[(0, EdgeOn.SUCCESS)], columns=hold),
        ]
    )
    if is_paused:
        store.execute("INSERT INTO meta (key, value) VALUES ('paused', 1)")

    assert explanation(store, "deploy")[:2] == (
        "held", f"deploy is held until `inboxd release {tree[-8:]}/deploy`."
    )  # fmt: skip
    assert explanation(store, "after")[:2] == (
        "blocked", "after waits for deploy (pending); then held until a person releases it."
    )  # fmt: skip
