"""Plugins as people and programs are shown them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from inboxd.cli.offered import version_of
from inboxd.cli.render.console import foreign, make_console, print_plainly
from inboxd.names import escaped

if TYPE_CHECKING:
    from rich.console import Console

    from inboxd.cli.added_verbs import AddedVerbs
    from inboxd.config.settings import Settings
    from inboxd.plugins.manager import BrokenPlugin, LoadedPlugin, Plugins

__all__ = ["print_page", "whole_form"]


def whole_form(plugins: Plugins, verbs: AddedVerbs, settings: Settings) -> dict[str, Any]:
    """Return what `plugins --json` prints."""
    off = _switched_off(settings)
    return {
        "format": 1,
        "plugins": [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": version_of(plugin.distribution),
                "executors": list(plugin.executors),
                "switched_off": sorted(off & set(plugin.executors)),
                "hooks": list(plugin.hooks),
                "suffixes": list(plugin.suffixes),
                "verbs": _verbs_of(plugin, verbs),
                "seconds": round(plugin.seconds, 6),
            }
            for plugin in plugins.loaded
        ],
        "broken": [
            {
                "name": broken.name,
                "distribution": broken.distribution,
                "version": version_of(broken.distribution),
                "reason": broken.reason,
                "is_part": broken.is_part,
                "traceback": broken.traceback,
            }
            for broken in plugins.broken
        ],
        "disabled": list(plugins.disabled),
        "problems": list(plugins.problems),
        "verb_problems": list(verbs.problems),
    }


def print_page(plugins: Plugins, verbs: AddedVerbs, settings: Settings) -> None:
    """Print the plugins that work, then those that do not with the reason, then those kept out."""
    console = make_console()
    off = _switched_off(settings)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("PLUGIN", "FROM", "LOADED IN"):
        table.add_column(heading, no_wrap=True)
    table.add_column("BRINGS")
    for plugin in plugins.loaded:
        table.add_row(
            foreign(plugin.name),
            foreign(_origin(plugin.distribution)),
            f"{plugin.seconds:.3f} s",
            foreign(_brought(plugin, _verbs_of(plugin, verbs), off) or "nothing, as it is set up"),
        )
    print_plainly(console, table)
    for broken in plugins.broken:
        _print_broken(console, broken)
    for problem in plugins.problems:
        console.print(Text("\nsetting: ", "bold red"), foreign(problem), sep="", soft_wrap=True)
    for problem in verbs.problems:
        console.print(Text("\nverb: ", "bold red"), foreign(problem), sep="", soft_wrap=True)
    if plugins.disabled:
        names = ", ".join(map(escaped, plugins.disabled))
        console.print(f"\nkept out by [plugins] allow and disable: {names}", soft_wrap=True)


def _print_broken(console: Console, broken: BrokenPlugin) -> None:
    what = "a part cannot be used" if broken.is_part else "cannot be used"
    console.print(
        Text.assemble(
            "\n",
            (f"{escaped(broken.name)} of {escaped(_origin(broken.distribution))}", "bold red"),
            f": {what}: {escaped(broken.reason)}",
        ),
        soft_wrap=True,
    )
    if broken.traceback is not None:
        for line in escaped(broken.traceback, keep_newlines=True).splitlines():
            console.print(Text(f"    {line}", "dim"), soft_wrap=True)


def _verbs_of(plugin: LoadedPlugin, verbs: AddedVerbs) -> list[str]:
    return sorted(name for name, owner in verbs.plugins.items() if owner == plugin.name)


def _brought(plugin: LoadedPlugin, verbs: list[str], off: set[str]) -> str:
    """Return `executors a, b (switched off); files .yaml; verb audit; hook tree_ended`."""
    executors = [f"{name} (switched off)" if name in off else name for name in plugin.executors]
    # What its executors, suffixes and verbs come by is not told twice.
    told = {"inboxd_executors", "inboxd_file_suffixes", "inboxd_configure", "inboxd_commands"}
    hooks = [name.removeprefix("inboxd_") for name in plugin.hooks if name not in told]
    parts = [
        ("executors" if len(executors) > 1 else "executor", executors),
        ("files", plugin.suffixes),
        ("verbs" if len(verbs) > 1 else "verb", verbs),
        ("hooks" if len(hooks) > 1 else "hook", hooks),
    ]
    return "; ".join(f"{what} {', '.join(names)}" for what, names in parts if names)


def _switched_off(settings: Settings) -> set[str]:
    return {name for name, one in settings.executors.items() if not one.enabled}


def _origin(distribution: str) -> str:
    return f"{distribution} {version_of(distribution) or ''}".rstrip()
