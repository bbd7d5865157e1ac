"""The lock on a state directory."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from inboxd.errors import ConfigurationError, StateInUse, StoreError
from inboxd.state_lock import StateLock, StoreLock, is_locked, lock_holder


def test_the_state_directory_is_made_for_its_user_alone(tmp_path: Path) -> None:
    state = tmp_path / "a/state"

    with StateLock.acquire(state):
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (state, state / "lock")]

    assert modes == [0o700, 0o600]


def test_a_second_daemon_is_refused_and_told_the_pid_of_the_first(tmp_path: Path) -> None:
    with StateLock.acquire(tmp_path), pytest.raises(StateInUse) as caught:
        StateLock.acquire(tmp_path)

    expected = (
        f"{tmp_path}: another inboxd (pid {os.getpid()}) uses this state directory;"
        " stop it, or choose another with --state DIR"
    )
    assert (expected, 73) == (str(caught.value), caught.value.exit_code)


def test_a_released_lock_is_free_and_releasing_twice_is_nothing(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path)
    held = is_locked(tmp_path)
    lock.release()
    lock.release()

    assert (held, is_locked(tmp_path)) == (True, False)


def test_a_state_directory_that_is_not_there_is_not_locked(tmp_path: Path) -> None:
    assert [is_locked(tmp_path), is_locked(tmp_path / "none")] == [False, False]


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom inboxd.state_lock import StateLock\n"
        f"lock = StateLock.acquire(Path({str(tmp_path)!r}))\nprint('held', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        held = (is_locked(tmp_path), lock_holder(tmp_path))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)

    assert ((True, process.pid), False) == (held, is_locked(tmp_path))


def test_who_only_looks_never_makes_a_daemon_fail(tmp_path: Path) -> None:
    StateLock.acquire(tmp_path).release()
    stopped = threading.Event()

    def look() -> None:
        while not stopped.is_set():
            is_locked(tmp_path)

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(50):
            StateLock.acquire(tmp_path).release()
    finally:
        stopped.set()
        for looker in lookers:
            looker.join()

    assert not is_locked(tmp_path)


def test_a_free_lock_can_be_taken_without_making_anything(tmp_path: Path) -> None:
    nothing = StateLock.acquire_free(tmp_path)
    held = StateLock.acquire(tmp_path)
    refused = StateLock.acquire_free(tmp_path)
    held.release()
    taken = StateLock.acquire_free(tmp_path)

    assert (nothing, refused, is_locked(tmp_path)) == (None, None, True)
    assert taken is not None
    taken.release()


def test_a_state_directory_that_cannot_be_made_is_an_error_of_the_configuration(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="cannot be the state directory: Not a directory"):
        StateLock.acquire(tmp_path / "file/state")


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "state").mkdir()
    (tmp_path / "state/lock").symlink_to(target)

    with pytest.raises(ConfigurationError, match="cannot be the state directory"):
        StateLock.acquire(tmp_path / "state")

    assert target.read_text() == "precious"


@pytest.mark.parametrize("text", ["", "x", "12x", "-1"])
def test_a_lock_file_that_names_no_pid_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)

    assert lock_holder(tmp_path) is None


def test_a_database_with_two_names_has_no_lock_that_both_know(tmp_path: Path) -> None:
    (tmp_path / "own.db").touch()
    (tmp_path / "hard.db").hardlink_to(tmp_path / "own.db")

    with pytest.raises(StoreError, match="2 names"):
        StoreLock.acquire(tmp_path / "hard.db")

    (tmp_path / "hard.db").unlink()
    StoreLock.acquire(tmp_path / "own.db").release()
