"""Where things live when nobody says so: the unit's directories, then those of the user (XDG)."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["absolute", "default_config_file", "default_state_directory", "home_directory"]

#: The name of the file in whichever directory holds the configuration.
_FILE_NAME = "inboxd.toml"


def default_config_file(environ: Mapping[str, str]) -> Path:
    """Return the file that is read when none is named; it need not exist."""
    unit = _unit_directory(environ, "CONFIGURATION_DIRECTORY")
    return (unit or _user_directory(environ, "XDG_CONFIG_HOME", ".config")) / _FILE_NAME


def default_state_directory(environ: Mapping[str, str]) -> Path:
    """Return the state directory that is used when none is named; it need not exist."""
    unit = _unit_directory(environ, "STATE_DIRECTORY")
    return unit or _user_directory(environ, "XDG_STATE_HOME", ".local/state")


def absolute(text: str, *, base: Path, environ: Mapping[str, str]) -> Path:
    """
    Return the absolute path that *text* means, `.` and `..` resolved, links left alone.

    Args:
        text: as a person wrote it; `~` alone or before a slash is the home directory.
        base: the directory that a relative path starts from.
        environ: where `HOME` is looked up.
    """
    if text == "~" or text.startswith("~/"):
        base, text = home_directory(environ), text[1:].lstrip("/")
    return Path(os.path.normpath(base / text))


def home_directory(environ: Mapping[str, str]) -> Path:
    """Return `$HOME` where it is absolute, else the home directory in the user database."""
    home = environ.get("HOME", "")
    if home.startswith("/"):
        return Path(home)
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:  # a container may run as a number that no one gave a name
        return Path("/")


def _unit_directory(environ: Mapping[str, str], name: str) -> Path | None:
    # systemd.exec(5): colons separate several directories; the first is the unit's main one.
    first = environ.get(name, "").split(":", 1)[0]
    return Path(first) if first.startswith("/") else None


def _user_directory(environ: Mapping[str, str], name: str, under_home: str) -> Path:
    # The XDG specification: a relative path in these variables is to be ignored.
    value = environ.get(name, "")
    parent = Path(value) if value.startswith("/") else home_directory(environ) / under_home
    return parent / "inboxd"
