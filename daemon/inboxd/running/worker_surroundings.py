"""What all workers of a runner share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inboxd.clock import Clock
    from inboxd.config.settings import RunSettings
    from inboxd.plugins.protocol import Executor
    from inboxd.running.asked_ends import AskedEnds
    from inboxd.running.context import ContextSource
    from inboxd.running.locks import AttemptLocks
    from inboxd.running.supervisor import CommandSupervisor
    from inboxd.running.worker_messages import WorkerSource

__all__ = ["WorkerSurroundings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSurroundings:
    """See `WorkerAttempts`, which is given these."""

    executors: Mapping[str, Executor]
    source_of: Callable[[str], WorkerSource | None]
    settings: RunSettings
    contexts: ContextSource
    locks: AttemptLocks
    supervisor: CommandSupervisor
    ends: AskedEnds
    clock: Clock
    environment: Mapping[bytes, bytes]
    owns_process: bool
