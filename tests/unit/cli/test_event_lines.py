"""Events as lines: what is said, what is left out and counted, and that it is safe to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxd.cli.render.event_lines import MOST_OF_A_KIND, event_lines, last_lines
from inboxd.events import DrainBegan, Event, FileRejected, FileTaken, TaskFailed, TreeEnded
from inboxd.running.paths import attempt_files
from inboxd.task import TaskStatus

from ..store.build_store import NOON

if TYPE_CHECKING:
    from pathlib import Path

TREE = "01930000-0000-7000-8000-0000beef2222"


def lines_of(*events: Event, tail: tuple[str, ...] = ()) -> list[str]:
    return [line.plain for line in event_lines(events, now=NOON, log_tail=lambda _: tail)]


def taken(name: bytes = b"a.json", **changes: Any) -> FileTaken:
    facts = {"tree_id": TREE, "tree_name": None, "task_count": 3, **changes}
    return FileTaken(file_name=name, **facts)


def failed(**changes: Any) -> TaskFailed:
    facts: dict[str, Any] = {
        "tree_id": TREE, "tree_name": "nightly", "file_name": b"a.json", "task_id": "fetch",
        "position": 1_234, "attempt": 2, "code": "exit_status", "message": "exit status 7",
        **changes,
    }  # fmt: skip
    return TaskFailed(**facts)


def ended(**changes: Any) -> TreeEnded:
    facts: dict[str, Any] = {
        "tree_id": TREE, "tree_name": "nightly", "file_name": None,
        "status": TaskStatus.COMPLETED, "seconds": 12.34, "task_count": 3, "failed": 0, **changes,
    }  # fmt: skip
    return TreeEnded(**facts)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (taken(), ["a.json taken as beef2222, 3 tasks"]),
        (
            taken(task_count=1, warnings=1),
            ["a.json taken as beef2222, 1 task, 1 warning in its receipt"],
        ),
        (taken(duplicate=True), ["a.json is a duplicate of beef2222; nothing new runs"]),
        (
            FileRejected(file_name=b"b\xff.json", problems=("p1", "p2", "p3"), problem_count=5),
            [
                "b\\xff.json rejected: 5 problems",
                *("    p1", "    p2", "    p3"),
                "    … 2 more in its receipt",
            ],
        ),
        (failed(), ["fetch in nightly beef2222 failed (attempt 2): exit status 7"]),
        (
            failed(retry_at=NOON + 4_000_000, tree_name=None),
            ["fetch in a.json beef2222 failed (attempt 2): exit status 7; again in 4.00 s"],
        ),
        (ended(), ["nightly beef2222 completed after 12 s, 3 tasks"]),
        (
            ended(status=TaskStatus.FAILED, failed=2, task_count=1_000),
            ["nightly beef2222 failed after 12 s, 2 of 1,000 tasks failed"],
        ),
        (
            DrainBegan(running=2, seconds=30),
            ["stopping; waits up to 30 s for 2 running tasks; once more cuts them"],
        ),
        (DrainBegan(running=1, seconds=None), ["stopping; cuts 1 running task"]),
        (DrainBegan(running=0, seconds=30), ["stopping"]),
    ],
)  # fmt: skip
def test_each_event_has_its_lines(event: Event, expected: list[str]) -> None:
    assert expected == lines_of(event)


def test_a_failure_is_followed_by_the_end_of_its_log() -> None:
    assert lines_of(failed(), tail=("one", "two\x1b[2J"))[1:] == ["    one", "    two\\x1b[2J"]


def test_a_log_that_the_message_quotes_whole_is_not_repeated() -> None:
    assert (
        len(lines_of(failed(message="exit status 7: no\\x1b route"), tail=("no\x1b route",))) == 1
    )
    assert len(lines_of(failed(message="exit status 7: no"), tail=("first", "no"))) == 3


def test_of_many_events_of_a_kind_the_others_are_counted() -> None:
    lines = lines_of(*[taken(b"%d.json" % number) for number in range(5_000)], ended())

    assert (len(lines), lines[-1]) == (MOST_OF_A_KIND + 2, "  … and 4,990 more files taken")
    assert lines[MOST_OF_A_KIND].startswith("nightly")


def test_nothing_foreign_is_shown_unescaped() -> None:
    evil = "\x1b\x07\u202e\r\n"
    lines = lines_of(
        taken(evil.encode()),
        FileRejected(file_name=evil.encode(), problems=(evil,), problem_count=1),
        failed(task_id=evil, tree_name=evil, message=evil),
        ended(tree_name=evil),
        tail=(evil,),
    )

    assert not set(evil) & set("".join(lines))


def write_log(state: Path, out: bytes, err: bytes) -> None:
    files = attempt_files(state, TREE, 1_234, 2)
    for path, data in ((files.out, out), (files.err, err)):
        target = state / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def test_the_last_lines_are_those_of_stderr(tmp_path: Path) -> None:
    write_log(
        tmp_path, b"out\n", b"".join(b"line %d\n" % number for number in range(5_000)) + b"\n\n"
    )

    assert last_lines(tmp_path, failed()) == [f"line {number}" for number in range(4_995, 5_000)]


def test_without_stderr_the_last_lines_are_those_of_stdout(tmp_path: Path) -> None:
    write_log(tmp_path, b"a\nb\xff", b"\n")

    assert last_lines(tmp_path, failed()) == ["a", "b\ufffd"]


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    write_log(tmp_path, b"", b"x" * 100_000)

    assert last_lines(tmp_path, failed()) == ["x" * 500]


def test_an_attempt_without_a_log_has_no_last_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path, failed()) == []
