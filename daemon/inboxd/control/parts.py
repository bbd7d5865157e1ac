"""What the control socket needs of the daemon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxd.store.reader import StoreReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.clock import Clock
    from inboxd.config.settings import Settings
    from inboxd.control.feed import Feed
    from inboxd.control.peers import Permissions
    from inboxd.inbox.intake import IntakeHealth
    from inboxd.scheduling.scheduler import Scheduler

__all__ = ["Parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a daemon that runs."""

    settings: Settings
    permissions: Permissions
    scheduler: Scheduler
    feed: Feed
    #: From any thread.
    intake_health: Callable[[], IntakeHealth]
    clock: Clock

    def open_reader(self) -> StoreReader:
        """Return a new reader of the store; the caller closes it."""
        return StoreReader(self.settings.store.url)
