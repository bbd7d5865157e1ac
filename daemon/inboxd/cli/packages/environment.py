"""The Python environment that runs inboxd: what installs into it, and whether anything may."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.errors import PackagesRefused
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Installer", "find_installer", "refuse_unless_writable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """pip or uv, for this environment; what to put before the words of a sub-command."""

    name: str
    program: tuple[str, ...]
    #: Words after `install` or `uninstall` that name the environment.
    target: tuple[str, ...] = ()

    def install(
        self, names: Sequence[str], *, options: Sequence[str] = (), keep: Path | None = None
    ) -> list[str]:
        """
        Return the command line that installs.

        Args:
            names: requirements; none is taken for an option.
            options: before them.
            keep: a file of constraints; None: there are none.
        """
        kept = [] if keep is None else ["--constraint", str(keep)]
        return [*self.program, "install", *self.target, *options, *kept, "--", *names]

    def uninstall(self, names: Sequence[str]) -> list[str]:
        """Return the command line that removes distributions without asking."""
        agreed = ["--yes"] if self.name == "pip" else []
        return [*self.program, "uninstall", *self.target, *agreed, "--", *names]


def find_installer(*, has_pip: bool | None = None) -> Installer:
    """
    Return pip where the environment has it, else uv.

    Args:
        has_pip: None: look.

    Raises:
        PackagesRefused: there is neither.
    """
    if importlib.util.find_spec("pip") is not None if has_pip is None else has_pip:
        # -P: a pip.py where the person happens to be is not run.
        quiet = () if sys.stdin.isatty() else ("--no-input",)
        return Installer(name="pip", program=(sys.executable, "-P", "-m", "pip", *quiet))
    uv = shutil.which("uv")
    if uv is not None:
        return Installer(name="uv", program=(uv, "pip"), target=("--python", sys.executable))
    raise PackagesRefused(
        f"the environment {escaped(sys.prefix)} has no pip, and there is no uv on PATH;"
        f" run: {escaped(sys.executable)} -m ensurepip"
    )


def refuse_unless_writable(
    *, site: Path | None = None, library: Path | None = None, is_venv: bool | None = None
) -> None:
    """
    See that packages of this environment are this user's to change.

    Args:
        site: where packages go; this and the others by default as this Python says.
        library: where the standard library is.
        is_venv: whether it is a virtual environment.

    Raises:
        PackagesRefused: they belong to the operating system, or to somebody else.
    """
    site = Path(sysconfig.get_path("purelib")) if site is None else site
    library = Path(sysconfig.get_path("stdlib")) if library is None else library
    is_venv = sys.prefix != sys.base_prefix if is_venv is None else is_venv
    marker = library / "EXTERNALLY-MANAGED"
    if not is_venv and marker.exists():  # PEP 668
        raise PackagesRefused(
            f"{escaped(sys.prefix)} is managed by the operating system ({escaped(str(marker))}):"
            " install the plugin with its package manager, or give inboxd an environment of its"
            " own: python3 -m venv DIR && DIR/bin/pip install inboxd PKG, and run DIR/bin/inboxd"
        )
    if not os.access(site, os.W_OK | os.X_OK):
        owner = f"belongs to user {site.stat().st_uid}" if site.exists() else "is not there"
        raise PackagesRefused(
            f"you may not write to {escaped(str(site))}, which {owner}:"
            " run it as the user who installed inboxd"
        )
