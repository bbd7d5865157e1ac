"""`inboxd schema`: prints the JSON Schema of the task file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.options import Verb, json_option, where_options
from inboxd.cli.output import print_json

if TYPE_CHECKING:
    from inboxd.cli.options import Where

__all__ = ["command"]


@click.command(
    cls=Verb,
    example="""
inboxd schema > task-array.schema.json
inboxd schema --core
""",
)
@click.option(
    "--core", is_flag=True, help="Without executors: the same for every instance of this version."
)
@where_options
@json_option
def command(core: bool, where: Where, as_json: bool) -> None:
    """
    Print the JSON Schema of the task file.

    It holds the inputs of each executor that is installed and switched on, so that an editor
    completes them too. It is JSON with or without --json.
    """
    # What follows is not needed for --help.
    from inboxd.array.schema import task_array_schema

    del as_json  # accepted on every verb
    if core:
        print_json(task_array_schema())
        return
    from inboxd.array.composed_schema import OfferedInputs, composed_schema
    from inboxd.plugins.inputs_type import schema_of
    from inboxd.plugins.manager import load_plugins

    executors = load_plugins(where.instance().settings).executors
    print_json(
        composed_schema(
            OfferedInputs(
                name=name,
                description=str(executor.description),
                schema=schema_of(executor.inputs_schema),
            )
            for name, executor in executors.items()
        )
    )
