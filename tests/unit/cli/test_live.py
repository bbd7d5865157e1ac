"""The live view: what stays in place is bounded, and what is told appears."""

from __future__ import annotations

import io
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from inboxd.cli.live import LiveView, can_show_live_view
from inboxd.cli.render.live_screen import Tally, live_screen, rows_for
from inboxd.events import DrainBegan, FileTaken, TaskProgress, TreeEnded
from inboxd.store.reader import StoreReader
from inboxd.store.tables import TaskState
from inboxd.task import TaskStatus

from ..store.build_store import NOON, StoreBuilder, TaskRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TREE = "01930000-0000-7000-8000-0000beef2222"


def screen(
    store: StoreBuilder,
    *,
    height: int = 24,
    tally: Tally | None = None,
    progress: dict[tuple[str, str], TaskProgress] | None = None,
) -> list[str]:
    console = Console(file=io.StringIO(), width=100, height=height, color_system=None)
    trees, tasks = rows_for(height)
    with StoreReader(store.url) as reader:
        overview = reader.overview(trees=trees, tasks=tasks)
    shown = live_screen(
        overview, tally or Tally(), inbox=Path("inbox"), stopping=False, now=NOON + 70_000_000,
        trees=trees, tasks=tasks, progress=progress or {},
    )  # fmt: skip
    with console.capture() as captured:
        console.print(shown)
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_tree_has_its_bar_and_a_running_task_its_time(store: StoreBuilder) -> None:
    store.add_tree(
        [
            TaskRow(id="a"),
            TaskRow(id="b", state=TaskState.IN_PROGRESS, columns={"attempt": 2}),
            TaskRow(id="c", state=TaskState.FAILED),
            TaskRow(id="d", state=TaskState.BLOCKED),
        ],
        name="nightly",
        started_at=NOON,
    )

    lines = screen(store, tally=Tally(taken=3, rejected=1, ended=2, unsuccessful=1))

    assert lines[0] == (
        "inboxd  3 files taken, 1 rejected, 1 tree open, 2 ended, 1 of them failed or cancelled,"
        " 1 running"
    )
    assert lines[1].split()[0] == "nightly"
    assert lines[1].endswith("2/4  1 min 10 s  1 running 1 failed")
    assert lines[2].startswith("b ")
    assert lines[2].endswith("1 min 10 s  attempt 2")


def said(attempt: int, fraction: float | None, message: str) -> dict[tuple[str, str], TaskProgress]:
    event = TaskProgress(
        tree_id=TREE, task_id="b", attempt=attempt, fraction=fraction, message=message
    )
    return {(TREE, "b"): event}


@pytest.mark.parametrize(
    ("progress", "ending"),
    [
        (said(2, 0.456, "of a \x1b[2J page"), r"attempt 2  46% of a \x1b[2J page"),
        (said(2, None, "still"), "attempt 2  still"),
        (said(1, 0.9, "of an earlier attempt"), "attempt 2"),
    ],
)
def test_a_running_task_shows_how_far_it_says_it_is(
    store: StoreBuilder, progress: dict[tuple[str, str], TaskProgress], ending: str
) -> None:
    running = TaskRow(id="b", state=TaskState.IN_PROGRESS, columns={"attempt": 2})
    store.add_tree([running], public_id=TREE, started_at=NOON)

    lines = screen(store, progress=progress)

    assert lines[2].endswith(ending)


def test_an_idle_daemon_says_where_it_waits(store: StoreBuilder) -> None:
    assert screen(store) == ["inboxd  0 files taken, 0 trees open  waiting for files in inbox"]


@pytest.mark.parametrize("height", [5, 10, 24, 80])
def test_the_screen_is_never_higher_than_the_terminal(store: StoreBuilder, height: int) -> None:
    for _ in range(30):
        store.add_tree([TaskRow(id="a", state=TaskState.IN_PROGRESS)], started_at=NOON)

    lines = screen(store, height=height)

    assert len(lines) < height
    assert lines[-1].endswith("more running")


