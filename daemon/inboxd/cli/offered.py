"""What is known of each executor that is installed, switched off or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.array import CheckedArray, check_array
from inboxd.plugins.example import example_task
from inboxd.plugins.inputs_type import schema_of
from inboxd.plugins.limited import within
from inboxd.plugins.live_executors import LiveExecutors
from inboxd.plugins.manager import LOAD_LIMIT_SECONDS, ExecutorCatalog, load_plugins
from inboxd.plugins.protocol import HasExample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.array import RejectedArray
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
    #: A task; None where none could be made that the check of a file takes.
    example: Mapping[str, Any] | None
    #: Why the check refuses the executor's own example as things are; None: it does not.
    example_problem: str | None


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
    example, example_problem = _example(executor, schema)
    return OfferedExecutor(
        name=executor.name,
        description=str(executor.description),
        isolation=str(executor.isolation),
        plugin=origin.name,
        distribution=origin.distribution,
        version=version_of(origin.distribution),
        is_enabled=is_enabled,
        schema=schema,
        example=example,
        example_problem=example_problem,
    )


def version_of(distribution: str) -> str | None:
    """Return the version of a distribution; None for one that is not, or no longer, known."""
    try:
        return version(distribution)
    except Exception:  # it is gone, or what is installed of it cannot be read
        return None


def _example(
    executor: Executor, schema: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, str | None]:
    """
    Return an example, and what is wrong with it.

    One that was made from a schema is left out if anything is: a schema may be too clever for a
    guess. The executor's own may wait for a setting, and the error says for which.
    """

    def look() -> tuple[Mapping[str, Any], CheckedArray | RejectedArray, bool]:
        task = example_task(executor, schema)
        catalog = ExecutorCatalog({executor.name: executor})
        checked = check_array(msgspec.json.encode([task]), catalog=catalog)
        return task, checked, isinstance(executor, HasExample)

    try:
        task, checked, is_its_own = within(LOAD_LIMIT_SECONDS, look)
    except (
        Exception,
        SystemExit,
    ):  # a plugin: what it does ends no list
        return None, None
    if isinstance(checked, CheckedArray):
        return task, None
    if not is_its_own:
        return None, None
    problem = checked.problems[0]
    return task, f"{problem.message}; {problem.hint}" if problem.hint else problem.message
