"""
The verbs that plugins add (`inboxd_commands`); looked for only when a verb is not inboxd's own.

Each plugin adds to a group of its own, within a time limit: what one does wrong costs its verbs, is
said in one line, and breaks nothing else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inboxd.cli.options import Where
from inboxd.names import escaped
from inboxd.plugins.failures import said
from inboxd.plugins.installed import installed_plugins
from inboxd.plugins.limited import within
from inboxd.plugins.manager import load_plugins, without_disabled

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from inboxd.config.settings import Settings
    from inboxd.plugins.hooks import Implementation
    from inboxd.plugins.loaded import Plugins

__all__ = ["AddedVerbs", "added_verbs", "verbs_of", "where_in"]

_HOOK = "inboxd_commands"

#: A person waits for this: for the import of one plugin, and for the verbs of all together.
_LIMIT_SECONDS = 5.0
#: When others used that up, each has this still; adding verbs takes a millisecond.
_LEAST_SECONDS = 0.5


@dataclass(slots=True)
class AddedVerbs:
    """The verbs, by their names, and what is wrong with others: a sentence each."""

    commands: dict[str, click.Command] = field(default_factory=dict[str, click.Command])
    #: The plugin that adds each verb.
    plugins: dict[str, str] = field(default_factory=dict[str, str])
    problems: list[str] = field(default_factory=list[str])


def added_verbs(settings: Settings, own: Collection[str]) -> AddedVerbs:
    """
    Return the verbs of the plugins that are installed besides inboxd's own.

    Args:
        settings: of these `[plugins]`.
        own: the verbs that are there; no plugin replaces one.
    """
    found, broken = installed_plugins()
    broken = without_disabled(broken, settings.plugins)
    strangers = [one.entry_point for one in found if not one.is_ours]
    if not strangers and not broken:
        return AddedVerbs()
    plugins = load_plugins(settings, installed=strangers, limit_seconds=_LIMIT_SECONDS)
    verbs = verbs_of(plugins, own)
    verbs.problems[:0] = [
        f"{'a part of ' if one.is_part else ''}plugin {escaped(one.name)}"
        f" ({escaped(one.distribution)}) is not used: {one.reason}"
        for one in (*broken, *plugins.broken)
    ]
    return verbs


def verbs_of(plugins: Plugins, own: Collection[str]) -> AddedVerbs:
    """Return the verbs of plugins that are loaded; see `added_verbs`."""
    verbs = AddedVerbs()
    twice: dict[str, list[str]] = {}
    deadline = time.monotonic() + _LIMIT_SECONDS
    for one in plugins.hooks.implementations(_HOOK):
        limit = max(_LEAST_SECONDS, round(deadline - time.monotonic(), 1))
        who = f"plugin {escaped(one.plugin)} ({escaped(one.distribution)})"
        try:
            commands = within(limit, lambda: _commands_of(one))  # noqa: B023 - called now
        except BaseException as error:  # the door of one plugin: SystemExit too
            verbs.problems.append(f"{who}: {_HOOK}() failed: {said(error)}")
            continue
        for name, command in commands.items():
            if name in own:
                verbs.problems.append(f'{who}: the verb "{escaped(name)}" is inboxd\'s own')
            elif name in verbs.plugins:
                twice.setdefault(name, [verbs.plugins[name]]).append(one.plugin)
            else:
                verbs.commands[name] = command
                verbs.plugins[name] = one.plugin
    for name, owners in twice.items():
        del verbs.commands[name], verbs.plugins[name]
        verbs.problems.append(
            f'the verb "{escaped(name)}" is added by the plugins {" and ".join(owners)};'
            " neither is used: uninstall one"
        )
    return verbs


def _commands_of(one: Implementation) -> dict[str, click.Command]:
    group = click.Group("inboxd")
    one(cli=group)
    return {name: _checked(command) for name, command in group.commands.items()}


def _checked(command: object) -> click.Command:
    if not isinstance(command, click.Command):
        raise TypeError(f"it added a {type(command).__name__}, which is no click command")
    _add_where_options(command)
    return command


def where_in(words: Sequence[str]) -> Where:
    """Return what `--config` and `--state` say in the words behind a verb of a plugin."""
    said: dict[str, Path | None] = {"--config": None, "--state": None}
    rest = iter(words)
    for word in rest:
        if word == "--":
            break
        name, has_value, value = word.partition("=")
        if name in said and (text := value if has_value else next(rest, "")):
            said[name] = Path(text)
    return Where(config=said["--config"], state=said["--state"])


def _add_where_options(command: click.Command) -> None:
    """Have a verb, and those below it, take `--config` and `--state`, which were read before."""
    taken = {name for parameter in command.params for name in parameter.opts}
    for name, metavar, text in (
        ("--config", "FILE", "The configuration of the instance that is meant."),
        ("--state", "DIR", "The state directory of the instance that is meant."),
    ):
        if name not in taken:
            option = click.Option([name], metavar=metavar, help=text, expose_value=False)
            command.params.append(option)
    if isinstance(command, click.Group):
        for one in command.commands.values():
            _add_where_options(one)
