"""Settings that a program gives as values, such as `create_session(places=8)`, as a layer."""

from __future__ import annotations

from datetime import timedelta
from os import PathLike, fspath
from typing import TYPE_CHECKING

from inboxd.config.files import later_section
from inboxd.config.keys import KEYS, Kind, key_named
from inboxd.config.layers import Layer, Written
from inboxd.names import did_you_mean, escaped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["given_layer"]

#: Sections of tables with owners elsewhere: `section.NAME.key`.
_TABLES = ("executors", "plugins")
_DURATIONS = (Kind.DURATION, Kind.OPTIONAL_DURATION)


def given_layer(
    values: Mapping[str, object], *, origin: str, cwd: Path, sections: tuple[str, ...]
) -> tuple[Layer, list[str]]:
    """
    Return what a program says, and one sentence for each setting that is none.

    Args:
        values: by `section.key`, `executors.NAME.key` or `plugins.NAME.key`. A value is what TOML
            would give, or one of Python's that means the same: a tuple for a list, a timedelta for
            a duration, a path for its text.
        origin: what an error begins with, before the setting's name.
        cwd: where a relative path starts.
        sections: that may be given.
    """
    layer = Layer()
    problems: list[str] = []
    for name, value in values.items():
        section, _, rest = name.partition(".")
        owner, _, option = rest.rpartition(".")
        written = Written(
            value=_plain(value), origin=f'{origin}: "{escaped(name)}"', base=cwd, source=origin
        )
        key = key_named(section, rest)
        if later := later_section(section):
            problems.append(f'{origin}: "{escaped(name)}": {later}')
        elif section not in sections:
            problems.append(f'{origin}: "{escaped(name)}": {_no_such(name, sections)}')
        elif key is not None:
            layer.values[section, rest] = _as_kind(key.kind, written)
        elif section in _TABLES and owner and option:
            layer.tables[section, owner] = None
            options = layer.executors if section == "executors" else layer.plugins
            options[owner, option] = written
        else:
            problems.append(f'{origin}: "{escaped(name)}": {_no_such(name, sections)}')
    return layer, problems


def _no_such(name: str, sections: tuple[str, ...]) -> str:
    known = [f"{key.section}.{key.name}" for key in KEYS]
    section = name.partition(".")[0]
    if section not in sections and name in known:
        return f"[{section}] is the daemon's alone"
    hint = did_you_mean(name, [one for one in known if one.partition(".")[0] in sections])
    forms = ", ".join(f"{each}.NAME.KEY" if each in _TABLES else f"{each}.KEY" for each in sections)
    return f"there is no such setting; {hint or f'the form is one of {forms}'}"


def _as_kind(kind: Kind, written: Written) -> Written:
    """A text stands for a number or a flag as it does in the environment: `"8"`."""
    is_text = isinstance(written.value, str)
    value = written.value
    if isinstance(value, timedelta) and kind in _DURATIONS:
        value = value.total_seconds()
    return Written(value=value, origin=written.origin, base=written.base, is_text=is_text)


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    return fspath(value) if isinstance(value, PathLike) else value  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
