"""Results that several attempts read: decoded once, within a bound, and never an old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from inboxd.array.expressions import Field
from inboxd.running.ended_results import EndedResults
from inboxd.store.engine import open_writer
from inboxd.store.reader import StoreReader
from inboxd.testing.daemon import DaemonUnderTest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonUnderTest]:
    with DaemonUnderTest(tmp_path_factory.mktemp("daemon")) as running:
        yield running


@pytest.fixture
def reader(daemon: DaemonUnderTest) -> Iterator[StoreReader]:
    with StoreReader(daemon.settings.store.url) as opened:
        yield opened


def first_task(daemon: DaemonUnderTest, reader: StoreReader, *scripts: str) -> int:
    """Run commands to their ends, and return the internal number of the first."""
    dropped = daemon.drop(
        [
            {"id": f"t{number}", "executor": "command", "inputs": {"script": script}}
            for number, script in enumerate(scripts)
        ]
    )
    dropped.result()
    return reader.find_task(reader.find_tree(dropped.tree_id), "t0").number


def test_a_result_is_decoded_once(daemon: DaemonUnderTest, reader: StoreReader) -> None:
    task = first_task(daemon, reader, "echo out")
    results = EndedResults(reader)
    first, second = (results.fields(task).value(Field.RESULT) for _ in range(2))

    assert first["stdout"] == "out\n"
    assert second is first


def test_the_result_of_a_new_start_is_read_anew(tmp_path: Path) -> None:
    with DaemonUnderTest(tmp_path) as daemon:
        url = daemon.settings.store.url
        with StoreReader(url) as opened:
            task = first_task(daemon, opened, "echo old")
    engine = open_writer(url)
    with StoreReader(url) as reader:
        results = EndedResults(reader)
        old = results.fields(task)
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE tasks SET start_seq = start_seq + 1, result = :new WHERE id = :task"),
                {"new": '"new"', "task": task},
            )
        new = results.fields(task)
    engine.dispose()

    assert new.value(Field.RESULT) == "new"
    assert old.value(Field.RESULT)["stdout"] == "old\n"


def test_so_much_is_kept_at_most(daemon: DaemonUnderTest, reader: StoreReader) -> None:
    task = first_task(daemon, reader, "echo 0", "echo 1", "echo 2", "printf %01000d 3")
    sizing = EndedResults(reader)
    sizing.fields(task)
    one = sizing.kept_bytes
    results = EndedResults(reader, most_kept_bytes=2 * one)
    zero, *_ = [results.fields(task + number) for number in (0, 1, 0, 2, 3)]
    kept = [results.fields(task + number) for number in (0, 2)]

    # What was used last stays, what is too large never does, and what was looked at is still whole.
    assert results.kept_bytes == 2 * one
    assert kept[0].value(Field.RESULT) is zero.value(Field.RESULT)
    assert kept[1].value(Field.RESULT)["stdout"] == "2\n"
    results.forget()
    assert results.kept_bytes == 0
    assert zero.value(Field.RESULT)["stdout"] == "0\n"


def test_a_task_that_failed_has_no_result_and_its_error(
    daemon: DaemonUnderTest, reader: StoreReader
) -> None:
    task = first_task(daemon, reader, "echo out; exit 3")
    fields = EndedResults(reader).fields(task)

    assert fields.value(Field.RESULT) is None
    assert fields.value(Field.STATUS) == "failed"
    assert fields.value(Field.ERROR)["exit_code"] == 3
