"""In a worker process: getting the executor that its plugin offers, as the daemon got it."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxd.errors import PluginError
from inboxd.plugins.decorator import executors_in
from inboxd.plugins.protocol import Configurable, PluginConfiguration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inboxd.plugins.protocol import Executor
    from inboxd.running.worker_messages import WorkerSource

__all__ = ["load_executor"]


def load_executor(source: WorkerSource) -> Executor:
    """
    Import the plugin, configure it and the executor, and return the executor.

    Raises:
        PluginError: the plugin does not offer it any more.
        BaseException: whatever the plugin raises.
    """
    plugin: Any = EntryPoint(name=source.name, value=source.value, group=source.group).load()
    configuration = PluginConfiguration(
        options=source.plugin_options,
        directory=Path(source.directory),
        file=None if source.file is None else Path(source.file),
    )
    _answer(plugin, "inboxd_configure", configuration=configuration)
    executor = _made(plugin, source) if source.is_resolved else _offered(plugin, source)
    if isinstance(executor, Configurable):
        executor.configure(source.executor_options)
    return executor


def _offered(plugin: Any, source: WorkerSource) -> Executor:
    offered: Iterable[Executor] = _answer(plugin, "inboxd_executors") or ()
    for executor in [*executors_in(plugin), *offered]:
        if executor.name == source.executor:
            return executor
    raise PluginError(
        f'{source.value} offers no executor "{source.executor}" any more; restart the daemon'
    )


def _made(plugin: Any, source: WorkerSource) -> Executor:
    made: Executor | None = _answer(
        plugin, "inboxd_resolve_executor", name=source.executor, task={}
    )
    if made is None:
        raise PluginError(
            f'{source.value} makes no executor "{source.executor}" any more; restart the daemon'
        )
    return made


def _answer(plugin: Any, hook: str, **arguments: Any) -> Any:
    """Call a plugin's hook with those of the arguments that it takes; None without one."""
    function = _implementation(plugin, hook)
    if function is None:
        return None
    taken = inspect.signature(function).parameters
    return function(**{name: value for name, value in arguments.items() if name in taken})


def _implementation(plugin: Any, hook: str) -> Callable[..., Any] | None:
    """Return the function that is marked as the answer to a hook, under whatever name it has."""
    for attribute in dir(plugin):
        # pluggy's mark: the options that @hookimpl was given.
        found = inspect.getattr_static(plugin, attribute, None)
        options: Any = getattr(found, "inboxd_impl", None)
        if isinstance(options, dict) and (options.get("specname") or attribute) == hook:  # pyright: ignore[reportUnknownMemberType]
            function: Callable[..., Any] = getattr(plugin, attribute)
            return function
    return None
