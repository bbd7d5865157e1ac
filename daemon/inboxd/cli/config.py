"""`inboxd config show` and `inboxd config check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.exit_codes import ExitCode
from inboxd.cli.options import Verb, json_option, where_options
from inboxd.cli.output import note, print_json
from inboxd.errors import ConfigurationError
from inboxd.names import escaped

if TYPE_CHECKING:
    from inboxd.cli.options import Where
    from inboxd.config.settings import Settings

__all__ = ["command"]


@click.group(subcommand_metavar="show|check ...")
def command() -> None:
    """Show the settings, or check them."""


@command.command(
    cls=Verb,
    example="""
inboxd config show
INBOXD_RUN__PLACES=8 inboxd config show --json
""",
)
@where_options
@json_option
def show(where: Where, as_json: bool) -> None:
    """
    Print every setting, as TOML.

    Flags win over variables (INBOXD_SECTION__KEY), those over files, those over the defaults.
    """
    from inboxd.config.toml import json_value, settings_document, to_toml  # not needed for --help

    settings = where.instance().settings
    if as_json:
        files = [str(file) for file in settings.files]
        print_json({"files": files, "settings": json_value(settings_document(settings))})
        return
    for file in settings.files:
        click.echo(f"# read: {escaped(str(file))}")
    if not settings.files:
        click.echo("# no file was read")
    click.echo("\n" + to_toml(settings), nl=False)


@command.command(cls=Verb, example="inboxd config check --config /etc/inboxd/inboxd.toml")
@where_options
@json_option
def check(where: Where, as_json: bool) -> int:
    """
    Check the configuration and show everything that is wrong with it.

    Ends with 0 when it can be used, with 78 when not.
    """
    try:
        settings = _checked_settings(where)
    except ConfigurationError as error:
        if as_json:
            files = [str(file) for file in where.files()]
            print_json({"valid": False, "files": files, "problems": list(error.problems)})
            return ExitCode.CONFIGURATION
        raise
    files = [str(file) for file in settings.files]
    if as_json:
        print_json({"valid": True, "files": files, "problems": []})
        return ExitCode.GOOD
    note("good: " + (", ".join(escaped(file) for file in files) or "no file, only defaults"))
    return ExitCode.GOOD


def _checked_settings(where: Where) -> Settings:
    from inboxd.plugins.manager import load_plugins  # what follows is not needed for --help
    from inboxd.plugins.unknown import known_executors, unknown_executor_settings

    settings = where.instance(strict=True).settings
    if settings.executors or settings.plugins.options:
        plugins = load_plugins(settings)
        known, is_complete = known_executors(plugins)
        problems = unknown_executor_settings(settings, known, is_complete=is_complete)
        if problems := [*plugins.problems, *problems]:
            raise ConfigurationError(problems)
    return settings
