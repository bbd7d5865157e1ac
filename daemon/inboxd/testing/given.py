"""Objects that a test gives, as entry points: plugins come through one door, in tests as well."""

from __future__ import annotations

import itertools
import sys
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from inboxd.plugins.decorator import executors_in
from inboxd.plugins.hookspecs import PROJECT_NAME
from inboxd.plugins.protocol import Executor, Isolation

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["forget", "installed_with"]

_NUMBERS = itertools.count(1)
_HOLDER = "inboxd_testing_given_"


def installed_with(plugins: Iterable[object]) -> list[EntryPoint]:
    """
    Return the entry points of inboxd's own plugins, and one for each object given.

    Other plugins that are installed stay out: a project that tests itself is mostly among them, and
    would offer what is given a second time.

    Args:
        plugins: modules, executors, or other objects with hooks.

    Raises:
        TypeError: an executor runs in a worker process, which could not import it.
    """
    installed = list(entry_points(group=PROJECT_NAME))
    ours = [one for one in installed if one.dist is not None and one.dist.name == PROJECT_NAME]
    values = {one.value for one in ours}
    found = list(ours)
    for number, plugin in enumerate(plugins, 1):
        if str(getattr(plugin, "__module__", "")) in values and isinstance(plugin, Executor):
            continue  # one that inboxd brings
        point = _entry_point(plugin, number)
        # Under its own name it has the settings `[plugins.NAME]`.
        found.append(next((one for one in installed if one.value == point.value), point))
    return list(dict.fromkeys(found))


def forget(points: Iterable[EntryPoint]) -> None:
    """Drop what was kept to make objects importable."""
    for point in points:
        if point.module.startswith(_HOLDER):
            sys.modules.pop(point.module, None)


def _entry_point(plugin: object, number: int) -> EntryPoint:
    value = _place(plugin)
    if value is None:
        if isinstance(plugin, Executor) and plugin.isolation == Isolation.PROCESS:
            raise TypeError(
                f'executor "{plugin.name}" runs in a worker process, which imports it by name:'
                " define it at the top of a module, outside of any function, and give it from there"
            )
        holder = ModuleType(f"{_HOLDER}{next(_NUMBERS)}")
        cast("Any", holder).plugin = plugin
        sys.modules[holder.__name__] = holder
        value = f"{holder.__name__}:plugin"
    name = getattr(plugin, "name", None) or getattr(plugin, "__name__", None)
    return EntryPoint(name=f"given-{number}-{name or number}", value=value, group=PROJECT_NAME)


def _place(plugin: object) -> str | None:
    """Return where an object can be imported from, as the value of an entry point."""
    if isinstance(plugin, ModuleType):
        return plugin.__name__ if sys.modules.get(plugin.__name__) is plugin else None
    home = str(getattr(plugin, "__module__", ""))
    module = sys.modules.get(home)
    if module is None:
        return None
    for name, member in vars(module).items():
        if member is plugin:
            return f"{home}:{name}"
    if isinstance(plugin, Executor) and plugin.isolation == Isolation.PROCESS:
        hook = getattr(module, "inboxd_executors", None)
        offered = executors_in(module) if hook is None else list(hook())
        if any(one.name == plugin.name and type(one) is type(plugin) for one in offered):
            return home
    return None
