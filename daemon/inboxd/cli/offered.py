"""What is known of each executor that is installed, switched off or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.array import CheckedArray, check_array
from inboxd.plugins.example import example_task
from inboxd.plugins.inputs_type import schema_of
from inboxd.plugins.live_executors import LiveExecutors
from inboxd.plugins.manager import ExecutorCatalog, load_plugins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.config.settings import Settings
    from inboxd.plugins.manager import ExecutorOrigin, Plugins
    from inboxd.plugins.protocol import Executor

__all__ = ["OfferedExecutor", "load_all", "offered_executors", "resolved_executor", "version_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedExecutor:
    """An executor that a plugin offers."""

    name: str
    description: str
    isolation: str
    #: The name of the plugin's entry point, and the distribution that it comes from.
    plugin: str
    distribution: str
    #: Of the distribution; None: not known.
    version: str | None
    #: False: `[executors.NAME] enabled = false`, so that a task that names it is refused.
    is_enabled: bool
    #: JSON Schema; None: any object will do.
    schema: Mapping[str, Any] | None
    #: A task that the check of a file takes; None where none could be made.
    example: Mapping[str, Any] | None


def load_all(settings: Settings) -> Plugins:
    """Load the plugins as the daemon does, the executors that are switched off as well."""
    on = {name: replace(one, enabled=True) for name, one in settings.executors.items()}
    return load_plugins(replace(settings, executors=on))


def offered_executors(settings: Settings, plugins: Plugins) -> dict[str, OfferedExecutor]:
    """
    Return what is known of each executor, by name, sorted.

    Args:
        settings: of these, which executors are switched off.
        plugins: as `load_all` gives them.
    """
    off = {name for name, one in settings.executors.items() if not one.enabled}
    return {
        name: _offered(executor, plugins.origins[name], is_enabled=name not in off)
        for name, executor in sorted(plugins.executors.items())
    }


def resolved_executor(name: str, settings: Settings, plugins: Plugins) -> OfferedExecutor | None:
    """Return an executor that a plugin makes when it is asked for; None: none does."""
    live = LiveExecutors(plugins, settings)
    executor = live.resolve(name, {"id": "example", "executor": name, "inputs": {}, "params": {}})
    if executor is None:
        return None
    return _offered(executor, live.origins[name], is_enabled=True)


def _offered(executor: Executor, origin: ExecutorOrigin, *, is_enabled: bool) -> OfferedExecutor:
    schema = schema_of(executor.inputs_schema)
    return OfferedExecutor(
        name=executor.name,
        description=str(executor.description),
        isolation=str(executor.isolation),
        plugin=origin.name,
        distribution=origin.distribution,
        version=version_of(origin.distribution),
        is_enabled=is_enabled,
        schema=schema,
        example=_valid_example(executor, schema),
    )


def version_of(distribution: str) -> str | None:
    """Return the version of a distribution; None for one that is not, or no longer, known."""
    try:
        return version(distribution)
    except Exception:  # it is gone, or what is installed of it cannot be read
        return None


def _valid_example(
    executor: Executor, schema: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """Return an example that the check of a file takes; a schema may be too clever for a guess."""
    try:
        task = example_task(executor, schema)
        catalog = ExecutorCatalog({executor.name: executor})
        checked = check_array(msgspec.json.encode([task]), catalog=catalog)
    except Exception:  # a plugin's own attributes and checks: what they raise ends no list
        return None
    return task if isinstance(checked, CheckedArray) else None
