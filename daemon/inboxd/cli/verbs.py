"""The verbs of the command line, loaded only when they are used, so that `--help` is quick."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

from inboxd.cli.output import note
from inboxd.errors import AmbiguousReference, InboxdError
from inboxd.names import did_you_mean, escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.cli.added_verbs import AddedVerbs
    from inboxd.cli.options import Where
    from inboxd.config.settings import Settings

__all__ = ["VERBS", "Verbs"]

#: Each verb's module (in this package, with a click command named `command`) and the first sentence
#: of its help, here so that the list of verbs needs no module; a test compares the two.
VERBS: dict[str, tuple[str, str]] = {
    "run": ("run", "Run the daemon, in the foreground."),
    "submit": ("submit", "Check a task file and drop it in the inbox."),
    "validate": ("validate", "Check task files and show every error in them."),
    "list": ("list", "List the trees, the newest first."),
    "show": ("show", "Show a tree or one of its tasks."),
    "tree": ("tree", "Draw the tasks of a tree under their parents."),
    "logs": ("logs", "Print what an attempt of a task wrote."),
    "explain": ("explain", "Say what a task waits for, and why."),
    "wait": ("wait", "Wait until trees have ended."),
    "cancel": ("cancel", "Cancel a tree or one of its tasks."),
    "retry": ("retry", "Run again what failed or was cancelled."),
    "release": ("release", "Let a task start that its file holds."),
    "pause": ("pause", "Start nothing new, of a tree or at all."),
    "resume": ("resume", "Start tasks again after a pause, of a tree or at all."),
    "priority": ("priority", "Give what has not started another priority."),
    "plugins": ("plugins", "Show the plugins, what each brings, and what is wrong with one."),
    "executors": ("executors", "Show the executors that a task file can name, or all about one."),
    "install": ("install", "Install plugins beside inboxd, and say what changed."),
    "uninstall": ("uninstall", "Remove plugins, and say what changed."),
    "schema": ("schema", "Print the JSON Schema of the task file."),
    "config": ("config", "Show the settings, or check them."),
    "doctor": ("doctor", "Look for what is wrong, and say what to do about it."),
    "completion": ("completion", "Print what makes a shell complete verbs and options."),
    "version": ("version", "Print the versions of inboxd and of what it stands on."),
}


class Verbs(click.Group):
    """The group of all verbs: inboxd's own, and those that plugins add."""

    _found: AddedVerbs | None = None
    #: Several instances run, and nothing says which one a verb of a plugin is about.
    _ambiguous: AmbiguousReference | None = None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which a newcomer meets them, then those of plugins."""
        added = self._added()
        return [*VERBS, *sorted({} if added is None else added.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its command; None for a verb that is none."""
        if cmd_name not in VERBS:
            added = self._added()
            return None if added is None else added.commands.get(cmd_name)
        module = importlib.import_module(f"inboxd.cli.{VERBS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; for one that is none say which is near."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            added = self._added(args[1:])
            commands = {} if added is None else added.commands
            if args[0] in commands:
                if self._ambiguous is not None and not {"-h", "--help"} & set(args[1:]):
                    raise self._ambiguous
                return args[0], commands[args[0]], args[1:]
            _tell(added)
            hint = did_you_mean(args[0], [*VERBS, *commands])
            what = f'no verb "{escaped(args[0])}"'
            raise click.UsageError(f"{what}; {hint}" if hint else what, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs without importing any of inboxd's own."""
        rows: Sequence[tuple[str, str]] = [(verb, text) for verb, (_, text) in VERBS.items()]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)
        added = self._added()
        if added is not None and added.commands:
            with formatter.section("Verbs of plugins"):
                formatter.write_dl(
                    [
                        (escaped(name), escaped(command.get_short_help_str(limit=80)))
                        for name, command in sorted(added.commands.items())
                    ]
                )
        _tell(added)

    def leave_out_plugins(self) -> None:
        """Have no verbs but inboxd's own, whatever is installed."""
        from inboxd.cli.added_verbs import AddedVerbs  # not for our own verbs

        self._found = AddedVerbs()

    def _added(self, words: Sequence[str] = ()) -> AddedVerbs | None:
        """
        Return the verbs of plugins, which are looked for once; None where none is installed.

        Args:
            words: behind the verb; `--config` and `--state` among them say with which settings.

        Raises:
            InboxdError: the instance that they name has none that can be used.
        """
        if self._found is None and _are_plugins_installed():
            from inboxd.cli.added_verbs import (  # not for our own verbs
                AddedVerbs,
                added_verbs,
                where_in,
            )

            where = where_in(words)
            try:
                self._found = added_verbs(self._settings(where), VERBS)
            except InboxdError as error:
                if where.config is not None or where.state is not None:
                    raise
                self._found = AddedVerbs(
                    problems=[f"verbs of plugins cannot be looked for: {error}"]
                )
        return self._found

    def _settings(self, where: Where) -> Settings:
        """Return those of the instance that is meant; of none when several run."""
        try:
            return where.instance().settings
        except AmbiguousReference as error:
            # Told when the verb is there: for `--help` and a mistyped one it is no matter.
            self._ambiguous = error
            return where.settings()


def _are_plugins_installed() -> bool:
    """Whether there are plugins besides inboxd's own; a look that costs few milliseconds."""
    from importlib.metadata import entry_points  # not for our own verbs

    try:
        return any(
            one.dist is None or one.dist.name != "inboxd" for one in entry_points(group="inboxd")
        )
    except Exception:  # a list that cannot be read: who looks closer says which
        return True


def _tell(added: AddedVerbs | None) -> None:
    for problem in () if added is None else added.problems:
        note(f"inboxd: {problem}")
