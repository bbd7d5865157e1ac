"""Children that a plugin forks do not hold the daemon's locks."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from inboxd.config.settings import InboxSettings
from inboxd.inbox.directory import open_inbox
from inboxd.running.locks import AttemptLocks, found_locks
from inboxd.state_lock import StateLock

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def forked_child() -> Generator[None]:
    """Have a copy of this process that lives on, as one of multiprocessing would."""
    ready, is_ready = os.pipe()
    theirs, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        os.close(is_ready)
        os.read(theirs, 1)
        os._exit(0)
    os.close(theirs)
    os.close(is_ready)
    try:
        os.read(ready, 1)  # it was closed in the child, and so fork has returned there
        os.close(ready)
        yield
    finally:
        os.close(ours)
        os.waitpid(pid, 0)


def test_a_child_does_not_hold_the_state_directory(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path)

    with forked_child():
        lock.release()
        again = StateLock.acquire(tmp_path)

    again.release()


def test_a_child_does_not_hold_the_inbox(tmp_path: Path) -> None:
    settings = InboxSettings(path=tmp_path / "inbox")
    inbox = open_inbox(settings, make=True)

    with forked_child():
        inbox.close()
        again = open_inbox(settings, make=False)

    again.close()


def test_a_child_does_not_hold_the_lock_of_an_attempt_that_is_being_started(
    tmp_path: Path,
) -> None:
    lock = AttemptLocks(tmp_path).take()

    with forked_child():
        lock.close()
        held = [one.is_held for one in found_locks(tmp_path)]

    assert held == [False]


def test_a_descriptor_of_that_number_which_comes_later_is_the_childs_too(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path)
    lock.release()
    theirs, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(ours, b"x")
        os._exit(0)
    os.close(ours)
    os.waitpid(pid, 0)
    written = os.read(theirs, 1)
    os.close(theirs)

    assert written == b"x"
