"""`inboxd version`: the versions of inboxd and of what it stands on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import click

from inboxd.cli.options import Verb, json_option, where_options
from inboxd.cli.output import print_json

__all__ = ["command", "versions"]

_DISTRIBUTIONS = ("apscheduler", "sqlalchemy", "watchdog", "pluggy", "msgspec")


def versions() -> dict[str, str]:
    """Return each part's version by its name; SQLite's is that of the library in use."""
    from inboxd.store.driver import sqlite_module  # not needed for --help

    sqlite = sqlite_module()
    return {
        "inboxd": _version_of("inboxd"),
        "python": platform.python_version(),
        "sqlite": f"{sqlite.sqlite_version} ({sqlite.__name__.partition('.')[0]})",
        **{name: _version_of(name) for name in _DISTRIBUTIONS},
    }


def _version_of(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


@click.command(cls=Verb, example="inboxd version --json")
@where_options
@json_option
def command(where: object, as_json: bool) -> None:
    """Print the versions of inboxd and of what it stands on."""
    found = versions()
    if as_json:
        print_json(found)
        return
    for name, text in found.items():
        click.echo(f"{name:<12}{text}")
