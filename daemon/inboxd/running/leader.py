"""What the supervisor watches: a process that the daemon started, and all that comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import subprocess

    from inboxd.config.settings import RunSettings
    from inboxd.running.asked_ends import AskedEnds
    from inboxd.running.attempt import Attempt
    from inboxd.running.locks import AttemptLock
    from inboxd.running.paths import AttemptFiles
    from inboxd.task import Outcome

__all__ = ["Leader"]


class Leader(Protocol):
    """
    A command, or a worker process; leads a session and a process group of its own.

    It and its fields are the supervisor's alone once it is watched, but for what a class says.
    """

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that it runs; None: a worker between two attempts."""
        ...

    @property
    def files(self) -> AttemptFiles | None:
        """Where it writes; None: nowhere yet."""
        ...

    @property
    def lock(self) -> AttemptLock:
        """The lock that it holds; ours is closed."""
        ...

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process as it was started."""
        ...

    @property
    def pid(self) -> int:
        """Its number, which is its session's and its group's as well."""
        ...

    @property
    def pidfd(self) -> int:
        """Names the process; closed by the supervisor."""
        ...

    @property
    def started(self) -> int:
        """Clock ticks since the machine's start."""
        ...

    @property
    def limit(self) -> float | None:
        """Seconds after which the supervisor ends it; None: it does not."""
        ...

    @property
    def adopts(self) -> bool:
        """True: it is a subreaper, so nothing of it is orphaned while it lives."""
        ...

    #: The leader was waited for.
    has_ended: bool
    #: Its exit status, negative for a signal; None when that is not known.
    status: int | None
    is_timed_out: bool
    is_cut: bool
    is_reported: bool

    def look(self) -> None:
        """Read what it says of itself; once a second, before its outputs are bounded."""
        ...

    def is_asked_to_end(self, ends: AskedEnds) -> bool:
        """Whether its attempt was asked to end; True: nobody else reports that now."""
        ...

    def begin_end(self) -> None:
        """Take note that it is over or is being ended: nobody else reports its attempt now."""
        ...

    def outcome(self, settings: RunSettings) -> Outcome | None:
        """Return how its attempt ended; None: it had none. Its outputs are bounded by this."""
        ...

    def forget(self) -> None:
        """Take note that nothing of it is left; the last call."""
        ...
