"""`inboxd plugins`: which plugins are installed, what each brings, and what is wrong with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inboxd.cli.options import Verb, json_option, where_options
from inboxd.cli.output import print_json

if TYPE_CHECKING:
    from inboxd.cli.options import Where

__all__ = ["command"]


@click.command(cls=Verb, example="inboxd plugins\ninboxd plugins --json")
@where_options
@json_option
def command(where: Where, as_json: bool) -> None:
    """
    Show the plugins, what each brings, and what is wrong with one.

    They are loaded as the daemon loads them when it starts; one that runs may have loaded others,
    before something was installed. Ends with 0 also when one is broken; `inboxd doctor` does not.
    """
    from inboxd.cli.added_verbs import verbs_of  # what follows is not for --help
    from inboxd.cli.render import plugin_pages as pages
    from inboxd.cli.verbs import VERBS
    from inboxd.plugins.manager import load_plugins

    settings = where.instance().settings
    plugins = load_plugins(settings)
    verbs = verbs_of(plugins, VERBS)
    if as_json:
        print_json(pages.whole_form(plugins, verbs, settings))
    else:
        pages.print_page(plugins, verbs, settings)
