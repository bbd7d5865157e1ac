"""Settings of executors that nobody offers: a typo there would leave the meant one switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.names import did_you_mean, escaped
from inboxd.plugins.executor_check import is_executor_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd.config.settings import Settings
    from inboxd.plugins.manager import Plugins

__all__ = ["known_executors", "unknown_executor_settings"]


def unknown_executor_settings(
    settings: Settings, known: Iterable[str], *, is_complete: bool = True
) -> list[str]:
    """
    Return one sentence for each `[executors.NAME]` whose executor is unknown.

    Args:
        settings: all settings.
        known: the names of executors; see `known_executors`.
        is_complete: False when others may exist, as those of a plugin that cannot be loaded: then
            a name counts as unknown only where it is near a known one, so that a plugin that broke
            does not make the configuration unusable.
    """
    names = sorted(known)
    problems: list[str] = []
    for name in sorted(settings.executors.keys() - set(names)):
        if not is_executor_name(name):
            continue  # `Plugins.problems` says so
        hint = did_you_mean(name, names)
        if hint is None and not is_complete:
            continue
        ending = hint or f"known are: {', '.join(map(escaped, names)) or 'none'}"
        problems.append(f"[executors.{escaped(name)}]: no plugin offers this executor; {ending}")
    return problems


def known_executors(plugins: Plugins) -> tuple[set[str], bool]:
    """
    Return the names that may have settings, and whether these are all there can be.

    Executors that are switched off are among them, and so are the names of plugins that are broken
    or kept out, which mostly are those of their executors.
    """
    names = {name for plugin in plugins.loaded for name in plugin.executors}
    names |= set(plugins.executors)
    unseen = {broken.name for broken in plugins.broken} | set(plugins.disabled)
    return names | unseen, not unseen
