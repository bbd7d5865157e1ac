"""The reader over a real store: what it finds, in which order, and what it says if nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from inboxd.errors import AmbiguousReference, NotFound, StoreError
from inboxd.store.reader import NoStore, StoreReader
from inboxd.store.tables import TaskFlag, TaskState, TreeMark
from inboxd.task import EdgeOn, TaskErrorCode, TaskStatus

from .build_store import NOON, StoreBuilder, TaskRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ID_A = "01930000-0000-7000-8000-00000000cafe"
ID_B = "01930000-0000-7000-8000-00001111cafe"
ID_C = "01930000-0000-7000-8000-0000beef2222"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreBuilder]:
    builder = StoreBuilder(tmp_path)
    yield builder
    builder.close()


@pytest.fixture
def reader(store: StoreBuilder) -> Iterator[StoreReader]:
    with StoreReader(store.url) as opened:
        yield opened


def test_a_store_that_does_not_exist_yet_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NoStore, match="there is no store here yet"):
        StoreReader(f"sqlite:///{tmp_path}/none.db")


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    builder = StoreBuilder(tmp_path)
    builder.execute("PRAGMA application_id = 7")
    builder.close()

    with pytest.raises(StoreError, match="database of another program"):
        StoreReader(builder.url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inboxd.db").write_bytes(b"nothing of the kind, " * 100)

    with pytest.raises(StoreError, match="cannot be read"):
        StoreReader(f"sqlite:///{tmp_path}/inboxd.db")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("@", ID_C),
        (ID_A, ID_A),
        (ID_A.upper(), ID_A),
        ("1111cafe", ID_B),
        ("0000cafe", ID_A),
        ("beef", ID_C),
        ("eef2222", ID_C),
        ("weekly", ID_B),
        ("report.json", ID_C),
        ("1111", ID_B),
    ],
)
def test_a_tree_is_found_by_each_form_of_reference(
    store: StoreBuilder, reader: StoreReader, reference: str, expected: str
) -> None:
    store.add_tree([TaskRow(id="a")], public_id=ID_A, file_name=b"report.json", name="weekly")
    store.add_tree([TaskRow(id="a")], public_id=ID_B, file_name=b"other.json", name="weekly")
    store.add_tree([TaskRow(id="a")], public_id=ID_C, file_name=b"report.json")

    assert expected == reader.find_tree(reference).id


def test_the_newest_of_a_name_and_of_a_file_name_is_meant(
    store: StoreBuilder, reader: StoreReader
) -> None:
    store.add_tree([TaskRow(id="a")], file_name=b"x.json")
    named = store.add_tree([TaskRow(id="a")], name="x.json")

    assert named == reader.find_tree("x.json").id


def test_a_name_comes_before_a_part_of_an_id(store: StoreBuilder, reader: StoreReader) -> None:
    store.add_tree([TaskRow(id="a")], public_id=ID_A)
    named = store.add_tree([TaskRow(id="a")], name="cafe")

    assert named == reader.find_tree("cafe").id


def test_a_file_name_that_is_no_utf_8_is_found(store: StoreBuilder, reader: StoreReader) -> None:
    tree = store.add_tree([TaskRow(id="a")], file_name=b"caf\xe9.json")

    assert tree == reader.find_tree("caf\udce9.json").id


def test_a_part_of_several_ids_names_them_all(store: StoreBuilder, reader: StoreReader) -> None:
    store.add_tree([TaskRow(id="a")], public_id=ID_A, name="first\x1b[2J")
    store.add_tree([TaskRow(id="a")], public_id=ID_B)

    with pytest.raises(AmbiguousReference, match="several ids") as caught:
        reader.find_tree("cafe")
    assert caught.value.candidates == (ID_B, ID_A)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("reference", ["caf", "%", "____", "", "weekl%"])
def test_what_is_no_reference_is_not_found(
    store: StoreBuilder, reader: StoreReader, reference: str
) -> None:
    store.add_tree([TaskRow(id="a")], public_id=ID_A, name="weekly")

    with pytest.raises(NotFound):
        reader.find_tree(reference)


def test_a_typo_is_answered_with_the_nearest_name(store: StoreBuilder, reader: StoreReader) -> None:
    store.add_tree([TaskRow(id="a")], name="nightly")

    with pytest.raises(NotFound, match='no tree "nigtly" in the store; did you mean "nightly"'):
        reader.find_tree("nigtly")


def test_a_tree_is_not_seen_before_its_acceptance(store: StoreBuilder, reader: StoreReader) -> None:
    tree = store.add_tree([TaskRow(id="a", state=TaskState.PARKED)], name="n", accepted=False)

    assert reader.list_trees() == []
    assert reader.tree(tree) is None
    assert reader.count_open_trees() == 0
    for reference in ("@", tree, tree[-8:], tree[-6:], "n"):
        with pytest.raises(NotFound):
            reader.find_tree(reference)


def test_trees_are_listed_newest_first_a_page_at_a_time(
    store: StoreBuilder, reader: StoreReader
) -> None:
    ids = [store.add_tree([TaskRow(id="a")]) for _ in range(5)]

    first = reader.list_trees(limit=3)
    second = reader.list_trees(limit=3, before=first[-1].number)

    assert ids[::-1] == [tree.id for tree in first + second]


def test_trees_are_listed_by_status(store: StoreBuilder, reader: StoreReader) -> None:
    store.add_tree([TaskRow(id="a")])
    failed = store.add_tree([TaskRow(id="a", state=TaskState.FAILED)], status="failed")

    assert [failed] == [tree.id for tree in reader.list_trees(status=TaskStatus.FAILED)]


def test_the_counts_of_a_tree_add_up_to_its_total(store: StoreBuilder, reader: StoreReader) -> None:
    store.add_tree(
        [TaskRow(id=f"t{state.value}", state=state) for state in TaskState], failed=0, tolerated=1
    )
    store.add_tree([TaskRow(id="other", state=TaskState.IN_PROGRESS)])

    counts = reader.list_trees()[1].counts

    assert (
        counts.total, counts.pending, counts.in_progress, counts.completed, counts.failed,
        counts.cancelled, counts.skipped, counts.ended,
    ) == (11, 6, 1, 1, 1, 1, 1, 4)  # fmt: skip


def test_open_trees_come_oldest_first(store: StoreBuilder, reader: StoreReader) -> None:
    ended = store.add_tree([TaskRow(id="a")], ended_at=NOON)
    opened = [store.add_tree([TaskRow(id="a", state=TaskState.READY)]) for _ in range(3)]

    assert opened[:2] == [tree.id for tree in reader.open_trees(2)]
    assert (reader.count_open_trees(), reader.count_open_trees(2)) == (3, 2)
    assert ended not in {tree.id for tree in reader.open_trees(9)}


def test_the_tasks_of_a_tree_come_in_order_over_many_pages(
    store: StoreBuilder, reader: StoreReader
) -> None:
    store.add_tree([TaskRow(id="before")])
    store.add_tree([TaskRow(id=f"t{number}") for number in range(4_500)])
    store.add_tree([TaskRow(id="after")])

    tree = reader.list_trees()[1]

    assert [f"t{number}" for number in range(4_500)] == [t.id for t in reader.tree_tasks(tree)]
    assert [t.position for t in reader.tree_tasks(tree, start=3_999, end=4_001)] == [3_999, 4_000]


def test_a_task_is_found_by_its_id_else_by_its_only_name(
    store: StoreBuilder, reader: StoreReader
) -> None:
    store.add_tree([TaskRow(id="a"), TaskRow(id="b", name="a"), TaskRow(id="c", name="Load it")])
    store.add_tree([TaskRow(id="a", name="Load it")])
    tree = reader.list_trees()[1]

    assert (
        reader.find_task(tree, "a").position,
        reader.find_task(tree, "Load it").position,
    ) == (0, 2)


def test_a_name_of_several_tasks_is_ambiguous(store: StoreBuilder, reader: StoreReader) -> None:
    store.add_tree([TaskRow(id="a", name="load"), TaskRow(id="b", name="load")])

    with pytest.raises(AmbiguousReference, match='as "a" or "b"'):
        reader.find_task(reader.find_tree("@"), "load")


def test_a_task_that_is_not_there_is_answered_with_the_nearest(
    store: StoreBuilder, reader: StoreReader
) -> None:
    store.add_tree([TaskRow(id="fetch_data")])

    with pytest.raises(NotFound, match='did you mean "fetch_data"'):
        reader.find_task(reader.find_tree("@"), "fetch_dat")


def test_a_task_shows_what_its_row_and_its_details_hold(
    store: StoreBuilder, reader: StoreReader
) -> None:
    store.add_tree(
        [
            TaskRow(id="root"),
            TaskRow(
                id="b",
                name="B",
                state=TaskState.FAILED,
                parent=0,
                flags=TaskFlag.ALLOW_FAILURE | TaskFlag.JOIN_ANY,
                details={"inputs": '{"argv":["x"]}', "other": '{"description":"é"}'},
                columns={
                    "error": '{"code":"exit_status","message":"no","cause":null,"exit_code":2}',
                    "result": '{"exit_code":2}',
                    "retry": '{"limit":3}',
                    "timeout": 1.5,
                },
            ),
        ]
    )
    task = reader.find_task(reader.find_tree("@"), "b")
    details = reader.task_details(task)

    assert task.error is not None
    assert (task.error.code, task.error.exit_code) == (TaskErrorCode.EXIT_STATUS, 2)
    assert task.retry is not None
    assert (
        task.retry.limit, task.timeout_seconds, task.parent, task.allow_failure, task.join_any,
        task.strict,
    ) == (3, 1.5, 1, True, True, False)  # fmt: skip
    assert (b'{"argv":["x"]}', None, '{"description":"é"}'.encode(), b'{"exit_code":2}') == (
        details.inputs, details.params, details.other, details.result,
    )  # fmt: skip


def test_the_attempt_in_progress_comes_after_those_that_are_over(
    store: StoreBuilder, reader: StoreReader
) -> None:
    store.add_tree([TaskRow(id="a", state=TaskState.IN_PROGRESS, columns={"attempt": 2})])
    store.add_attempt(
        task=1, number=1, start_seq=1, started_at=NOON, ended_at=NOON + 5, outcome="timeout",
        error='{"code":"timeout","message":"took too long","cause":null}',
    )  # fmt: skip
    attempts = reader.task_attempts(reader.find_task(reader.find_tree("@"), "a"))

    assert [(attempt.number, attempt.outcome, attempt.ended_at) for attempt in attempts] == [
        (1, "timeout", NOON + 5),
        (2, None, None),
    ]


def test_edges_are_seen_from_both_ends(store: StoreBuilder, reader: StoreReader) -> None:
    store.add_tree(
        [
            TaskRow(id="a"),
            TaskRow(id="b", state=TaskState.IN_PROGRESS),
            TaskRow(
                id="c",
                state=TaskState.BLOCKED,
                edges=[(1, EdgeOn.END), (0, EdgeOn.SUCCESS), (0, EdgeOn.FAILURE)],
            ),
        ]
    )
    tree = reader.find_tree("@")
    a, c = reader.find_task(tree, "a"), reader.find_task(tree, "c")

    assert [(edge.id, edge.on) for edge in reader.edges_of(c)] == [
        ("a", EdgeOn.SUCCESS),
        ("a", EdgeOn.FAILURE),
        ("b", EdgeOn.END),
    ]
    assert [(edge.id, edge.status) for edge in reader.edges_of(c, undecided=True)] == [
        ("b", TaskStatus.IN_PROGRESS)
    ]
    assert [edge.id for edge in reader.dependants_of(a)] == ["c", "c"]
    assert (reader.count_edges(a), reader.count_edges(c)) == ((0, 2), (3, 0))


def test_running_tasks_come_in_the_order_of_their_starts(
    store: StoreBuilder, reader: StoreReader
) -> None:
    store.add_tree([TaskRow(id="a", state=TaskState.IN_PROGRESS, columns={"start_seq": 9})])
    second = store.add_tree(
        [TaskRow(id="b"), TaskRow(id="c", state=TaskState.IN_PROGRESS, columns={"start_seq": 3})]
    )
    running = reader.running_tasks()

    assert [(task.task_id, task.position) for task in running] == [("c", 1), ("a", 0)]
    assert second == running[0].tree_id
    assert reader.running_by_tree() == {1: 1, 2: 1}


def test_tasks_in_a_state_and_parents_are_read_by_position(
    store: StoreBuilder, reader: StoreReader
) -> None:
    store.add_tree([TaskRow(id="x", state=TaskState.FAILED)])
    store.add_tree(
        [
            TaskRow(id="a", state=TaskState.FAILED),
            TaskRow(id="b", parent=2),
            TaskRow(id="c", parent=0, state=TaskState.FAILED),
        ]
    )
    tree = reader.find_tree("@")

    assert [task.id for task in reader.tasks_in_state(tree, TaskState.FAILED, 1)] == ["a"]
    assert [task.id for task in reader.tasks_in_state(tree, TaskState.FAILED, 9)] == ["a", "c"]
    assert list(reader.tree_parents(tree)) == [(1, 2), (2, 0)]


def test_several_threads_may_read_by_one_reader(store: StoreBuilder, reader: StoreReader) -> None:
    store.add_tree([TaskRow(id=f"t{number}") for number in range(3_000)])
    tree = reader.find_tree("@")
    counted: list[int] = []

    def count() -> None:
        counted.append(sum(1 for _ in reader.tree_tasks(tree)))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert counted == [3_000] * 4


def test_a_reader_sees_what_was_committed_since(store: StoreBuilder, reader: StoreReader) -> None:
    assert reader.list_trees() == []
    tree = store.add_tree([TaskRow(id="a")])

    assert [tree] == [seen.id for seen in reader.list_trees()]


def test_closing_twice_is_allowed(store: StoreBuilder) -> None:
    reader = StoreReader(store.url)
    reader.close()

    reader.close()


def test_a_task_that_a_person_holds_back_says_so(store: StoreBuilder) -> None:
    tree_id = store.add_tree(
        [
            TaskRow(id="a", state=TaskState.PARKED),
            TaskRow(id="b", state=TaskState.IN_PROGRESS, flags=TaskFlag.CANCEL_REQUESTED),
        ],
        marks=TreeMark.PAUSED,
    )
    other_id = store.add_tree([TaskRow(id="a", state=TaskState.READY)])
    store.execute("INSERT INTO meta (key, value) VALUES ('paused', 1)")
    with StoreReader(store.url) as reader:
        found: list[str | None] = []
        for one in (tree_id, other_id):
            tree = reader.tree(one)
            assert tree is not None
            page = list(reader.tree_tasks(tree))
            found += reader.task_reasons(page, now=NOON).values()

    assert found == ["its tree is paused", "is being cancelled", "everything is paused"]
