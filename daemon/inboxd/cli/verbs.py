"""The verbs of the command line, loaded only when they are used, so that `--help` is quick."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

from inboxd.names import did_you_mean, escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    "plugins": ("plugins", "Show the plugins, what each brings, and what is wrong with one."),
    "executors": ("executors", "Show the executors that a task file can name, or all about one."),
    "install": ("install", "Install plugins beside inboxd, and say what changed."),
    "uninstall": ("uninstall", "Remove plugins, and say what changed."),
    "schema": ("schema", "Print the JSON Schema of the task file."),
    "config": ("config", "Show the settings, or check them."),
    "doctor": ("doctor", "Look for what is wrong, and say what to do about it."),
    "version": ("version", "Print the versions of inboxd and of what it stands on."),
}


class Verbs(click.Group):
    """The group of all verbs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its command; None for a verb that is none."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"inboxd.cli.{VERBS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; for one that is none say which is near."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            hint = did_you_mean(args[0], VERBS)
            what = f'no verb "{escaped(args[0])}"'
            raise click.UsageError(f"{what}; {hint}" if hint else what, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs without importing any."""
        rows: Sequence[tuple[str, str]] = [(verb, text) for verb, (_, text) in VERBS.items()]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)
