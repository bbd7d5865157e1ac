"""Writing settings as TOML: `inboxd config show`, and the file of the first run."""

from __future__ import annotations

import math
import os
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from inboxd.config.keys import SECTIONS, Kind, keys_of
from inboxd.config.paths import default_config_file, default_state_directory
from inboxd.config.quantities import duration_text, size_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.config.keys import Key
    from inboxd.config.settings import Settings

__all__ = [
    "first_run_path",
    "json_value",
    "settings_document",
    "to_toml",
    "toml_value",
    "write_first_run_file",
]

_FIRST_RUN = """\
# Written by the first `inboxd run`; yours from now on: inboxd never writes to it again.
# `inboxd config show` prints every setting, `inboxd config check` checks this file.
"""


def settings_document(settings: Settings) -> dict[str, dict[str, object]]:
    """Return the settings as a document of TOML's types, in the order in which it is written."""
    document: dict[str, dict[str, object]] = {
        section: {
            key.name: toml_value(key, getattr(getattr(settings, section), key.field))
            for key in keys_of(section)
        }
        for section in SECTIONS
    }
    document["plugins"].update(
        {name: dict(options) for name, options in settings.plugins.options.items()}
    )
    if settings.executors:
        document["executors"] = {
            name: {"enabled": executor.enabled, **executor.options}
            for name, executor in settings.executors.items()
        }
    return document


def to_toml(settings: Settings) -> str:
    """Return the settings, every one of them, as TOML; reading it gives the same settings."""
    import tomli_w  # only two verbs write TOML

    return tomli_w.dumps(settings_document(settings))


def toml_value(key: Key, value: object) -> object:
    """Return the value of a setting as TOML writes it."""
    if key.kind in {Kind.PATH, Kind.OPTIONAL_PATH}:
        return "none" if value is None else str(value)
    if key.kind is Kind.AUTO_PATH:
        return str(value)
    if key.kind in {Kind.DURATION, Kind.OPTIONAL_DURATION}:
        return "none" if value is None else duration_text(float(str(value)))
    if key.kind is Kind.SIZE:
        return size_text(int(str(value)))
    if key.kind is Kind.STRINGS:
        return list(cast("tuple[str, ...]", value))
    return value


def json_value(value: object) -> object:
    """Return a value of TOML as JSON writes it: dates, and numbers that JSON has not, as text."""
    if isinstance(value, dict):
        return {key: json_value(one) for key, one in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [json_value(one) for one in cast("list[object]", value)]
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def first_run_path(settings: Settings, environ: Mapping[str, str]) -> Path | None:
    """
    Return where the file of the first run belongs, None when there is to be none.

    There is one for a person who just runs inboxd: no file was read, and everything lies on the
    user's default paths, not in a unit's directories or where a flag or a variable says.
    """
    state = default_state_directory(environ)
    is_unit = any(environ.get(name) for name in ("CONFIGURATION_DIRECTORY", "STATE_DIRECTORY"))
    path = default_config_file(environ)
    is_default = (
        settings.config == path
        and settings.state.path == state
        and settings.inbox.path == state / "inbox"
        and settings.store.url == f"sqlite:///{state / 'inboxd.db'}"
    )
    return path if is_default and not is_unit and not settings.files else None


def write_first_run_file(path: Path, settings: Settings) -> bool:
    """
    Write a short file with the two paths that a person looks for first; never over another file.

    Returns:
        False when there is a file already, or the directory cannot be written: that is no error,
        since the defaults hold without it.
    """
    import tomli_w  # only two verbs write TOML

    document = {
        "inbox": {"path": str(settings.inbox.path)},
        "state": {"path": str(settings.state.path)},
    }
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_FIRST_RUN + "\n" + tomli_w.dumps(document))
    return True
