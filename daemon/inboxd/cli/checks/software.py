"""The versions of what inboxd stands on, and the plugins."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from inboxd.cli.checks.finding import Finding, failed, good, warned
from inboxd.names import did_you_mean, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from inboxd.config.settings import Settings
    from inboxd.plugins.manager import Plugins

__all__ = ["check_plugins", "check_sqlite", "check_verbs", "check_versions", "plugin_findings"]

#: sqlite.org/wal.html#walresetbug: in a WAL database two connections that write or checkpoint at
#: one instant can corrupt it. These versions have it; inboxd lets only one connection do either.
_WAL_RESET_FIRST = (3, 7, 0)
_WAL_RESET_LAST = (3, 51, 2)

#: Loading a plugin takes a few milliseconds, unless it imports a large library.
_SLOW_SECONDS = 1.0


def check_versions(versions: Mapping[str, str]) -> Iterator[Finding]:
    """Say which versions are installed; `versions` as `inboxd version` prints them."""
    listed = ", ".join(f"{name} {text}" for name, text in versions.items() if name != "sqlite")
    if "not installed" in versions.values():
        yield failed(
            "versions",
            listed,
            "install inboxd again, with what it depends on: pip install --force-reinstall inboxd",
        )
    else:
        yield good("versions", listed)


def check_sqlite(version: tuple[int, ...], shown: str) -> Iterator[Finding]:
    """Say whether the SQLite library has the WAL-reset bug."""
    if _WAL_RESET_FIRST <= version <= _WAL_RESET_LAST:
        yield warned(
            "sqlite",
            f"{shown} has the WAL-reset bug: two connections that write or checkpoint at one"
            " instant can corrupt the database; inboxd writes by one connection only, other"
            " programs must not write to its database",
            "pip install pysqlite3 (it brings 3.51.3 or newer), or use a Python whose SQLite is"
            " 3.51.3 or newer",
        )
    else:
        yield good("sqlite", shown)


def check_verbs(plugins: Plugins) -> Iterator[Finding]:
    """Say which verbs of plugins are not there, and why."""
    from inboxd.cli.added_verbs import verbs_of  # not needed for --help
    from inboxd.cli.verbs import VERBS

    for problem in verbs_of(plugins, VERBS).problems:
        yield warned("plugins", problem, "everything else of the plugin is used")


def check_disabled(settings: Settings, plugins: Plugins) -> Iterator[Finding]:
    """Say which names in `[plugins] disable` keep nothing out, as a misspelt one does."""
    for pattern in settings.plugins.disable:
        if any(fnmatchcase(name, pattern) for name in plugins.disabled):
            continue
        loaded = [one.name for one in plugins.loaded]
        hint = did_you_mean(pattern, loaded)
        yield warned(
            "plugins",
            f'[plugins] disable: "{escaped(pattern)}" keeps no installed plugin out'
            + (f"; {hint}" if hint else ""),
            "mend the name, or take it out; `inboxd plugins` lists them",
        )


def check_plugins(settings: Settings, plugins: Plugins) -> Iterator[Finding]:
    """Say which of the plugins, loaded by *settings*, are broken, and what the others offer."""
    # Not needed for --help.
    from inboxd.plugins.unknown import known_executors, unknown_executor_settings

    known, is_complete = known_executors(plugins)
    for problem in unknown_executor_settings(settings, known, is_complete=is_complete):
        yield failed("configuration", problem, "mend its name, or take it out")
    for problem in plugins.problems:
        yield failed("configuration", problem, "mend it; until then the daemon does not start")
    off = [name for name, each in settings.executors.items() if not each.enabled and name in known]
    yield from plugin_findings(plugins, switched_off=off)
    yield from check_disabled(settings, plugins)


def plugin_findings(plugins: Plugins, *, switched_off: Iterable[str]) -> Iterator[Finding]:
    """Say which plugins are broken and what the others offer."""
    for broken in plugins.broken:
        distribution = f" of {escaped(broken.distribution)}" if broken.distribution else ""
        what = "has a part that cannot be used" if broken.is_part else "cannot be used"
        yield failed(
            "plugins",
            f"{escaped(broken.name)}{distribution} {what}: {escaped(broken.reason)}",
            broken.advice
            or "update or uninstall its distribution, or name it in [plugins] disable",
            details=None
            if broken.traceback is None
            else escaped(broken.traceback, keep_newlines=True),
        )
    for plugin in plugins.loaded:
        if plugin.seconds > _SLOW_SECONDS:
            yield warned(
                "plugins",
                f"{escaped(plugin.name)} of {escaped(plugin.distribution)} took"
                f" {plugin.seconds:.1f} s to load, at each start and for each `inboxd validate`",
                "its author can import what is slow where it is first needed",
            )
    names = ", ".join(escaped(name) for name in sorted(plugins.executors))
    if names:
        yield good("executors", names)
    else:
        yield failed(
            "executors",
            "none is installed and enabled, so every task is refused",
            "look at [plugins] and [executors.…] in `inboxd config show`",
        )
    if plugins.disabled:
        kept_out = ", ".join(escaped(name) for name in plugins.disabled)
        yield good("plugins", f"kept out by [plugins] allow and disable: {kept_out}")
    if off := ", ".join(escaped(name) for name in sorted(switched_off)):
        yield good("executors", f"switched off by the configuration: {off}")
