from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, Mask, WatchDescriptor

from inboxd.inbox.settle import Hint
from inboxd.inbox.watcher import Watcher

from .descriptors import open_descriptors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMIT_SECONDS = 60.0


class Watched:
    """A directory with a watch on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wake = threading.Event()
        self.watcher = Watcher(self.wake, (b".json",))
        self.directory = os.open(path, os.O_RDONLY)
        assert self.watcher.watch(self.directory)

    def close(self) -> None:
        self.watcher.stop()
        os.close(self.directory)

    def hints_after(self, act: Callable[[], object]) -> dict[bytes, Hint]:
        """Return the hints of what *act* does; events come in order, so a last file ends them."""
        act()
        (self.path / ".last").touch()
        (self.path / ".last").rename(self.path / "last.json")
        hints: dict[bytes, Hint] = {}
        deadline = time.monotonic() + LIMIT_SECONDS
        while b"last.json" not in hints:
            assert time.monotonic() < deadline, "the events did not come"
            self.wake.wait(LIMIT_SECONDS)
            self.wake.clear()
            hints |= self.watcher.take()
        del hints[b"last.json"]
        return hints


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    path = tmp_path / "inbox"
    path.mkdir()
    watched = Watched(path)
    yield watched
    watched.close()


def test_a_file_moved_in_is_whole(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "outside").touch()

    assert watched.hints_after(lambda: (tmp_path / "outside").rename(watched.path / "a.json")) == {
        b"a.json": Hint.WHOLE
    }


def test_a_file_that_was_written_and_closed_is_whole(watched: Watched) -> None:
    hints = watched.hints_after(lambda: (watched.path / "a.json").write_text("[]"))

    assert hints == {b"a.json": Hint.WHOLE}


def test_a_file_that_is_still_written_to_is_not(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "outside").touch()
    (tmp_path / "outside").rename(watched.path / "a.json")
    with (watched.path / "a.json").open("w") as file:

        def write() -> None:
            file.write("[")
            file.flush()

        hints = watched.hints_after(write)

    assert hints == {b"a.json": Hint.CHANGED}


def test_names_that_are_never_taken_wake_nobody(watched: Watched) -> None:
    def act() -> None:
        for name in (".a.json", "a.tmp", "a.txt"):
            (watched.path / name).write_text("[]")
        (watched.path / "directory.json").mkdir()

    assert watched.hints_after(act) == {}


def test_a_name_that_is_no_utf8_comes_as_it_is(watched: Watched) -> None:
    path = bytes(watched.path) + b"/caf\xe9.json"

    assert watched.hints_after(lambda: os.close(os.open(path, os.O_CREAT | os.O_WRONLY))) == {
        b"caf\xe9.json": Hint.WHOLE
    }


def test_a_claim_is_no_event(watched: Watched, tmp_path: Path) -> None:
    # One that is renamed out would hold back all that come after it by 0.5 s (watchdog 7.1).
    (watched.path / "a.json").touch()
    watched.hints_after(lambda: None)

    assert watched.hints_after(lambda: (watched.path / "a.json").rename(tmp_path / "a")) == {}


def test_an_overflow_of_the_kernel_s_queue_wakes(watched: Watched) -> None:
    watched.hints_after(lambda: None)
    watched.wake.clear()
    reader = watched.watcher._reader
    assert reader is not None
    reader.handle_event(
        InotifyEvent(WatchDescriptor(-1), Mask(InotifyConstants.IN_Q_OVERFLOW), 0, b"")
    )

    assert watched.wake.is_set()


def test_more_hints_than_are_kept_are_forgotten_together(watched: Watched) -> None:
    arrivals = watched.watcher._arrivals
    for number in range(65_537):
        name = f"{number}.json".encode()
        arrivals.on_event(
            InotifyEvent(WatchDescriptor(1), Mask(InotifyConstants.IN_MOVED_TO), 0, name)
        )

    assert list(watched.watcher.take()) == [b"65536.json"]


def test_a_directory_that_is_moved_away_is_watched_no_more(
    watched: Watched, tmp_path: Path
) -> None:
    watched.wake.clear()
    was_watching = watched.watcher.is_watching()
    watched.path.rename(tmp_path / "away")
    woke = watched.wake.wait(LIMIT_SECONDS)

    assert (was_watching, woke, watched.watcher.is_watching()) == (True, True, False)


def test_watching_anew_and_stopping_may_come_in_any_order(watched: Watched) -> None:
    watched.watcher.watch(watched.directory)
    watched.watcher.stop()
    watched.watcher.stop()
    stopped = watched.watcher.is_watching()
    watched.watcher.watch(watched.directory)

    assert not stopped
    assert watched.hints_after((watched.path / "a.json").touch) == {b"a.json": Hint.WHOLE}


def test_stopping_leaves_no_descriptor_and_no_thread_behind(tmp_path: Path) -> None:
    descriptors = open_descriptors()
    threads = threading.active_count()
    watched = Watched(tmp_path)
    watched.close()

    assert open_descriptors() == descriptors
    assert threading.active_count() == threads


def test_what_cannot_be_watched_is_a_problem_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    watcher = Watcher(threading.Event(), (b".json",))
    file = os.open(tmp_path / "file", os.O_RDONLY)
    works = watcher.watch(file)
    os.close(file)

    assert (works, watcher.is_watching()) == (False, False)
    assert watcher.problem == "Not a directory"
