"""
What plugins did wrong since the daemon started, in a file that `inboxd doctor` reads.

`<state>/plugin-failures.json` is there only when something failed; each start begins without it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from inboxd.clock import rfc3339_micros

if TYPE_CHECKING:
    from pathlib import Path

    from inboxd.clock import Clock
    from inboxd.plugins.hooks import Hooks

__all__ = ["FailedHook", "FailureFile", "read_failures"]

logger = logging.getLogger(__name__)

_NAME = "plugin-failures.json"
#: The file is replaced at most once in so long.
_PAUSE_SECONDS = 2.0
#: More are left out: a plugin has some ten hooks, and an executor three checks.
_MOST_ENTRIES = 1_000
_MOST_BYTES = 4 * 1024 * 1024


class FailedHook(msgspec.Struct, frozen=True, kw_only=True):
    """A hook of a plugin, or a check of one of its executors, that failed."""

    plugin: str
    hook: str
    #: How often it failed in this run.
    failures: int = 0
    #: Why it is not called any more until the next start; None: it is.
    off: str | None = None
    #: RFC 3339: when that was noticed; None: it is called.
    off_since: str | None = None


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    hooks: list[FailedHook]
    format: int = 1


class FailureFile:
    """Keeps the file in step with what failed; for one thread."""

    def __init__(self, state: Path, hooks: Hooks, *, clock: Clock) -> None:
        """Begin without a file; *state* is the daemon's own directory."""
        self._path = state / _NAME
        self._hooks = hooks
        self._clock = clock
        self._written: list[FailedHook] = []
        self._since: dict[tuple[str, str], str] = {}
        self._looked_at: float | None = None
        self._path.unlink(missing_ok=True)

    def look(self) -> None:
        """Write what failed if that is new; may be called often. A full disk is only logged."""
        now = self._clock.monotonic()
        if self._looked_at is not None and now - self._looked_at < _PAUSE_SECONDS:
            return
        self._looked_at = now
        failed = self._failed()
        if failed == self._written:
            return
        new = self._path.with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(_Document(hooks=failed)))
            new.replace(self._path)
        except OSError as error:
            logger.warning(
                "what plugins did wrong cannot be noted for `inboxd doctor`: %s",
                error,
                extra={"event": "failures_unwritten"},
            )
            return
        self._written = failed

    def _failed(self) -> list[FailedHook]:
        counts, off = self._hooks.failures, self._hooks.off
        for key in off:
            self._since.setdefault(key, rfc3339_micros(self._clock.now_micros()) or "")
        keys = [*sorted(off), *sorted(counts.keys() - off.keys())][:_MOST_ENTRIES]
        return [
            FailedHook(
                plugin=plugin,
                hook=hook,
                failures=counts.get((plugin, hook), 0),
                off=off.get((plugin, hook)),
                off_since=self._since.get((plugin, hook)),
            )
            for plugin, hook in keys
        ]


def read_failures(state: Path) -> list[FailedHook]:
    """
    Return what failed in the run of the daemon that has this state directory.

    Raises:
        OSError: the file may not be read.
        ValueError: it holds something else.
    """
    try:
        with (state / _NAME).open("rb") as file:
            data = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return []
    return msgspec.json.decode(data, type=_Document).hooks
