"""`inboxd install`: installs plugins into the environment that runs inboxd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.exit_codes import ExitCode
from inboxd.cli.options import Verb, json_option, where_options
from inboxd.cli.output import print_json

if TYPE_CHECKING:
    from inboxd.cli.options import Where

__all__ = ["command"]


@click.command(
    cls=Verb,
    example="""
inboxd install inboxd-http
inboxd install --upgrade inboxd-http ./my-plugin
""",
)
@click.argument("packages", metavar="PKG...", nargs=-1, required=True)
@click.option("--upgrade", is_flag=True, help="Take a newer version of one that is installed.")
@click.option("--dry-run", is_flag=True, help="Only say what would be installed.")
@where_options
@json_option
def command(
    packages: tuple[str, ...], upgrade: bool, dry_run: bool, where: Where, as_json: bool
) -> int:
    """
    Install plugins beside inboxd, and say what changed.

    PKG is what pip takes: a name, a name with a version, a wheel, a directory, a URL. It is
    installed by pip, or uv, into the environment that runs this inboxd; what these say is on
    stderr. inboxd and what it stands on stay as they are, unless PKG is inboxd. A daemon that runs
    is left alone and sees the change after a restart.
    """
    import tempfile  # what follows is not needed for --help
    from importlib.metadata import version
    from pathlib import Path

    from inboxd.cli.packages.changing import change_packages, run_installer
    from inboxd.cli.packages.environment import find_installer, refuse_unless_writable
    from inboxd.cli.packages.needed import needs_of, project_of
    from inboxd.cli.packages.words import refuse_options

    refuse_options(packages)
    refuse_unless_writable()
    installer = find_installer()
    options = [*(["--upgrade"] if upgrade else []), *(["--dry-run"] if dry_run else [])]
    with tempfile.TemporaryDirectory(prefix="inboxd-") as directory:
        keep = None
        if "inboxd" not in map(project_of, packages):
            keep = Path(directory) / "keep-inboxd.txt"
            kept = [f"inboxd=={version('inboxd')}", *needs_of("inboxd").constraints]
            keep.write_text("\n".join(kept) + "\n", encoding="utf-8")
        line = installer.install(packages, options=options, keep=keep)
        if dry_run:
            code = run_installer(line)
            if as_json:
                print_json({"format": 1, "command": line, "exit_code": code})
            return ExitCode.FAILED if code else ExitCode.GOOD
        return change_packages(line, installer, where, as_json=as_json)
