"""`inboxd cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from inboxd.cli.completing import complete_tree_or_task
from inboxd.cli.options import Verb, json_option, where_options

if TYPE_CHECKING:
    from inboxd.cli.options import Where

__all__ = ["command"]


@click.command(
    cls=Verb,
    example="""
inboxd cancel nightly
inboxd cancel 4b1c9e02/load
""",
)
@click.argument("reference", metavar="TREE[/TASK]", shell_complete=complete_tree_or_task)
@where_options
@json_option
def command(where: Where, reference: str, as_json: bool) -> None:
    """
    Cancel a tree or one of its tasks.

    What runs is ended, what has not started never does. Of a tree everything is cancelled that has
    not ended; of a task also what depends on its success or failure is skipped. What has ended
    cannot be cancelled: exit code 5.
    """
    from inboxd.cli.asking import ask_of, open_control  # not needed for --help
    from inboxd.cli.output import print_json

    with open_control(where) as client:
        done = ask_of(client, reference, "cancel")
    if as_json:
        print_json(done)
    else:
        click.echo(_text(done))


def _text(done: dict[str, Any]) -> str:
    from inboxd.cli.asking import tasks_text

    ended, ending = done["ended"], done["ending"]
    parts = [
        f"{tasks_text(ended)} cancelled" if ended else "",
        f"{tasks_text(ending)} in progress {'is' if ending == 1 else 'are'} being ended"
        if ending
        else "",
    ]
    text = "; ".join(part for part in parts if part) or "nothing is left to cancel"
    return f"was being cancelled already; {text}" if done["already"] else text
