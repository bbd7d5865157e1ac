"""`inboxd resume`."""

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
inboxd resume
inboxd resume nightly
""",
)
@click.argument("tree", required=False, shell_complete=complete_tree)
@where_options
@json_option
def command(where: Where, tree: str | None, as_json: bool) -> None:
    """
    Start tasks again after a pause, of a tree or at all.

    A tree that was paused by itself stays so when everything is resumed, and the other way round.
    """
    from inboxd.cli.asking import open_control  # not needed for --help
    from inboxd.cli.output import print_json
    from inboxd.control.client import tree_path

    with open_control(where) as client:
        done = client.post("/v1/resume" if tree is None else tree_path(tree, "resume"))
    if as_json:
        print_json(done)
    else:
        click.echo("resumed" if done["changed"] else "was not paused")
