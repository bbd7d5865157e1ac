"""`inboxd uninstall`: removes plugins from the environment that runs inboxd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.exit_codes import ExitCode
from inboxd.cli.options import Verb, json_option, where_options
from inboxd.cli.output import print_json
from inboxd.names import escaped

if TYPE_CHECKING:
    from inboxd.cli.options import Where

__all__ = ["command"]


@click.command(cls=Verb, example="inboxd uninstall inboxd-http")
@click.argument("packages", metavar="PKG...", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@where_options
@json_option
def command(packages: tuple[str, ...], dry_run: bool, where: Where, as_json: bool) -> int:
    """
    Remove plugins, and say what changed.

    PKG is the name of an installed package, other than inboxd and what it needs. Tasks that were
    accepted for an executor that goes wait until it is installed again. A daemon that runs is left
    alone and sees the change after a restart.
    """
    from inboxd.cli.packages.changing import change_packages  # what follows is not for --help
    from inboxd.cli.packages.environment import find_installer, refuse_unless_writable
    from inboxd.cli.packages.words import installed_names

    names = installed_names(packages, installers=["pip"])
    refuse_unless_writable()
    installer = find_installer()
    line = installer.uninstall(names)
    if not dry_run:
        return change_packages(line, installer, where, as_json=as_json)
    if as_json:
        print_json({"format": 1, "command": line, "would_remove": names})
    else:
        click.echo("\n".join(f"would remove {escaped(name)}" for name in names))
    return ExitCode.GOOD
