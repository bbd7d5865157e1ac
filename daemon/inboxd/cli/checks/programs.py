"""The programs that the configuration names: there, and executable."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.cli.checks.finding import Finding, failed, good
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.config.settings import Settings

__all__ = ["check_programs", "directory_findings", "program_findings"]


def check_programs(settings: Settings) -> Iterator[Finding]:
    """Look at the program of `[notify]` and at `[plugins] directory`, where they are set."""
    if settings.notify.argv:
        yield from program_findings("notify", settings.notify.argv[0], path=os.environ.get("PATH"))
    if settings.plugins.directory is not None:
        yield from directory_findings(settings.plugins.directory)


def directory_findings(directory: Path) -> Iterator[Finding]:
    """Say whether programs of a directory can be executors: who may change it may run anything."""
    shown = f"[plugins] directory {escaped(str(directory))}"
    try:
        mode = directory.stat().st_mode
    except OSError as error:
        yield failed("plugins", f"{shown}: {error.strerror}", "make it, or mend the setting")
        return
    if not stat.S_ISDIR(mode):
        yield failed("plugins", f"{shown}: is no directory", "mend the setting")
    elif mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield failed(
            "plugins",
            f"{shown}: others than its owner may change it, and so run commands as the daemon",
            f"chmod go-w {escaped(str(directory))}",
        )
    else:
        yield good("plugins", shown)


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
