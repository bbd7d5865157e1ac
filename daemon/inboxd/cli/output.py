"""Writing: data to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from inboxd.names import escaped

__all__ = ["note", "print_json", "problem", "styled"]


def print_json(value: Any) -> None:
    """
    Print one JSON document to stdout, indented, in UTF-8.

    On a terminal, one with characters that could act on it is written in ASCII.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2)
    if sys.stdout.isatty() and escaped(text, keep_newlines=True) != text:
        text = json.dumps(value, indent=2).replace("\x7f", "\\u007f")
    click.echo(text)


def note(text: str) -> None:
    """Tell the person something that is no data, on stderr; *text* must be safe to show."""
    click.echo(text, err=True)


def problem(text: str) -> None:
    """Tell the person what went wrong, on stderr; *text* must be safe to show."""
    click.echo(f"{styled('inboxd:', fg='red', err=True)} {text}", err=True)


def styled(text: str, *, fg: str, err: bool = False) -> str:
    """
    Return the text in a colour where the person wants and can see one.

    That is on a terminal (stdout's, or stderr's with *err*), unless `NO_COLOR` is set to anything
    (no-color.org) or the terminal is dumb.
    """
    stream = sys.stderr if err else sys.stdout
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return text
    return click.style(text, fg=fg)
