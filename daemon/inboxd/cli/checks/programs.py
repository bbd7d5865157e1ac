"""The programs that the configuration names: there, and executable."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.cli.checks.finding import Finding, failed, good
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.config.settings import Settings

__all__ = ["check_programs", "directory_findings", "program_findings"]


def check_programs(settings: Settings) -> Iterator[Finding]:
    """Look at the programs of `[notify]` and `[executors.NAME]`, and at `[plugins] directory`."""
    if settings.notify.argv:
        yield from program_findings("notify", settings.notify.argv[0], path=os.environ.get("PATH"))
    for name, table in settings.executors.items():
        argv: object = table.options.get("argv")
        if table.enabled and isinstance(argv, list) and argv and isinstance(argv[0], str):
            yield from program_findings(
                f"executors.{escaped(name)}", argv[0], path=os.environ.get("PATH")
            )
    if settings.plugins.directory is not None:
        yield from directory_findings(settings.plugins.directory)


def directory_findings(directory: Path) -> Iterator[Finding]:
    """Say what is wrong with a directory of programs, and with each that must not be run."""
    from inboxd.executors.program_directory import (  # not needed for --help
        directory_problem,
        programs_refused,
    )

    problem = directory_problem(directory)
    if problem is not None:
        advice = "until then no program of [plugins] directory is an executor"
        yield failed("plugins", f"[plugins] directory: {problem}", advice)
        return
    yield good("plugins", f"[plugins] directory: {escaped(str(directory))}")
    for refused in programs_refused(directory):
        yield failed("plugins", refused, "until then a task that names it is refused")


def program_findings(check: str, program: str, *, path: str | None) -> Iterator[Finding]:
    """
    Say whether a program can be run.

    Args:
        check: what is looked at.
        program: a path, or a name that is looked for.
        path: directories, as in the variable PATH; None: the system's.
    """
    shown = escaped(program)
    found = shutil.which(program, path=path)
    if found is not None:
        yield good(check, f"{shown}: is {escaped(found)}" if found != program else shown)
    elif "/" in program and Path(program).exists():
        yield failed(
            check, f"{shown}: you may not execute it", f"chmod u+x {shown}, and look at its owner"
        )
    else:
        where = "it is not there" if "/" in program else "no directory of PATH has it"
        yield failed(check, f"{shown}: {where}", f"install it, or mend [{check}] argv")
