"""`inboxd executors`: the executors that a task file can name, and what each takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.options import Verb, json_option, where_options
from inboxd.cli.output import note, print_json
from inboxd.errors import NotFound
from inboxd.names import did_you_mean, escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.cli.offered import OfferedExecutor
    from inboxd.cli.options import Where

__all__ = ["command"]


@click.command(
    cls=Verb,
    example="""
inboxd executors
inboxd executors command
""",
)
@click.argument("name", metavar="[NAME]", required=False)
@where_options
@json_option
def command(name: str | None, where: Where, as_json: bool) -> None:
    """
    Show the executors that a task file can name, or all about one.

    With NAME: what it takes as inputs, its settings, and a task as an example.
    """
    from inboxd.cli.offered import load_all, offered_executors, resolved_executor  # not for --help
    from inboxd.cli.render import executor_pages as pages

    settings = where.instance().settings
    plugins = load_all(settings)
    offered = offered_executors(settings, plugins)
    if name is None:
        if as_json:
            print_json({"format": 1, "executors": list(map(pages.line_form, offered.values()))})
            return
        pages.print_list(offered.values())
        if plugins.broken:
            note(f"{_count(len(plugins.broken))} cannot be used: see `inboxd plugins`")
        return
    found = offered.get(name) or resolved_executor(name, settings, plugins)
    if found is None:
        raise _not_found(name, offered)
    if as_json:
        print_json({"format": 1, **pages.whole_form(found, settings)})
    else:
        pages.print_page(found, settings)


def _not_found(name: str, offered: Mapping[str, OfferedExecutor]) -> NotFound:
    hint = did_you_mean(name, offered) or f"there are: {', '.join(offered) or 'none'}"
    return NotFound(f'no executor "{escaped(name)}"; {hint}')


def _count(number: int) -> str:
    return "1 plugin, or a part of one," if number == 1 else f"{number} plugins, or parts of them,"
