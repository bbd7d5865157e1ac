"""`list`, `show` and `tree`: what people read, and what programs read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from inboxd.store.tables import TaskState
from inboxd.task import EdgeOn

from ..store.build_store import NOON, StoreBuilder, TaskRow

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str, str]]

HOSTILE = "evil \x1b]52;c;aGk=\x07\u202e\nname"


def add_nightly(store: StoreBuilder) -> str:
    return store.add_tree(
        [
            TaskRow(id="root"),
            TaskRow(
                id="fetch",
                name=HOSTILE,
                parent=0,
                details={
                    "inputs": '{"argv":["x\\u001b"]}',
                    "other": '{"description":"é","x-a":[1]}',
                },
                columns={"result": '{"n": 1.50}', "retry": '{"limit":3}', "timeout": 90.0},
            ),
            TaskRow(
                id="load",
                parent=0,
                state=TaskState.FAILED,
                columns={"error": '{"code":"exit_status","message":"exit status 1","cause":null}'},
            ),
            TaskRow(
                id="report",
                state=TaskState.SKIPPED,
                edges=[(2, EdgeOn.SUCCESS)],
                columns={
                    "error": '{"code":"dependency_failed","cause":"load",'
                    '"message":"skipped because \\"load\\" failed"}'
                },
            ),
            TaskRow(
                id="later",
                state=TaskState.BLOCKED,
                edges=[(1, EdgeOn.SUCCESS), (5, EdgeOn.END)],
                columns={"unmet": 1},
            ),
            TaskRow(id="slow", state=TaskState.IN_PROGRESS),
        ],
        name="nightly",
        file_name=b"night\xff.json",
        started_at=NOON,
    )


def test_list_shows_each_tree_on_a_line(store: StoreBuilder, run: Run) -> None:
    nightly = add_nightly(store)
    other = store.add_tree(
        [TaskRow(id="a")], file_name=b"b.json", started_at=NOON, ended_at=NOON + 5
    )

    code, out, _ = run("list")
    lines = [line.split() for line in out.splitlines()]

    assert code == 0
    assert lines[0] == ["ID", "STATUS", "TASKS", "FAILED", "RECEIVED", "TIME", "NAME", "FILE"]
    assert [(line[0], line[1], line[2]) for line in lines[1:]] == [
        (other[-8:], "completed", "1/1"),
        (nightly[-8:], "in_progress", "4/6"),
    ]
    assert lines[2][-2:] == ["nightly", "night\\xff.json"]


def test_list_says_what_its_limit_left_out(store: StoreBuilder, run: Run) -> None:
    for _ in range(3):
        store.add_tree([TaskRow(id="a")])

    _, out, err = run("list", "--limit", "2")

    assert (len(out.splitlines()), "more than these 2" in err) == (3, True)


def test_list_by_status(store: StoreBuilder, run: Run) -> None:
    add_nightly(store)
    store.add_tree([TaskRow(id="a")])

    _, out, _ = run("list", "--status", "in_progress", "--json")

    assert [tree["name"] for tree in json.loads(out)["trees"]] == ["nightly"]


def test_list_json_has_the_documented_form(store: StoreBuilder, run: Run) -> None:
    nightly = add_nightly(store)

    _, out, _ = run("list", "--json")

    assert json.loads(out) == {
        "format": 1,
        "trees": [
            {
                "tree_id": nightly,
                "file": "night\\xff.json",
                "name": "nightly",
                "status": "in_progress",
                "counts": {
                    "total": 6, "pending": 1, "in_progress": 1, "completed": 2, "failed": 1,
                    "cancelled": 0, "skipped": 1,
                },
                "started_at": "2026-11-24T12:00:00.000000Z",
                "ended_at": None,
                "user_id": None,
                "received_at": "2026-11-24T12:00:00.000000Z",
                "accepted_at": "2026-11-24T12:00:00.001000Z",
            }
        ],
    }  # fmt: skip


@pytest.mark.usefixtures("store")
def test_list_of_an_empty_store_prints_no_data(run: Run) -> None:
    assert run("list") == (0, "", "no trees\n")
    assert json.loads(run("list", "--json")[1]) == {"format": 1, "trees": []}


def test_list_without_a_store_is_empty_and_says_why(run: Run) -> None:
    code, out, err = run("list")

    assert (code, out) == (0, "")
    assert "there is no store here yet" in err


def test_show_a_tree_lists_its_tasks_with_their_reasons(store: StoreBuilder, run: Run) -> None:
    nightly = add_nightly(store)

    code, out, _ = run("show", "nightly")

    assert code == 0
    assert f"tree      {nightly}\n" in out
    assert "4 of 6 ended: 2 completed, 1 failed, 1 skipped; 1 in progress, 1 pending\n" in out
    for reason in (
        "exit status 1",
        'skipped because "load" failed',
        "waits for slow (in progress) to end",
    ):
        assert f"  {reason}\n" in out


def test_nothing_foreign_reaches_the_terminal_unescaped(store: StoreBuilder, run: Run) -> None:
    add_nightly(store)
    store.add_tree([TaskRow(id="a")], name=HOSTILE, file_name=b"\x1b[31m.json", user_id=HOSTILE)

    shown = [run(*verb) for verb in (
        ["list"], ["show", "@"], ["show", "nightly/fetch"], ["tree", "nightly"], ["tree", "@"],
    )]  # fmt: skip

    assert [code for code, _, _ in shown] == [0] * 5
    for _, out, err in shown:
        assert not {"\x1b", "\x07", "\u202e"} & set(out + err)
    assert "evil \\x1b]52;c;aGk=\\x07\\u202e\\nname" in shown[3][1]


def test_show_a_tree_as_json_is_its_result_document(store: StoreBuilder, run: Run) -> None:
    nightly = add_nightly(store)

    document = json.loads(run("show", "@", "--json")[1])

    assert (document["format"], document["tree_id"], document["file"]) == (
        1,
        nightly,
        "night\\xff.json",
    )
    assert [task["id"] for task in document["tasks"]] == [
        "root", "fetch", "load", "report", "later", "slow",
    ]  # fmt: skip
    assert document["tasks"][1]["result"] == {"n": 1.5}


def test_show_a_large_tree_shows_first_what_failed_or_runs(store: StoreBuilder, run: Run) -> None:
    rows = [TaskRow(id=f"t{number}") for number in range(30)]
    rows[20].state, rows[25].state = TaskState.FAILED, TaskState.IN_PROGRESS
    store.add_tree(rows, started_at=NOON)

    _, out, err = run("show", "@", "--limit", "4")
    tasks = [line.split()[0] for line in out.split("\n\n")[1].splitlines()[1:]]

    assert tasks == ["t20", "t25", "t0", "t1"]
    assert "26 of 30 tasks are not shown" in err


def test_show_a_task_shows_everything_of_it(store: StoreBuilder, run: Run) -> None:
    add_nightly(store)
    store.add_attempt(task=2, number=1, start_seq=1, started_at=NOON, ended_at=NOON + 1_510_000,
                      outcome="completed", error=None)  # fmt: skip

    code, out, _ = run("show", "nightly/fetch")

    assert code == 0
    for line in (
        "parent      root",
        "dependants  later on success (pending)",
        "rules       3 retries, timeout 1 min 30 s",
        '  "description": "é",',
        '    "x\\u001b"',
        '  "n": 1.50',
    ):
        assert line in out


def test_show_a_skipped_task_tells_the_error_where_it_began(store: StoreBuilder, run: Run) -> None:
    add_nightly(store)

    assert 'skipped because "load" failed: exit status 1\n' in run("show", "@/report")[1]


def test_show_a_task_as_json_has_the_documented_form(store: StoreBuilder, run: Run) -> None:
    nightly = add_nightly(store)
    store.add_attempt(task=2, number=1, start_seq=2, started_at=NOON + 10_000,
                      ended_at=NOON + 1_510_000, outcome="completed", error=None)  # fmt: skip

    document = json.loads(run("show", "@/fetch", "--json")[1])

    assert document == {
        "format": 1,
        "tree_id": nightly,
        "id": "fetch",
        "name": HOSTILE,
        "description": "é",
        "user_id": None,
        "metadata": None,
        "schemas": None,
        "not_before": None,
        "x-a": [1],
        "parent_id": "root",
        "status": "completed",
        "reason": None,
        "priority": 2,
        "dependencies": [],
        "dependants": [{"id": "later", "on": "success", "status": "pending"}],
        "join": "all",
        "allow_failure": False,
        "executor": "noop",
        "inputs": {"argv": ["x\x1b"]},
        "params": {},
        "retry": {"limit": 3, "delay": 1.0, "backoff": 2.0, "max_delay": 300.0, "jitter": 0.1},
        "timeout": 90.0,
        "hold": False,
        "released": False,
        "delivery": "at_least_once",
        "due_at": "2026-11-24T12:00:00.000000Z",
        "result": {"n": 1.5},
        "error": None,
        "failures": 0,
        "interruptions": 0,
        "start_seq": 2,
        "started_at": "2026-11-24T12:00:00.010000Z",
        "ended_at": "2026-11-24T12:00:01.510000Z",
        "attempts": [
            {
                "number": 1,
                "start_seq": 2,
                "started_at": "2026-11-24T12:00:00.010000Z",
                "ended_at": "2026-11-24T12:00:01.510000Z",
                "outcome": "completed",
                "error": None,
            }
        ],
    }


@pytest.mark.parametrize(
    ("reference", "message"),
    [("nothing", 'no tree "nothing"'), ("@/nothing", 'no task "nothing"'), ("x/y", 'no tree "x"')],
)
def test_what_is_not_there_ends_with_3(
    store: StoreBuilder, run: Run, reference: str, message: str
) -> None:
    add_nightly(store)

    code, out, err = run("show", reference)

    assert (code, out, message in err) == (3, "", True)


def test_names_with_slashes_are_found(store: StoreBuilder, run: Run) -> None:
    store.add_tree([TaskRow(id="a", name="in/out"), TaskRow(id="b")], name="daily/eu")

    assert [run("show", name)[0] for name in ("daily/eu", "daily/eu/b", "daily/eu/in/out")] == [
        0
    ] * 3


def test_tree_draws_tasks_under_their_parents(store: StoreBuilder, run: Run) -> None:
    add_nightly(store)

    _, out, _ = run("tree", "nightly")
    lines = out.splitlines()

    assert lines[0].startswith("nightly ")
    assert [line[:12].rstrip() for line in lines[1:]] == [
        "├── root",
        "│   ├── fetc",
        "│   └── load",
        "├── report",
        "├── later",
        "└── slow",
    ]
    assert lines[3].split()[-6:] == ["failed", "1.50", "s", "exit", "status", "1"]


def test_tree_says_what_its_limit_left_out(store: StoreBuilder, run: Run) -> None:
    store.add_tree([TaskRow(id=f"t{number}") for number in range(2_500)])

    _, out, err = run("tree", "@", "--limit", "10")
    _, everything, nothing = run("tree", "@", "--limit", "0")

    assert (len(out.splitlines()), "2,490 of 2,500 tasks are not drawn" in err) == (11, True)
    assert (len(everything.splitlines()), nothing) == (2_501, "")


def test_tree_as_json_has_every_task_with_parent_and_reason(store: StoreBuilder, run: Run) -> None:
    add_nightly(store)

    document = json.loads(run("tree", "@", "--json", "--limit", "1")[1])

    assert [(task["id"], task["parent_id"], task["reason"]) for task in document["tasks"]] == [
        ("root", None, None),
        ("fetch", "root", None),
        ("load", "root", "exit status 1"),
        ("report", None, 'skipped because "load" failed'),
        ("later", None, "waits for slow (in progress) to end"),
        ("slow", None, None),
    ]
    assert list(document["tasks"][0]) == [
        "id", "name", "parent_id", "status", "reason", "executor", "priority", "attempts",
        "started_at", "ended_at",
    ]  # fmt: skip


def test_a_name_copied_from_a_list_is_found(store: StoreBuilder, run: Run) -> None:
    by_file = store.add_tree([TaskRow(id="a")], file_name=b"bad\xff\nx.json")
    by_name = store.add_tree([TaskRow(id="a")], name="evil \x1b name")

    found = [
        json.loads(run("show", name, "--json")[1])["tree_id"]
        for name in ("bad\\xff\\nx.json", "evil \\x1b name")
    ]

    assert [by_file, by_name] == found


def test_a_part_of_an_id_that_is_too_short_is_said_to_be(store: StoreBuilder, run: Run) -> None:
    store.add_tree([TaskRow(id="a")], name="nightly")

    code, _, err = run("show", "01a")

    assert code == 3
    assert "a part of an id needs at least 4 characters" in err


def test_what_the_envelope_says_of_the_tree_is_shown(store: StoreBuilder, run: Run) -> None:
    other = '{"metadata":{"team":"night \\u001b"},"x-ticket":7}'
    store.add_tree([TaskRow(id="a")], user_id="user123", other=other)

    _, page, _ = run("show", "@")
    document = json.loads(run("tree", "@", "--json")[1])

    assert [text in page for text in ("user123", '"team": "night ', '"x-ticket": 7')] == [True] * 3
    assert (
        document["user_id"],
        document["metadata"],
        document["x-ticket"],
    ) == ("user123", {"team": "night \x1b"}, 7)
