"""`inboxd explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from inboxd.cli.completing import complete_task
from inboxd.cli.options import Verb, json_option, where_options

if TYPE_CHECKING:
    from inboxd.cli.options import Where
    from inboxd.instances import Instance

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
    from inboxd.cli.references import find_task  # what follows is not needed for --help
    from inboxd.cli.render.json_forms import encoded, to_stdout
    from inboxd.clock import SystemClock
    from inboxd.store.explaining import explain_task, explained, explanation_document
    from inboxd.store.reader import StoreReader
    from inboxd.task import PlaceKind

    instance = where.instance()
    said = _told(instance, reference)
    if said is not None:
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


def _told(instance: Instance, reference: str) -> dict[str, Any] | None:
    """
    Return what the daemon says, which knows of threads that hold places; None: ask the store.

    Raises:
        InboxdError: the daemon must be asked, since this user may not read the store, and cannot.
    """
    from inboxd.cli.asking import ask_of_task
    from inboxd.cli.references import client_for
    from inboxd.control.client import ControlClient, NotPermitted, TryLater, task_path
    from inboxd.errors import DaemonNotReachable

    only = client_for(instance)
    if only is None and not instance.is_running:
        return None
    with only or ControlClient.of(instance) as client:
        try:
            said: dict[str, Any] = ask_of_task(
                client, reference, lambda tree, task: client.get(task_path(tree, task, "explain"))
            )
        except (DaemonNotReachable, NotPermitted, TryLater):
            if only is not None:
                raise
            return None
        return said
