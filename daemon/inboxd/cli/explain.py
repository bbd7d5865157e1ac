"""`inboxd explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.completing import complete_task
from inboxd.cli.options import Verb, json_option, where_options

if TYPE_CHECKING:
    from inboxd.cli.options import Where

__all__ = ["command"]


@click.command(
    cls=Verb,
    example="""
inboxd explain nightly/load
inboxd explain @/load --json
""",
)
@click.argument("reference", metavar="TREE/TASK", shell_complete=complete_task)
@where_options
@json_option
def command(where: Where, reference: str, as_json: bool) -> None:
    """
    Say what a task waits for, and why.

    In one or two sentences: what it depends on, when it is due, how many are before it in the
    queue, who paused it, why it failed or was skipped.
    """
    from inboxd.cli.references import (  # what follows is not needed for --help
        client_for,
        find_task,
    )
    from inboxd.cli.render.json_forms import encoded, to_stdout
    from inboxd.clock import SystemClock
    from inboxd.store.explaining import explain_task, explained, explanation_document
    from inboxd.store.reader import StoreReader
    from inboxd.task import PlaceKind

    instance = where.instance()
    client = client_for(instance)
    if client is not None:
        from inboxd.cli.asking import ask_of_task
        from inboxd.control.client import task_path

        with client:
            said = ask_of_task(
                client, reference, lambda tree, task: client.get(task_path(tree, task, "explain"))
            )
        if as_json:
            to_stdout()(encoded(said) + b"\n")
        else:
            click.echo(said["text"])
        return
    run = instance.settings.run
    places = {PlaceKind.PROCESS: run.places, PlaceKind.ASYNC: run.async_places}
    now = SystemClock().now_micros()
    with StoreReader(instance.settings.store.url) as reader:
        tree, task = find_task(reader, reference)
        facts, _ = explain_task(reader, tree, task, now=now)
    explanation = explained(facts, now=now, places=places)
    if as_json:
        to_stdout()(encoded(explanation_document(facts, explanation, places=places)) + b"\n")
        return
    click.echo(explanation.text)
    if instance.is_running is False and facts.task.ended_at is None:
        from inboxd.cli.output import note

        note("the daemon does not run: nothing changes until it does")
