"""What `/proc` says of processes: their facts, their children, and whose attempt they belong to."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from inboxd.errors import InboxdError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = [
    "Adopted",
    "ProcessFacts",
    "age_seconds",
    "boot_id",
    "descendants",
    "every_process",
    "exit_status",
    "holds_file",
    "mark_of",
    "process_facts",
    "send_signal",
    "ticks_since_boot",
]

#: `comm` may hold anything, also a bracket and a space; what follows the last bracket is fields.
_AFTER_NAME = b") "
#: Of `/proc/PID/stat`, counted from the state, which is field 3 in proc(5).
_STATE, _PARENT, _GROUP, _SESSION, _STARTED = 0, 1, 2, 3, 19

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

_MARK = b"INBOXD_RESULT_FILE="


class ProcessFacts(msgspec.Struct, frozen=True):
    """One process at one moment; a number with its start time names a process for ever."""

    pid: int
    #: One letter: `Z` is a zombie, `T` is stopped.
    state: str
    parent: int
    group: int
    session: int
    #: Clock ticks since the machine's start.
    started: int


def process_facts(pid: int) -> ProcessFacts | None:
    """Return the facts of a process, None when there is none with this number."""
    text = _read(f"/proc/{pid}/stat")
    if text is None:
        return None
    fields = text[text.rindex(_AFTER_NAME) + 2 :].split()
    return ProcessFacts(
        pid,
        fields[_STATE].decode(),
        int(fields[_PARENT]),
        int(fields[_GROUP]),
        int(fields[_SESSION]),
        int(fields[_STARTED]),
    )


def exit_status(pidfd: int) -> int | None:
    """Wait for a child that is over: its status as `subprocess` says it, None if it is lost."""
    try:
        end = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None
    if end is None:
        return None
    return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status


class Adopted:
    """
    The children of this process's main thread, zombies too.

    A subreaper's first live thread is given the orphans (find_new_reaper in the kernel's
    kernel/exit.c), which is the main one; what other threads started is listed as theirs.
    """

    def __init__(self) -> None:
        pid = os.getpid()
        path = f"/proc/{pid}/task/{pid}/children"
        try:
            # Kept open: this is read at the end of every command.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise InboxdError(
                f"{path}: {error.strerror}; commands can be run only where /proc lists children"
                " (a kernel with CONFIG_PROC_CHILDREN, /proc mounted)"
            ) from error

    def pids(self) -> list[int]:
        """Return their numbers."""
        text = os.pread(self._descriptor, 65_536, 0)
        if not text:
            return []
        while piece := os.pread(self._descriptor, 65_536, len(text)):
            text += piece
        return [int(number) for number in text.split()]

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


def descendants(pids: Iterable[int]) -> list[int]:
    """Return the processes below the given ones, parents before their children."""
    found: list[int] = []
    rest = list(pids)
    seen = set(rest)
    while rest:
        for child in _children(rest.pop()):
            if child not in seen:
                seen.add(child)
                found.append(child)
                rest.append(child)
    return found


@cache
def boot_id() -> bytes:
    """Return what names this run of the machine: start times count from its beginning."""
    return (_read("/proc/sys/kernel/random/boot_id") or b"unknown").strip()


def ticks_since_boot() -> int:
    """Return the start time that a process started now would have."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * _TICKS_A_SECOND // 1_000_000_000


def age_seconds(facts: ProcessFacts) -> float:
    """Return how long ago a process was started."""
    return (ticks_since_boot() - facts.started) / _TICKS_A_SECOND


def every_process() -> list[int]:
    """Return the numbers of all processes that are there."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names


def mark_of(pid: int) -> str | None:
    """
    Return INBOXD_RESULT_FILE of a process's environment as it was started; None without one.

    It names the state directory, the tree, the task's position and the attempt's number, so one
    string says whose a process is. None also when the environment may not be read.
    """
    text = _read(f"/proc/{pid}/environ")
    if not text or _MARK not in text:
        return None
    for variable in text.split(b"\0"):
        if variable.startswith(_MARK):
            return os.fsdecode(variable[len(_MARK) :])
    return None


def holds_file(pid: int, identities: Collection[tuple[int, int]]) -> tuple[int, int] | None:
    """Return which of some files, given as (device, inode), a process has open; None for none."""
    directory = f"/proc/{pid}/fd"
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names are enough, and there may be many
    except OSError:
        return None
    for name in names:
        with contextlib.suppress(OSError):
            facts = os.stat(f"{directory}/{name}")  # noqa: PTH116 - as above
            if (facts.st_dev, facts.st_ino) in identities:
                return (facts.st_dev, facts.st_ino)
    return None


def send_signal(facts: ProcessFacts, number: signal.Signals) -> bool:
    """
    Send a signal to exactly the process that was looked at, not to a later one of its number.

    Returns:
        False when it is gone, or is not ours to signal.
    """
    try:
        descriptor = os.pidfd_open(facts.pid)
    except OSError:
        return False
    try:
        now = process_facts(facts.pid)
        if now is None or now.started != facts.started:
            return False
        signal.pidfd_send_signal(descriptor, number)
        if now.state == "T" and number != signal.SIGKILL:
            signal.pidfd_send_signal(descriptor, signal.SIGCONT)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names
    except OSError:
        return children
    for thread in threads:
        text = _read(f"/proc/{pid}/task/{thread}/children")
        if text:
            children.extend(int(number) for number in text.split())
    return children


def _read(path: str) -> bytes | None:
    """Return a file of `/proc` whole, None when the process is gone or not ours to look at."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # A read gives a page or so at a time; only an empty one is the end.
        pieces: list[bytes] = []
        while piece := os.read(descriptor, 65_536):
            pieces.append(piece)
        return b"".join(pieces)
    except OSError:
        return None
    finally:
        os.close(descriptor)
