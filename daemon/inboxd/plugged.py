"""What the daemon does with its plugins when it starts: their logs, settings and origins."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from inboxd.errors import ConfigurationError
from inboxd.plugins.unknown import known_executors, unknown_executor_settings
from inboxd.running.worker_sources import worker_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd.config.settings import Settings
    from inboxd.plugins.live_executors import LiveExecutors
    from inboxd.plugins.manager import Plugins
    from inboxd.running.worker_messages import WorkerSource

__all__ = ["check_settings", "let_log", "source_of"]


def let_log(plugins: Plugins) -> None:
    """Have the loggers of plugins' own packages show what ours show; others stay at WARNING."""
    ours = logging.getLogger("inboxd")
    for origin in plugins.entry_points.values():
        package = origin.value.partition(":")[0].partition(".")[0].strip()
        own = logging.getLogger(package)
        if own.level == logging.NOTSET:
            own.setLevel(ours.level)


def check_settings(
    settings: Settings, plugins: Plugins, executors: LiveExecutors, *, own: Iterable[str] = ()
) -> None:
    """
    Make sure that every setting of a plugin or an executor is somebody's.

    Args:
        settings: all of them.
        plugins: that are loaded.
        executors: that they offer; they may be asked for more.
        own: the names of executors of this process, which are added when they are needed.

    Raises:
        ConfigurationError: some are not, or cannot be used.
    """
    for name in settings.executors.keys() - plugins.executors.keys() - set(own):
        executors.resolve(name, {"id": name, "params": {}, "inputs": {}})
    known, is_complete = known_executors(plugins)
    problems = [
        *plugins.problems,
        *unknown_executor_settings(settings, {*known, *executors, *own}, is_complete=is_complete),
    ]
    if problems:
        raise ConfigurationError(problems)


def source_of(name: str, executors: LiveExecutors, settings: Settings) -> WorkerSource | None:
    """Return where a worker process gets an executor from."""
    origin = executors.origins.get(name)
    return None if origin is None else worker_source(name, origin, settings)
