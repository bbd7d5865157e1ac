"""The result document: the contract's form, whatever the tree's size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.store.reader import StoreReader
from inboxd.store.result_document import small_result_documents, write_result_document
from inboxd.store.tables import TaskState

from .build_store import NOON, StoreBuilder, TaskRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreBuilder]:
    builder = StoreBuilder(tmp_path)
    yield builder
    builder.close()


def document(store: StoreBuilder, reference: str = "@") -> tuple[Any, list[bytes]]:
    pieces: list[bytes] = []
    with StoreReader(store.url) as reader:
        write_result_document(reader, reader.find_tree(reference), pieces.append)
    return json.loads(b"".join(pieces)), pieces


def test_the_document_has_the_form_of_the_contract(store: StoreBuilder) -> None:
    error = '{"code":"exit_status","message":"exit status 1","cause":null,"exit_code":1}'
    tree = store.add_tree(
        [
            TaskRow(id="a", columns={"result": '{"n": [1, 2.50, "é"]}'}),
            TaskRow(
                id="b",
                name='B "\x1b" ü',
                state=TaskState.FAILED,
                columns={"error": error, "attempt": 3, "result": '{"exit_code":1}'},
            ),
            TaskRow(id="c", state=TaskState.SKIPPED),
        ],
        name="nightly",
        file_name=b"caf\xe9.json",
        status="failed",
        started_at=NOON + 1,
        ended_at=NOON + 2_000_000,
    )
    expected = {
        "format": 1,
        "file": "caf\\xe9.json",
        "tree_id": tree,
        "name": "nightly",
        "status": "failed",
        "counts": {
            "total": 3, "pending": 0, "in_progress": 0, "completed": 1, "failed": 1,
            "cancelled": 0, "skipped": 1,
        },
        "started_at": "2026-11-24T12:00:00.000001Z",
        "ended_at": "2026-11-24T12:00:02.000000Z",
        "tasks": [
            {
                "id": "a", "name": "a", "status": "completed", "result": {"n": [1, 2.5, "é"]},
                "error": None, "attempts": 1, "started_at": "2026-11-24T12:00:00.010000Z",
                "ended_at": "2026-11-24T12:00:01.510000Z",
            },
            {
                "id": "b", "name": 'B "\x1b" ü', "status": "failed", "result": {"exit_code": 1},
                "error": json.loads(error), "attempts": 3,
                "started_at": "2026-11-24T12:00:00.010000Z",
                "ended_at": "2026-11-24T12:00:01.510000Z",
            },
            {
                "id": "c", "name": "c", "status": "skipped", "result": None, "error": None,
                "attempts": 0, "started_at": None, "ended_at": "2026-11-24T12:00:01.510000Z",
            },
        ],
    }  # fmt: skip

    actual, _ = document(store)

    assert expected == actual
    assert list(expected) == list(actual)


def test_results_are_copied_as_they_are_stored(store: StoreBuilder) -> None:
    store.add_tree([TaskRow(id="a", columns={"result": '{"big": 12345678901234567890.10}'})])

    _, pieces = document(store)

    assert b'"result":{"big": 12345678901234567890.10},' in b"".join(pieces)


def test_a_tree_that_still_runs_has_the_same_form(store: StoreBuilder) -> None:
    store.add_tree(
        [TaskRow(id="a", state=TaskState.IN_PROGRESS), TaskRow(id="b", state=TaskState.BLOCKED)]
    )

    actual, _ = document(store)

    assert [(task["status"], task["attempts"], task["ended_at"]) for task in actual["tasks"]] == [
        ("in_progress", 1, None),
        ("pending", 0, None),
    ]
    assert (actual["file"], actual["name"], actual["status"]) == (None, None, "in_progress")


def test_every_task_is_written_once_over_many_pages(store: StoreBuilder) -> None:
    store.add_tree([TaskRow(id="before")], name="before")
    store.add_tree([TaskRow(id=f"t{number}") for number in range(4_321)], name="large")
    store.add_tree([TaskRow(id="after")])

    actual, pieces = document(store, "large")

    assert [f"t{number}" for number in range(4_321)] == [task["id"] for task in actual["tasks"]]
    assert len(pieces) == 2 + 3


def test_no_piece_is_much_larger_than_its_bound_with_large_results(store: StoreBuilder) -> None:
    large = json.dumps("x" * 500_000)
    store.add_tree([TaskRow(id=f"t{n}", columns={"result": large}) for n in range(60)])

    actual, pieces = document(store)

    assert [len(task["result"]) for task in actual["tasks"]] == [500_000] * 60
    assert max(map(len, pieces)) < 4 * 1024 * 1024 + 16 * 500_000 + 100_000


def test_the_second_of_a_time_is_not_taken_from_another(store: StoreBuilder) -> None:
    times = [NOON, NOON + 999_999, NOON + 1_000_000, 0]
    store.add_tree(
        [TaskRow(id=f"t{n}", columns={"ended_at": time}) for n, time in enumerate(times)]
    )

    actual, _ = document(store)

    assert [task["ended_at"] for task in actual["tasks"]] == [
        "2026-11-24T12:00:00.000000Z",
        "2026-11-24T12:00:00.999999Z",
        "2026-11-24T12:00:01.000000Z",
        "1970-01-01T00:00:00.000000Z",
    ]


def test_small_documents_read_together_are_those_written_singly(store: StoreBuilder) -> None:
    for number in range(3):
        store.add_tree(
            [TaskRow(id=f"t{number}-{task}") for task in range(16)],
            file_name=f"{number}.json".encode(),
            started_at=NOON,
            ended_at=NOON + number,
        )
    store.add_tree([TaskRow(id=f"large-{task}") for task in range(17)])
    with StoreReader(store.url) as reader:
        trees = reader.list_trees()
        together = small_result_documents(reader, trees)
        singly: dict[int, bytes] = {}
        for tree in trees:
            pieces: list[bytes] = []
            write_result_document(reader, tree, pieces.append)
            if tree.counts.total <= 16:
                singly[tree.number] = b"".join(pieces)

    assert len(together) == 3
    assert together == singly
