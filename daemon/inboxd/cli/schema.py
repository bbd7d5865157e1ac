"""`inboxd schema`: prints the JSON Schema of the task file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.options import Verb, json_option, where_options
from inboxd.cli.output import print_json

if TYPE_CHECKING:
    from inboxd.cli.options import Where

__all__ = ["command"]


@click.command(cls=Verb, example="inboxd schema > task-array.schema.json")
@where_options
@json_option
def command(where: Where, as_json: bool) -> None:
    """
    Print the JSON Schema of the task file.

    It is JSON with or without --json, and the same for every instance.
    """
    from inboxd.array.schema import task_array_schema  # not needed for --help

    del where, as_json  # accepted on every verb
    print_json(task_array_schema())
