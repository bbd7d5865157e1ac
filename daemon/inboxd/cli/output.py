"""Writing: data to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

__all__ = ["note", "print_json", "problem"]


def print_json(value: Any) -> None:
    """Print one JSON document to stdout, indented, in UTF-8."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def note(text: str) -> None:
    """Tell the person something that is no data, on stderr."""
    click.echo(text, err=True)


def problem(text: str) -> None:
    """Tell the person what went wrong, on stderr; *text* must be safe to show."""
    click.echo(click.style("inboxd: ", fg="red", bold=True) + text, err=True, color=_colour())


def _colour() -> bool:
    import os

    return sys.stderr.isatty() and "NO_COLOR" not in os.environ