def test_of_many_trees_the_busiest_are_shown_and_the_others_counted(store: StoreBuilder) -> None:
    for number in range(50):
        running = [TaskRow(id=f"t{n}", state=TaskState.IN_PROGRESS) for n in range(number // 45)]
        store.add_tree([*running, TaskRow(id="z", state=TaskState.READY)], name=f"tree-{number}")

    lines = screen(store)

    assert [line.split()[0] for line in lines[1:11]] == [
        *(f"tree-{number}" for number in range(5)),
        *(f"tree-{number}" for number in range(45, 50)),
    ]
    assert lines[11] == "  … and 40 more trees"


@pytest.fixture
def shown(store: StoreBuilder, tmp_path: Path) -> Iterator[tuple[LiveView, Callable[[str], None]]]:
    """Give a started view, and a function that waits until its terminal has shown a text."""
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=100, height=24, color_system=None)
    view = LiveView(store_url=store.url, state=tmp_path, inbox=tmp_path / "in", console=console)

    def wait_for(text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in terminal.getvalue():
            assert time.monotonic() < deadline, terminal.getvalue()
            time.sleep(0.01)

    view.start()
    yield view, wait_for
    view.stop()


def test_what_is_told_is_shown(
    shown: tuple[LiveView, Callable[[str], None]], store: StoreBuilder
) -> None:
    view, wait_for = shown
    store.add_tree([TaskRow(id="a", state=TaskState.IN_PROGRESS)], name="nightly")

    view.note(FileTaken(file_name=b"a.json", tree_id=TREE, tree_name=None, task_count=3))

    wait_for("a.json taken as beef2222, 3 tasks")
    wait_for("1 file taken, 1 tree open, 1 running")

    view.note(DrainBegan(running=1, seconds=30))

    wait_for("waits up to 30 s for 1 running task")


def test_warnings_of_the_log_are_shown_among_the_events(
    shown: tuple[LiveView, Callable[[str], None]],
) -> None:
    view, wait_for = shown
    logger = logging.Logger("inboxd.test")  # noqa: LOG001 - one that no other test shares
    logger.addHandler(view.handler)

    logger.info("not this one")
    logger.warning("disk is low", extra={"event": "low", "free": "1\x1b"})

    wait_for('WARNING disk is low free="1\\x1b"')


def test_the_last_events_are_shown_and_summed_up_when_it_stops(
    shown: tuple[LiveView, Callable[[str], None]],
) -> None:
    view, wait_for = shown
    for status in (TaskStatus.COMPLETED, TaskStatus.FAILED):
        view.note(
            TreeEnded(
                tree_id=TREE, tree_name="n", file_name=None, status=status, seconds=1,
                task_count=1, failed=0,
            )
        )  # fmt: skip
    view.start()
    view.stop()
    view.stop()

    wait_for("n beef2222 completed after 1.00 s, 1 task")
    wait_for("0 files taken, 0 trees open, 2 ended, 1 of them failed or cancelled")


def test_a_store_that_cannot_be_read_is_said_once_and_read_again(
    shown: tuple[LiveView, Callable[[str], None]], store: StoreBuilder
) -> None:
    view, wait_for = shown
    wait_for("0 trees open")
    store.execute("ALTER TABLE tasks RENAME TO elsewhere")
    view.note(FileTaken(file_name=b"a.json", tree_id=TREE, tree_name=None, task_count=3))

    wait_for("the store cannot be read")

    store.execute("ALTER TABLE elsewhere RENAME TO tasks")
    store.add_tree([TaskRow(id="a", state=TaskState.READY)])
    view.note(FileTaken(file_name=b"b.json", tree_id=TREE, tree_name=None, task_count=3))

    wait_for("2 files taken, 1 tree open")


def test_without_a_store_there_is_no_view_but_no_traceback(tmp_path: Path) -> None:
    terminal = io.StringIO()
    view = LiveView(
        store_url=f"sqlite:///{tmp_path}/none.db",
        state=tmp_path,
        inbox=tmp_path,
        console=Console(file=terminal, force_terminal=True, width=100, color_system=None),
    )
    view.start()
    view.stop()

    assert "no live view: " in terminal.getvalue()


def test_only_a_terminal_that_can_be_drawn_on_gets_the_view() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert can_show_live_view(Terminal(), {"TERM": "xterm"})
    assert not can_show_live_view(Terminal(), {"TERM": "dumb"})
    assert not can_show_live_view(Terminal(), {})
    assert not can_show_live_view(io.StringIO(), {"TERM": "xterm"})
