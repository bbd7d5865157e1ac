"""Every error that inboxd raises, one class for each thing a caller would treat differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AmbiguousReference",
    "AmbiguousTask",
    "ConfigurationError",
    "Conflict",
    "DaemonNotReachable",
    "InboxInUse",
    "InboxdError",
    "InvalidInputs",
    "NoRetry",
    "NotFound",
    "PackagesRefused",
    "PluginError",
    "RetryLater",
    "SessionClosed",
    "StateInUse",
    "StoreError",
    "StoreInUse",
]


class InboxdError(Exception):
    """The base of all errors of inboxd; its text is for people: what, where, and what to do."""

    #: The exit code of the command line when this error ends it (docs/reference/cli.md).
    exit_code: int = 1


class ConfigurationError(InboxdError):
    """The configuration cannot be used; `problems` holds one sentence for each thing wrong."""

    exit_code = 78

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class NotFound(InboxdError):
    """No tree, task, attempt or executor answers to the reference that was given."""

    exit_code = 3


class AmbiguousReference(InboxdError):
    """A reference names more than one thing; `candidates` holds their full ids."""

    exit_code = 2

    def __init__(self, message: str, candidates: Sequence[str]) -> None:
        self.candidates = tuple(candidates)
        super().__init__(message)


class AmbiguousTask(AmbiguousReference):
    """Several trees have a task of this id; `candidates` holds each as `<tree>/<id>`."""


class Conflict(InboxdError):
    """What was asked for makes no sense as things stand, such as to cancel what has ended."""

    exit_code = 5


class StateInUse(InboxdError):
    """Another daemon owns the state directory."""

    exit_code = 73


class InboxInUse(InboxdError):
    """Another daemon owns the inbox."""

    exit_code = 73


class StoreInUse(InboxdError):
    """Another process, or another session of this one, owns the database."""

    exit_code = 73


class SessionClosed(InboxdError):
    """What was asked for needs a session that is open."""


class DaemonNotReachable(InboxdError):
    """What was asked for needs a running daemon, and there is none."""

    exit_code = 69


class StoreError(InboxdError):
    """The database cannot be used as it is, and was not changed; the text says what to do."""

    exit_code = 78


class PluginError(InboxdError):
    """A plugin cannot be used as it is; the text names it and says what to mend."""


class PackagesRefused(InboxdError):
    """Packages cannot be installed or removed in this environment as it is; nothing was changed."""

    exit_code = 5


class NoRetry(InboxdError):
    """Raised by an executor: the attempt failed, and another one would fail as well."""


class InvalidInputs(NoRetry):
    """Raised by an executor: the inputs are not what it takes; the error says `invalid_inputs`."""


class RetryLater(InboxdError):
    """Raised by an executor: it failed; try again after `after_seconds`, if retries are left."""

    def __init__(self, after_seconds: float, message: str = "") -> None:
        self.after_seconds = after_seconds
        super().__init__(message or f"asked to be tried again after {after_seconds:g} s")
