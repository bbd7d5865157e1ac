"""`inboxd priority`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.completing import complete_tree_or_task
from inboxd.cli.options import Verb, json_option, where_options

if TYPE_CHECKING:
    from inboxd.cli.options import Where

__all__ = ["command"]

#: docs/reference/task-file.md, `priority`.
_LARGEST = 999


@click.command(
    cls=Verb,
    example="""
inboxd priority nightly 0
inboxd priority @/load 10
""",
)
@click.argument("reference", metavar="TREE[/TASK]", shell_complete=complete_tree_or_task)
@click.argument("number", metavar="N", type=click.IntRange(0, _LARGEST))
@where_options
@json_option
def command(where: Where, reference: str, number: int, as_json: bool) -> None:
    """
    Give what has not started another priority.

    N is 0 to 999, and lower comes first: 0 urgent, 1 high, 2 normal, 3 low. Of a tree it is for all
    that has not started. What has started has none to set: exit code 5.
    """
    from inboxd.cli.asking import ask_of, open_control, tasks_text  # not needed for --help
    from inboxd.cli.output import print_json

    with open_control(where) as client:
        done = ask_of(client, reference, "priority", {"priority": number})
    if as_json:
        print_json(done)
    else:
        click.echo(f"priority {number} for {tasks_text(done['tasks'])} not started")
