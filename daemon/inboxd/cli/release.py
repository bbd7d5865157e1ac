"""`inboxd release`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.completing import complete_task
from inboxd.cli.options import Verb, json_option, where_options

if TYPE_CHECKING:
    from inboxd.cli.options import Where

__all__ = ["command"]


@click.command(cls=Verb, example="inboxd release nightly/deploy")
@click.argument("reference", metavar="TREE/TASK", shell_complete=complete_task)
@where_options
@json_option
def command(where: Where, reference: str, as_json: bool) -> None:
    """
    Let a task start that its file holds.

    A task with `hold` waits for this, once it is otherwise ready; it may come before that too.
    `inboxd cancel` is the refusal. A task that nobody holds: exit code 5.
    """
    from inboxd.cli.asking import ask_of_task, open_control  # not needed for --help
    from inboxd.cli.output import print_json
    from inboxd.control.client import task_path

    with open_control(where) as client:
        done = ask_of_task(
            client, reference, lambda tree, task: client.post(task_path(tree, task, "release"))
        )
    if as_json:
        print_json(done)
    elif done.get("early"):
        click.echo("released; it starts when the rest of what it waits for is there")
    else:
        click.echo("released")
