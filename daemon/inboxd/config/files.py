"""Reading `inboxd.toml` and `conf.d/*.toml` into layers, with one sentence for each problem."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, cast

from inboxd.config.keys import LATER_SECTIONS, SECTIONS, key_named, keys_of
from inboxd.config.layers import Layer, Written
from inboxd.config.reading import NotRegular, open_regular
from inboxd.names import did_you_mean, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["files_of", "later_section", "read_layer"]

#: A configuration is written by hand; `tomllib` is slow on hostile input of megabytes.
_MOST_BYTES = 1024 * 1024


def files_of(main: Path) -> tuple[list[Path], list[str]]:
    """
    Return the files that the configuration *main* consists of, in order, and problems.

    That is the file itself, where it exists, and `conf.d/*.toml` beside it in the order of their
    names; names that begin with a dot are left out.
    """
    files = [main] if main.exists() else []
    parts = main.parent / "conf.d"
    try:
        if parts.is_dir():
            files += sorted(
                path for path in parts.iterdir() if path.match("*.toml") and path.name[0] != "."
            )
    except OSError as error:
        return files, [f"{_shown(parts)}: cannot be read: {error.strerror}"]
    return files, []


def read_layer(path: Path) -> tuple[Layer, list[str]]:
    """Return what the file says, and one sentence for each thing in it that cannot be used."""
    shown = _shown(path)
    try:
        with open_regular(path) as file:
            data = file.read(_MOST_BYTES + 1)
    except NotRegular as error:
        return Layer(), [f"{shown}: {error.strerror}, not a configuration"]
    except OSError as error:
        return Layer(), [f"{shown}: cannot be read: {error.strerror}"]
    if len(data) > _MOST_BYTES:
        return Layer(), [f"{shown}: larger than {_MOST_BYTES} bytes: is this a configuration?"]
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Layer(), [f"{shown}: not UTF-8 (byte {error.start})"]
    except tomllib.TOMLDecodeError as error:
        return Layer(), [f"{shown}: not valid TOML: {escaped(str(error))}"]
    except RecursionError:
        return Layer(), [f"{shown}: nested too deep"]
    return _layer_of(document, path=path, shown=shown)


def later_section(name: str) -> str | None:
    """Return what to say of a section that this version does not know yet, or None."""
    if name not in LATER_SECTIONS:
        return None
    return f"[{name}] comes with a later version of inboxd; take it out for this one"


def _layer_of(document: dict[str, object], *, path: Path, shown: str) -> tuple[Layer, list[str]]:
    layer = Layer()
    problems: list[str] = []
    for section, value in document.items():
        table = _table_or_none(value)
        if later := later_section(section):
            problems.append(f"{shown}: {later}")
        elif section not in SECTIONS and section != "executors":
            what = f"unknown section [{escaped(section)}]"
            if table is None:
                what = f'"{escaped(section)}" stands outside of any section'
            problems.append(_sentence(f"{shown}: {what}", section, (*SECTIONS, "executors")))
        elif table is None:
            problems.append(f"{shown}: {section} is a section: write [{section}]")
        elif section == "executors":
            problems += _add_executors(layer, table, path=path, shown=shown)
        else:
            problems += _add_section(layer, section, table, path=path, shown=shown)
    return layer, problems


def _add_section(
    layer: Layer, section: str, table: dict[str, object], *, path: Path, shown: str
) -> list[str]:
    problems: list[str] = []
    for name, value in table.items():
        options = _table_or_none(value)
        if key_named(section, name) is None and section == "plugins" and options is not None:
            layer.tables["plugins", name] = None
            _add_options(layer.plugins, name, options, f"{shown}: [plugins.{escaped(name)}]", path)
            continue
        if key_named(section, name) is None:
            known = [key.name for key in keys_of(section)]
            what = f'{shown}: unknown key "{escaped(name)}" in [{section}]'
            problems.append(_sentence(what, name, known))
            continue
        layer.values[section, name] = Written(
            value=value, origin=f"{shown}: [{section}] {name}", base=path.parent
        )
    return problems


def _add_executors(layer: Layer, table: dict[str, object], *, path: Path, shown: str) -> list[str]:
    problems: list[str] = []
    for name, value in table.items():
        settings = _table_or_none(value)
        where = f"[executors.{escaped(name)}]"
        if settings is None:
            problems.append(f"{shown}: executors.{escaped(name)} is a section: write {where}")
            continue
        layer.tables["executors", name] = None
        _add_options(layer.executors, name, settings, f"{shown}: {where}", path)
    return problems


def _add_options(
    into: dict[tuple[str, str], Written],
    name: str,
    options: dict[str, object],
    where: str,
    path: Path,
) -> None:
    """Take the keys of a table that has an owner elsewhere; which there are, the owner knows."""
    for key, value in options.items():
        into[name, key] = Written(
            value=value,
            origin=f"{where} {escaped(key)}",
            base=path.parent,
            source=_shown(path),
        )


def _table_or_none(value: object) -> dict[str, object] | None:
    # The keys of TOML's tables are text (toml.io, "Table").
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _sentence(what: str, name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f"{what}; {hint}" if hint else f"{what}; known are: {', '.join(known)}"


def _shown(path: Path) -> str:
    return escaped(str(path))
