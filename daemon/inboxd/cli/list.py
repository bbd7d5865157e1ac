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
    from inboxd.store.reader import NoStore

    trees: list[TreeView] = []
    try:
        trees = _trees(where, status, limit + 1)
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


def _trees(where: Where, status: str | None, limit: int) -> list[TreeView]:
    """Return the newest from the store, or from the daemon where this user may not read that."""
    from inboxd.cli.references import client_for
    from inboxd.store.reader import StoreReader
    from inboxd.task import TaskStatus

    instance = where.instance()
    client = client_for(instance)
    if client is not None:
        from inboxd.cli.over_socket import tree_documents, tree_view

        with client:
            return [*map(tree_view, tree_documents(client, status=status, limit=limit))]
    with StoreReader(instance.settings.store.url) as reader:
        wanted = None if status is None else TaskStatus(status)
        return reader.list_trees(status=wanted, limit=limit)


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
