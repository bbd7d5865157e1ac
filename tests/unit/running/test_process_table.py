"""What is read of processes."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest

from inboxd.running.process_table import (
    descendants,
    every_process,
    holds_file,
    mark_of,
    process_facts,
    send_signal,
    ticks_since_boot,
)

from .runner_bed import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, under a program whose name misleads."""
    program = tmp_path / ") R 1 (x"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen(
        [str(program), "60"],
        start_new_session=True,
        env={"INBOXD_RESULT_FILE": "/state/attempts/t/0/1.2.result"},
    ) as process:
        yield process
        process.kill()


def test_a_name_with_brackets_and_blanks_does_not_mislead(
    sleeper: subprocess.Popen[bytes],
) -> None:
    facts = process_facts(sleeper.pid)

    assert facts is not None
    assert (facts.parent, facts.group, facts.session) == (os.getpid(), sleeper.pid, sleeper.pid)


def test_a_process_starts_at_the_ticks_of_now() -> None:
    before = ticks_since_boot()
    with subprocess.Popen(["sleep", "60"]) as process:
        after = ticks_since_boot()
        facts = process_facts(process.pid)
        process.kill()

    assert facts is not None
    assert before <= facts.started <= after


def test_there_are_no_facts_of_nobody() -> None:
    assert process_facts(2**22 + 1) is None


def test_the_mark_is_read_out_of_the_environment(sleeper: subprocess.Popen[bytes]) -> None:
    # The environment is there only a moment after the program has replaced ours.
    mark = until(lambda: mark_of(sleeper.pid))

    assert mark == "/state/attempts/t/0/1.2.result"


def test_who_has_no_mark_gives_none() -> None:
    assert mark_of(1) is None


def test_children_and_theirs_are_found() -> None:
    with subprocess.Popen(
        ["sh", "-c", "sh -c 'cat; :'; :"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"are you there?")
        process.stdout.read(1)
        found = descendants([process.pid])
        process.communicate(b"")

    assert len(found) == 2


def test_every_process_includes_this_one() -> None:
    assert os.getpid() in every_process()


def test_an_open_file_is_found(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        status = os.fstat(file.fileno())
        identity = (status.st_dev, status.st_ino)

        assert holds_file(os.getpid(), {identity}) == identity
    assert holds_file(os.getpid(), {identity}) is None


def test_a_signal_reaches_the_process(sleeper: subprocess.Popen[bytes]) -> None:
    facts = process_facts(sleeper.pid)
    assert facts is not None

    assert send_signal(facts, signal.SIGTERM)
    assert sleeper.wait(60) == -signal.SIGTERM


def test_a_signal_does_not_reach_a_later_process_of_the_same_number(
    sleeper: subprocess.Popen[bytes],
) -> None:
    facts = process_facts(sleeper.pid)
    assert facts is not None
    earlier = msgspec.structs.replace(facts, started=facts.started - 1)

    assert not send_signal(earlier, signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_stopped_process_is_woken_to_get_its_signal(sleeper: subprocess.Popen[bytes]) -> None:
    os.kill(sleeper.pid, signal.SIGSTOP)
    os.waitpid(sleeper.pid, os.WUNTRACED)
    facts = process_facts(sleeper.pid)
    assert facts is not None

    send_signal(facts, signal.SIGTERM)

    assert sleeper.wait(60) == -signal.SIGTERM
