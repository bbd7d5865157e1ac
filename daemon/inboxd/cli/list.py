"""`inboxd list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.options import Verb, json_option, where_options

if TYPE_CHECKING:
    from inboxd.cli.options import Where
    from inboxd.store.views import TreeView

__all__ = ["command"]

_STATUSES = ("pending", "in_progress", "completed", "failed", "cancelled")


@click.command(
    cls=Verb,
    example="""
inboxd list --status failed --limit 5
inboxd list --json
""",
)
@click.option("--status", type=click.Choice(_STATUSES), help="Only trees in this status.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="At most so many.",
)
@where_options
@json_option
def command(where: Where, status: str | None, limit: int, as_json: bool) -> None:
    """List the trees, the newest first."""
    from inboxd.cli.output import note  # what follows is not needed for --help
    from inboxd.cli.references import open_store
    from inboxd.store.reader import NoStore
    from inboxd.task import TaskStatus

    trees: list[TreeView] = []
    try:
        with open_store(where) as reader:
            trees = reader.list_trees(
                status=None if status is None else TaskStatus(status), limit=limit + 1
            )
    except NoStore as nothing:
        note(str(nothing))
    if as_json:
        _print_json(trees[:limit])
        return
    if trees:
        _print_table(trees[:limit])
    else:
        note("no trees" if status is None else f"no trees that are {status}")
    if len(trees) > limit:
        note(f"there are more than these {limit}: --limit N shows more")


def _print_json(trees: list[TreeView]) -> None:
    from inboxd.cli.render.json_forms import encoded, to_stdout, tree_fields

    lines = b",\n".join(encoded(tree_fields(tree)) for tree in trees)
    to_stdout()(b'{"format":1,"trees":[' + (b"\n" + lines if lines else b"") + b"\n]}\n")


def _print_table(trees: list[TreeView]) -> None:
    from inboxd.cli.render.console import make_console, print_plainly
    from inboxd.cli.render.tables import trees_table
    from inboxd.clock import SystemClock

    console = make_console()
    print_plainly(console, trees_table(trees, now=SystemClock().now_micros(), width=console.width))
