"""The words that name packages on the command line."""

from __future__ import annotations

import re
from importlib.metadata import distributions
from typing import TYPE_CHECKING

import click

from inboxd.cli.packages.needed import needs_of, normalized
from inboxd.errors import NotFound, PackagesRefused
from inboxd.names import did_you_mean, escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["installed_names", "refuse_options"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def refuse_options(words: Sequence[str]) -> None:
    """
    See that no word would be taken for an option, or for nothing.

    Raises:
        click.UsageError: one is.
    """
    for word in words:
        if word.startswith("-"):
            raise click.UsageError(f'"{escaped(word)}" is an option of no package: name packages')
        if not word.strip():
            raise click.UsageError("a package has a name")


def installed_names(words: Sequence[str], *, installers: Sequence[str]) -> list[str]:
    """
    Return the names of installed distributions that may be removed, as these write them.

    Args:
        words: as they were given.
        installers: what removes them, and must not remove itself.

    Raises:
        click.UsageError: a word is no name.
        NotFound: nothing of that name is installed.
        PackagesRefused: inboxd needs it.
    """
    refuse_options(words)
    known = {normalized(one.metadata["Name"]): one.metadata["Name"] for one in distributions()}
    needed = needs_of("inboxd").chains
    names: list[str] = []
    for word in words:
        key = normalized(word)
        if _NAME.fullmatch(word) is None:
            raise click.UsageError(f'"{escaped(word)}" is no name of a package')
        if key == "inboxd":
            raise PackagesRefused(
                "inboxd does not uninstall itself; use what installed it, as pip uninstall inboxd"
            )
        if key in needed:
            chain = " needs ".join(escaped(one) for one in needed[key])
            raise PackagesRefused(f"{escaped(word)} stays, inboxd cannot do without: {chain}")
        if key in installers:
            raise PackagesRefused(f"{escaped(word)} stays: it is what `inboxd install` runs")
        if key not in known:
            hint = did_you_mean(word, known.values())
            what = f'no package "{escaped(word)}" is installed here'
            raise NotFound(f"{what}; {hint}" if hint else what)
        names.append(known[key])
    return list(dict.fromkeys(names))
