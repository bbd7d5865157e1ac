"""Where a worker process gets an executor from: its plugin, and the settings of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.plugins.configuring import executor_options
from inboxd.running.worker_messages import WorkerSource

if TYPE_CHECKING:
    from inboxd.config.settings import Settings
    from inboxd.plugins.loaded import ExecutorOrigin

__all__ = ["worker_source"]


def worker_source(executor: str, origin: ExecutorOrigin, settings: Settings) -> WorkerSource:
    """
    Return what a worker is told to become one for an executor.

    Args:
        executor: its name.
        origin: the entry point that it came by.
        settings: of these `[plugins.NAME]` and `[executors.NAME]`. They go as JSON, so that a date
            in them arrives as text.
    """
    file = settings.config if settings.config in settings.files else None
    return WorkerSource(
        executor=executor,
        group=origin.group,
        name=origin.name,
        value=origin.value,
        is_resolved=origin.is_resolved,
        plugin_options=dict(settings.plugins.options.get(origin.name, {})),
        executor_options=dict(executor_options(settings, executor)),
        directory=str(settings.state.path / "plugins" / origin.name),
        file=None if file is None else str(file),
    )
