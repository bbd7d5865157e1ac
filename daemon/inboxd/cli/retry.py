"""`inboxd retry`."""

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
inboxd retry nightly
inboxd retry @/load && inboxd wait @
""",
)
@click.argument("reference", metavar="TREE[/TASK]", shell_complete=complete_tree_or_task)
@where_options
@json_option
def command(where: Where, reference: str, as_json: bool) -> None:
    """
    Run again what failed or was cancelled.

    Of a tree: what failed (without allow_failure) or was cancelled, and all that comes after it;
    the rest keeps its results. Of a task, however it ended: that task and all that comes after it.
    While any of that is in progress it is refused: exit code 5.
    """
    from inboxd.cli.asking import ask_of, open_control  # not needed for --help
    from inboxd.cli.output import print_json

    with open_control(where) as client:
        done = ask_of(client, reference, "retry")
    if as_json:
        print_json(done)
    else:
        click.echo(_text(done))


def _text(done: dict[str, Any]) -> str:
    from inboxd.cli.asking import tasks_text

    again, left_over = done["again"], done["left_over"]
    text = f"{tasks_text(again)} {'runs' if again == 1 else 'run'} again"
    if left_over:
        text += f"; {tasks_text(left_over)} that an earlier process left over too"
    return text
