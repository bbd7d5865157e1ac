"""`inboxd pause`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.completing import complete_tree
from inboxd.cli.options import Verb, json_option, where_options

if TYPE_CHECKING:
    from inboxd.cli.options import Where

__all__ = ["command"]


@click.command(
    cls=Verb,
    example="""
inboxd pause
inboxd pause nightly
""",
)
@click.argument("tree", required=False, shell_complete=complete_tree)
@where_options
@json_option
def command(where: Where, tree: str | None, as_json: bool) -> None:
    """
    Start nothing new, of a tree or at all.

    What runs goes on, and files are still taken. It stays so over restarts, until `inboxd resume`.
    """
    from inboxd.cli.asking import open_control, tasks_text  # not needed for --help
    from inboxd.cli.output import print_json
    from inboxd.control.client import tree_path

    with open_control(where) as client:
        done = client.post("/v1/pause" if tree is None else tree_path(tree, "pause"))
    if as_json:
        print_json(done)
        return
    running = done["running"]
    go_on = f"; {tasks_text(running)} in progress {'goes' if running == 1 else 'go'} on"
    click.echo(("paused" if done["changed"] else "was paused already") + (go_on if running else ""))
