"""Locks of attempts: handed out, inherited, found again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from inboxd.running.locks import AttemptLocks, found_locks
from inboxd.running.process_table import boot_id


def test_a_lock_that_was_given_back_is_used_again(tmp_path: Path) -> None:
    locks = AttemptLocks(tmp_path)
    first = locks.take()
    os.close(first.descriptor)
    locks.give_back(first.slot)

    second = locks.take()
    os.close(second.descriptor)

    assert (second.slot, second.identity) == (first.slot, first.identity)


def test_two_attempts_have_two_locks(tmp_path: Path) -> None:
    locks = AttemptLocks(tmp_path)
    first, second = locks.take(), locks.take()
    os.close(first.descriptor)
    os.close(second.descriptor)

    assert first.identity != second.identity


def test_a_lock_that_something_still_holds_is_passed_over(tmp_path: Path) -> None:
    locks = AttemptLocks(tmp_path)
    first = locks.take()
    locks.give_back(first.slot)

    second = locks.take()
    os.close(first.descriptor)
    os.close(second.descriptor)

    assert second.slot != first.slot


def test_a_free_lock_is_found_with_the_leader_it_had(tmp_path: Path) -> None:
    lock = AttemptLocks(tmp_path).take()
    lock.write_leader(4_000_000, 123)
    lock.close()

    found = list(found_locks(tmp_path))

    assert [(one.is_held, one.leader) for one in found] == [(False, (4_000_000, 123))]


def test_a_lock_that_a_process_inherited_is_found_held(tmp_path: Path) -> None:
    lock = AttemptLocks(tmp_path).take()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(lock.descriptor,)) as process:
        lock.close()
        held = [one.is_held for one in found_locks(tmp_path)]
        process.communicate(b"")
    after = [one.is_held for one in found_locks(tmp_path)]

    assert (held, after) == ([True], [False])


def test_a_leader_of_an_earlier_boot_is_nobody(tmp_path: Path) -> None:
    lock = AttemptLocks(tmp_path).take()
    os.pwrite(lock.descriptor, b"1 5 00000000-0000-0000-0000-000000000000\n", 0)
    lock.close()

    assert [one.leader for one in found_locks(tmp_path)] == [None]


def test_a_shorter_line_over_a_longer_one_is_read_alone(tmp_path: Path) -> None:
    lock = AttemptLocks(tmp_path).take()
    lock.write_leader(1_234_567, 987_654_321)
    lock.write_leader(12, 34)
    lock.close()

    assert [one.leader for one in found_locks(tmp_path)] == [(12, 34)]


def test_without_a_directory_there_are_no_locks(tmp_path: Path) -> None:
    assert list(found_locks(tmp_path)) == []


def test_the_name_of_this_boot_is_the_kernels() -> None:
    assert boot_id() == Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
