"""No read passes over a table: its cost is that of what it asks for, whatever the store holds."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event

from inboxd.store.reader import StoreReader
from inboxd.store.result_document import write_result_document
from inboxd.store.tables import TaskState
from inboxd.task import EdgeOn, TaskStatus

from .build_store import NOON, StoreBuilder, TaskRow

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from inboxd.store.views import TaskView, TreeView

IN_PROGRESS = "SCAN tasks USING INDEX tasks_in_progress"

#: What a plan may scan: the index of all ids, when a part of one is looked for; the trees in their
#: order, of which a limit takes the first; and the indices of what is open or in progress.
ALLOWED = {
    "SCAN trees USING COVERING INDEX sqlite_autoindex_trees_1",
    "SCAN trees",
    "SCAN trees USING INDEX trees_open",
    IN_PROGRESS,
    "SCAN anon_1",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreBuilder]:
    builder = StoreBuilder(tmp_path)
    builder.add_tree(
        [
            TaskRow(id="a"),
            TaskRow(id="b", state=TaskState.IN_PROGRESS, edges=[(0, EdgeOn.SUCCESS)], parent=0),
        ],
        name="nightly",
        file_name=b"n.json",
        started_at=NOON,
    )
    yield builder
    builder.close()


@contextmanager
def statements() -> Generator[list[tuple[str, Any]]]:
    """Collect what every engine is sent."""
    sent: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *rest: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            sent.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def plans(store: StoreBuilder, sent: list[tuple[str, Any]]) -> list[list[str]]:
    """Return the steps of each statement."""
    connection = sqlite3.connect(store.path)
    try:
        return [
            [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            for statement, parameters in sent
        ]
    finally:
        connection.close()


@pytest.mark.parametrize(
    "read",
    [
        lambda reader, tree, task: reader.find_tree("nightly"),
        lambda reader, tree, task: reader.find_tree(tree.id),
        lambda reader, tree, task: reader.find_tree(tree.id[-8:]),
        lambda reader, tree, task: reader.find_tree(tree.id[-7:]),
        lambda reader, tree, task: reader.find_tree("@"),
        lambda reader, tree, task: reader.tree(tree.id),
        lambda reader, tree, task: reader.trees_by_number([tree.number]),
        lambda reader, tree, task: reader.list_trees(),
        lambda reader, tree, task: reader.list_trees(before=5),
        lambda reader, tree, task: reader.list_trees(status=TaskStatus.FAILED),
        lambda reader, tree, task: reader.open_trees(5),
        lambda reader, tree, task: reader.count_open_trees(),
        lambda reader, tree, task: reader.running_by_tree(),
        lambda reader, tree, task: reader.running_tasks(),
        lambda reader, tree, task: reader.overview(trees=5, tasks=5),
        lambda reader, tree, task: reader.find_task(tree, "a"),
        lambda reader, tree, task: list(reader.tree_tasks(tree)),
        lambda reader, tree, task: reader.tasks_by_number(tree, [1]),
        lambda reader, tree, task: reader.tasks_in_state(tree, TaskState.FAILED, 5),
        lambda reader, tree, task: list(reader.tree_parents(tree)),
        lambda reader, tree, task: reader.task_details(task),
        lambda reader, tree, task: reader.task_attempts(task),
        lambda reader, tree, task: reader.edges_of(task),
        lambda reader, tree, task: reader.edges_of(task, undecided=True),
        lambda reader, tree, task: reader.dependants_of(task),
        lambda reader, tree, task: reader.count_edges(task),
        lambda reader, tree, task: write_result_document(reader, tree, bytes),
    ],
)
def test_no_read_passes_over_a_table(
    store: StoreBuilder, read: Callable[[StoreReader, TreeView, TaskView], object]
) -> None:
    with StoreReader(store.url) as reader:
        tree = reader.find_tree("@")
        task = reader.find_task(tree, "b")
        with statements() as sent:
            read(reader, tree, task)
    found = plans(store, sent)
    scans = {step for steps in found for step in steps if step.startswith("SCAN")} - ALLOWED
    # What is in progress is at most as much as there are places: that may be sorted.
    sorts = [steps for steps in found if "TEMP B-TREE" in str(steps) and IN_PROGRESS not in steps]

    assert (bool(found), scans, sorts) == (True, set(), [])


def test_the_tasks_in_progress_are_found_by_their_own_index(store: StoreBuilder) -> None:
    with StoreReader(store.url) as reader, statements() as sent:
        reader.overview(trees=5, tasks=5)
    steps = [step for steps in plans(store, sent) for step in steps if " tasks " in step]

    assert steps == [IN_PROGRESS, IN_PROGRESS]
