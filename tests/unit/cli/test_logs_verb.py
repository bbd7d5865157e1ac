"""`logs`: which attempt is printed, from which files, and what is said when there is none."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from inboxd.running.logs import attempt_log_paths
from inboxd.store.tables import TaskState

from ..store.build_store import NOON, StoreBuilder, TaskRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]
    Write = Callable[..., None]


@pytest.fixture
def tree(store: StoreBuilder) -> str:
    """Give a tree of a task that ended after two attempts, one in progress, and one that waits."""
    tree = store.add_tree(
        [
            TaskRow(id="done", columns={"attempt": 2}),
            TaskRow(id="now", state=TaskState.IN_PROGRESS),
            TaskRow(
                id="never",
                state=TaskState.SKIPPED,
                columns={
                    "error": '{"code":"condition","message":"skipped because \\"done\\" completed",'
                    '"cause":"done"}'
                },
            ),
            TaskRow(id="next", state=TaskState.READY),
        ],
        name="nightly",
        started_at=NOON,
    )
    for number, outcome, error in (
        (1, "exit_status", '{"code":"exit_status","message":"status 7"}'),
        (2, "completed", None),
    ):
        store.add_attempt(
            task=1,
            number=number,
            start_seq=number,
            started_at=NOON,
            ended_at=NOON + 1_000_000,
            outcome=outcome,
            error=error,
        )
    return tree


@pytest.fixture
def write(state: Path, tree: str) -> Write:
    """Give a function that appends to the log of an attempt."""

    def append(position: int, number: int, *, out: bytes = b"", err: bytes = b"") -> None:
        for path, data in zip(
            attempt_log_paths(state, tree, position, number), (out, err), strict=True
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            if data:
                with path.open("ab") as file:
                    file.write(data)

    return append


def test_the_newest_attempt_is_printed(write: Write, run: Run) -> None:
    write(0, 1, out=b"first\n")
    write(0, 2, out=b"second\n")

    assert run("logs", "nightly/done") == (0, "second\n", "")


def test_an_attempt_is_chosen_by_its_number(write: Write, run: Run) -> None:
    write(0, 1, out=b"first\n")
    write(0, 2, out=b"second\n")

    assert run("logs", "nightly/done", "--attempt", "1")[1] == "first\n"


def test_stdout_comes_before_stderr_and_each_is_named_beside_the_data(
    write: Write, run: Run
) -> None:
    write(0, 2, out=b"out\n", err=b"err\n")

    assert run("logs", "@/done") == (0, "out\nerr\n", "==> stdout <==\n==> stderr <==\n")


def test_one_stream_alone_is_printed_as_it_is(write: Write, run: Run) -> None:
    write(0, 2, out=b"out\n", err=b"err\n")

    assert run("logs", "@/done", "--stream", "stderr") == (0, "err\n", "")


def test_as_json_each_piece_is_a_line(write: Write, run: Run) -> None:
    write(0, 2, out=b"out\n", err=b"err\x1b\n")

    lines = [json.loads(line) for line in run("logs", "@/done", "--json")[1].splitlines()]

    assert lines == [
        {"stream": "stdout", "text": "out\n"},
        {"stream": "stderr", "text": "err\x1b\n"},
    ]


@pytest.mark.usefixtures("tree")
def test_an_attempt_that_wrote_nothing_is_no_error(run: Run) -> None:
    assert run("logs", "@/done") == (0, "", "attempt 2 of done wrote nothing\n")


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["@/next"], 'task "next" was never started: ready; -f waits for its start'),
        (["@/never"], 'task "never" was never started: skipped because "done" completed'),
        (["@/never", "-f"], 'task "never" was never started: skipped because "done" completed'),
        (["@/done", "--attempt", "3"], 'task "done" has no attempt 3; its newest is 2'),
        (["@/nothing"], 'no task "nothing"'),
    ],
)
def test_what_there_is_not_ends_with_3(run: Run, arguments: list[str], message: str) -> None:
    code, out, err = run("logs", *arguments)

    assert (code, out) == (3, "")
    assert message in err


def test_an_attempt_in_progress_is_followed_to_its_end(
    write: Write, run: Run, store: StoreBuilder
) -> None:
    write(1, 1, out=b"one\n")

    def go_on() -> None:
        for number in range(5):
            write(1, 1, out=b"more %d\n" % number)
        store.add_attempt(task=2, number=1, start_seq=3, started_at=NOON, ended_at=NOON + 3_000_000,
                          outcome="completed", error=None)  # fmt: skip
        write(1, 1, err=b"last\n")
        store.execute("UPDATE tasks SET state = 20 WHERE id = 2")

    going = threading.Thread(target=go_on)
    going.start()
    code, out, err = run("logs", "-f", "@/now")
    going.join(60)

    assert (code, out) == (0, "one\n" + "".join(f"more {n}\n" for n in range(5)) + "last\n")
    assert err.endswith("attempt 1 of now ended after 3.00 s: completed\n")


def test_following_an_attempt_that_is_over_prints_it_and_ends(write: Write, run: Run) -> None:
    write(0, 1, out=b"first\n")

    code, out, err = run("logs", "-f", "@/done", "--attempt", "1")

    assert (code, out) == (0, "first\n")
    assert err.endswith("attempt 1 of done ended after 1.00 s: status 7\n")


def test_a_tree_without_a_task_is_a_usage_error(store: StoreBuilder, run: Run) -> None:
    store.add_tree([TaskRow(id="a")])

    code, _, err = run("logs", "@")

    assert code == 2
    assert '"@" names no task: write TREE/TASK' in err
