"""`inboxd validate`: checks task files and shows every error in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from inboxd.cli.exit_codes import ExitCode
from inboxd.cli.options import Verb, json_option, where_options
from inboxd.cli.output import print_json
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.array import Problem
    from inboxd.cli.checking import Checker
    from inboxd.cli.options import Where

__all__ = ["command"]


@click.command(
    cls=Verb,
    example="""
inboxd validate inbox/examples/*.json
generate-tasks | inboxd validate --json -
""",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@where_options
@json_option
def command(files: tuple[str, ...], where: Where, as_json: bool) -> int:
    """
    Check task files and show every error in them.

    FILE is a task file, JSON or of a format that a plugin reads, which its suffix says; - is
    standard input, JSON. Needs no daemon. Ends with 0 when all files are
    valid, else with 4; one that is not there or cannot be read is not valid.
    """
    from inboxd.cli.checking import Checker  # not needed for --help

    settings = where.instance().settings
    checker = Checker(settings)
    reports = [
        _report(name, checker, max_bytes=settings.inbox.max_file_bytes, as_json=as_json)
        for name in files
    ]
    if as_json:
        print_json({"format": 1, "files": reports})
    return ExitCode.GOOD if all(report["valid"] for report in reports) else ExitCode.INVALID_FILE


def _report(name: str, checker: Checker, *, max_bytes: int, as_json: bool) -> dict[str, Any]:
    """Check one file, print what there is to say of it unless JSON is wanted, and return it."""
    from inboxd.array import CheckedArray, Problem  # not needed for --help
    from inboxd.cli.checking import read_task_file  # the same

    data = read_task_file(name, max_bytes=max_bytes)
    errors: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    task_count: int | None = None
    has_more = False
    if isinstance(data, Problem):
        errors = [data]
    else:
        checked = checker.check(data, name=name)
        warnings = checked.warnings
        if isinstance(checked, CheckedArray):
            task_count = checked.task_count
        else:
            errors, has_more = checked.problems, checked.has_more
    if not as_json:
        shown = "standard input" if name == "-" else escaped(name)
        _print(shown, errors, warnings, task_count)
        if has_more:
            click.echo(f"{shown}: there are more errors; these are the first {len(errors)}")
    return {
        "file": name,
        "valid": not errors,
        "task_count": task_count,
        "errors": [error.to_dict() for error in errors],
        "has_more_errors": has_more,
        "warnings": [warning.to_dict() for warning in warnings],
    }


def _print(
    shown: str, errors: Sequence[Problem], warnings: Sequence[Problem], task_count: int | None
) -> None:
    for error in errors:
        click.echo(f"{shown}: {error}")
    for warning in warnings:
        click.echo(f"{shown}: warning: {warning}")
    if not errors:
        click.echo(f"{shown}: good, {task_count} task{'' if task_count == 1 else 's'}")
