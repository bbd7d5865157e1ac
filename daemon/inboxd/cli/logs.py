"""`inboxd logs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.completing import complete_task
from inboxd.cli.options import Verb, json_option, where_options
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.cli.options import Where
    from inboxd.cli.render.log_output import Stream

__all__ = ["command"]


@click.command(
    cls=Verb,
    example="""
inboxd logs nightly/fetch
inboxd logs -f @/report
inboxd logs nightly/fetch --attempt 1 --stream stdout > first.txt
""",
)
@click.argument("reference", metavar="TREE/TASK", shell_complete=complete_task)
@click.option(
    "-f",
    "--follow",
    is_flag=True,
    help="Go on until the attempt is over; wait for one that has not started.",
)
@click.option(
    "--attempt",
    type=click.IntRange(min=1),
    metavar="N",
    help="Which attempt, from 1. Default: the newest.",
)
@click.option(
    "--stream",
    type=click.Choice(["stdout", "stderr"]),
    help="Print this one alone. Default: stdout, then stderr.",
)
@where_options
@json_option
def command(
    where: Where,
    reference: str,
    follow: bool,
    attempt: int | None,
    stream: Stream | None,
    as_json: bool,
) -> None:
    """
    Print what an attempt of a task wrote.

    All of it goes to stdout as it was written; which stream it came from is said on stderr where
    both hold something. On a terminal control characters are shown, not sent.
    """
    from inboxd.cli.following import (  # what follows is not needed for --help
        AttemptLog,
        await_attempt,
        choose_attempt,
    )
    from inboxd.cli.following import follow as follow_attempt
    from inboxd.cli.output import note
    from inboxd.cli.references import client_for, find_task
    from inboxd.cli.render.log_output import JsonOutput, PlainOutput
    from inboxd.clock import SystemClock
    from inboxd.store.reader import StoreReader

    if "/" not in reference:
        raise click.UsageError(
            f'"{escaped(reference)}" names no task: write TREE/TASK;'
            f" `inboxd show {escaped(reference)}` lists the tasks of a tree"
        )
    instance = where.instance()
    streams: Sequence[Stream] = ("stdout", "stderr") if stream is None else (stream,)
    client = client_for(instance)
    if client is not None:
        from inboxd.cli.log_over_socket import copy_log

        with client:
            output = JsonOutput() if as_json else PlainOutput(headings=False)
            copy_log(client, reference, attempt, streams, output=output, follow=follow)
        return
    with StoreReader(instance.settings.store.url) as reader:
        tree, task = find_task(reader, reference)
        if follow:
            if instance.is_running is False:
                note("the daemon does not run: nothing changes until it does")
            task = await_attempt(reader, tree, task, attempt)
        reason = reader.task_reason(tree, task, now=SystemClock().now_micros())
        number = choose_attempt(task, attempt, reason)
        log = AttemptLog(instance.settings.state.path, tree, task, number, streams)
        output = JsonOutput() if as_json else PlainOutput(headings=log.has_both())
        if follow:
            follow_attempt(reader, tree, task, number, log=log, output=output)
        else:
            log.copy_to(output)
        output.close()
        if log.is_empty:
            note(f"attempt {number} of {escaped(task.id)} wrote nothing")
