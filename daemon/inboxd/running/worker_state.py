"""
What an attempt may change of its worker process: put back after it, or the worker is replaced.

What costs little is put back. What shows that something of the attempt goes on (a process, a
thread, a timer of the kernel), or cannot be put back (rights, limits), makes the worker unfit for
another attempt.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MOST_ATTEMPTS", "MOST_GROWTH_BYTES", "ProcessState"]

#: A worker is replaced after so many attempts, whatever they leak.
MOST_ATTEMPTS = 10_000
#: And when it holds so much more memory than at its start: a library that keeps what it read.
MOST_GROWTH_BYTES = 256 * 1024 * 1024

#: A thread that was joined has told Python of its end, the kernel a moment later.
_THREAD_END_SECONDS = 0.02

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: Those whose handlers a program may set and that are not errors of the program itself.
_SIGNALS = tuple(
    getattr(signal, f"SIG{name}")
    for name in (
        *("HUP", "INT", "QUIT", "USR1", "USR2", "PIPE", "ALRM", "TERM", "CHLD", "WINCH"),
        *("VTALRM", "PROF", "IO", "URG", "XCPU", "CONT", "TSTP"),
    )
)
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS = tuple(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))


class ProcessState:
    """What a worker is like before an attempt; for its main thread."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """
        Args:
            environment: what `os.environ` is to hold between attempts.
        """
        self._environment = dict(environment)
        #: As it was when the last attempt began.
        self._left_environment: dict[Any, Any] = {}
        self._umask = os.umask(0)
        os.umask(self._umask)
        self._path = list(sys.path)
        self._argv = list(sys.argv)
        self._recursion_limit = sys.getrecursionlimit()
        self._trace = sys.gettrace()
        self._profile = sys.getprofile()
        self._excepthook = sys.excepthook
        self._handlers = [signal.getsignal(number) for number in _SIGNALS]
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._limits = [resource.getrlimit(number) for number in _LIMITS]
        self._rights = _rights()
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        #: POSIX timers (proc(5)); None: this kernel does not list them.
        self._timers: int | None = None
        with contextlib.suppress(OSError):
            self._timers = os.open("/proc/self/timers", os.O_RDONLY | os.O_CLOEXEC)
        self._had_timers = self._timer_list()
        #: The main thread, and what the executor's own modules started when they were imported.
        self._threads = _threads()
        self._python_threads = _python_threads()
        self._memory = self._memory_bytes()
        self._attempts = 0
        self._streams: tuple[TextIO, TextIO] | None = None
        self.enter({}, None)

    def enter(self, variables: Mapping[str, str], directory: str | None) -> None:
        """
        Make the process ready for an attempt, whose output goes where it has been pointed.

        Args:
            variables: added to the environment.
            directory: where it runs; None: nowhere in particular.

        Raises:
            OSError: the directory cannot be entered.
        """
        os.chdir(directory or "/")
        if _environment_data() != self._left_environment:
            os.environ.clear()
            os.environ.update(self._environment)
        for name, value in variables.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        self._left_environment = dict(_environment_data())
        if self._streams is None or (sys.stdout, sys.stderr) != self._streams:
            self._streams = _stream(1), _stream(2)
            sys.stdout, sys.stderr = self._streams

    def leave(self) -> str | None:
        """Put back what can be; return why the worker cannot be used again, None if it can."""
        self._attempts += 1
        # First: what was printed is this attempt's.
        for stream in {sys.stdout, sys.stderr, *(self._streams or ())}:
            with contextlib.suppress(Exception):
                stream.flush()
        if self._streams is not None and any(stream.closed for stream in self._streams):
            self._streams = None
        os.umask(self._umask)
        sys.path[:] = self._path
        sys.argv[:] = self._argv
        sys.settrace(self._trace)
        sys.setprofile(self._profile)
        sys.excepthook = self._excepthook
        sys.setrecursionlimit(self._recursion_limit)
        for timer in _TIMERS:
            signal.setitimer(timer, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            faulthandler.unregister(number)
        for number, handler in zip(_SIGNALS, self._handlers, strict=True):
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
        return self._why_unfit()

    def silence(self) -> None:
        """Let what is written between attempts go nowhere."""
        os.dup2(self._null, 1)
        os.dup2(self._null, 2)

    def _why_unfit(self) -> str | None:
        if _has_children():
            return "it left a process running"
        if self._has_threads():
            return "it left a thread running"
        if self._timer_list() != self._had_timers:
            return "it left a timer running"
        if [resource.getrlimit(number) for number in _LIMITS] != self._limits:
            return "it changed the limits of its process"
        if _rights() != self._rights:
            return "it changed the rights of its process"
        if self._attempts >= MOST_ATTEMPTS:
            return f"it has run {MOST_ATTEMPTS:,} attempts"
        if self._memory_bytes() > self._memory + MOST_GROWTH_BYTES:
            return "it holds much memory"
        return None

    def _has_threads(self) -> bool:
        """
        Return whether a thread of the attempt goes on in Python.

        Those of a library in C are left alone: numpy starts a pool in its first use and keeps it,
        and would cost each attempt a new worker.
        """
        if _threads() <= self._threads:
            return False
        limit = time.monotonic() + _THREAD_END_SECONDS
        while time.monotonic() < limit:
            time.sleep(0.001)
            if _threads() <= self._threads:
                return False
        if not _python_threads() <= self._python_threads:
            return True
        self._threads = _threads()
        return False

    def _timer_list(self) -> bytes:
        return b"" if self._timers is None else os.pread(self._timers, 4096, 0)

    def _memory_bytes(self) -> int:
        """Return how much memory the process has in use now (proc(5), statm)."""
        return int(os.pread(self._statm, 100, 0).split()[1]) * _PAGE_BYTES


def _environment_data() -> Mapping[Any, Any]:
    """Return what `os.environ` holds, as bytes: the mapping itself takes 0.4 ms to compare."""
    data: Mapping[Any, Any] = getattr(os.environ, "_data", os.environ)
    return data


def _stream(descriptor: int) -> TextIO:
    """Return a text stream that never fails for a character, and is written to line by line."""
    return open(
        descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _has_children() -> bool:
    """Wait for children that are over; return whether one lives. Those adopted count as well."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return False
    return True


def _threads() -> set[str]:
    """Return the ids of this process's threads (proc(5), task)."""
    return set(os.listdir("/proc/self/task"))  # noqa: PTH208 - strings


def _python_threads() -> set[int]:
    """Return the threads that run Python now, also those that `threading` does not know."""
    # Python's library documents it; there is no other way to those of `_thread`.
    return set(sys._current_frames())  # pyright: ignore[reportPrivateUsage]


def _rights() -> tuple[Any, ...]:
    return (
        os.getresuid(),
        os.getresgid(),
        os.getpriority(os.PRIO_PROCESS, 0),
        os.sched_getaffinity(0),
    )
