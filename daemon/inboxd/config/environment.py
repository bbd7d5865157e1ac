"""Reading `INBOXD_SECTION__KEY` and the flags into layers, with one sentence for each problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.config.files import later_section
from inboxd.config.keys import KEYS, SECTIONS, key_named
from inboxd.config.layers import Layer, Written
from inboxd.names import did_you_mean, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["environment_layer", "overrides_layer"]

_PREFIX = "INBOXD_"
#: Sections of tables with owners elsewhere: `INBOXD_SECTION__NAME__KEY`.
_TABLES = ("executors", "plugins")


def environment_layer(
    environ: Mapping[str, str], *, cwd: Path, files: Layer
) -> tuple[Layer, list[str]]:
    """
    Return what the environment says, and one sentence for each variable that cannot be used.

    Only names of the form `INBOXD_SECTION__KEY` are settings; others that begin with `INBOXD_`
    (a command that inboxd runs has some) are left alone, but for one that is a setting's name with
    one underscore too few.

    Args:
        environ: the whole environment.
        cwd: where a relative path in a variable starts.
        files: what the files say: `INBOXD_EXECUTORS__MY_TOOL__ENABLED` is about `my-tool` when
            they speak of that, else about `my_tool`; the same holds for keys.
    """
    layer = Layer()
    problems: list[str] = []
    by_variable = {key.variable: key for key in KEYS}
    by_slip = {key.variable.replace("__", "_"): key.variable for key in KEYS}
    names = {(section, _variable_part(name)): name for section, name in files.tables}
    spoken_of = {
        (section, _variable_part(name), _variable_part(key)): key
        for section in _TABLES
        for name, key in _options(files, section)
    }
    for variable in sorted(name for name in environ if name.startswith(_PREFIX)):
        written = Written(
            value=environ[variable], origin=f"${escaped(variable)}", base=cwd, is_text=True
        )
        parts = variable.removeprefix(_PREFIX).lower().split("__")
        if key := by_variable.get(variable):
            layer.values[key.section, key.name] = written
        elif len(parts) == 1:
            if variable in by_slip:
                problems.append(f"${variable}: did you mean ${by_slip[variable]}?")
        elif later := later_section(parts[0]):
            problems.append(f"${escaped(variable)}: {later}")
        elif _is_option(parts):
            section, name, option = parts
            option = spoken_of.get((section, name.upper(), option.upper()), option)
            name = names.get((section, name.upper()), name)
            layer.tables[section, name] = None
            _options(layer, section)[name, option] = written
        else:
            problems.append(_unknown(variable, by_variable))
    return layer, problems


def overrides_layer(overrides: Mapping[str, str], *, cwd: Path) -> tuple[Layer, list[str]]:
    """
    Return what the command line says, and one sentence for each setting that is none.

    Args:
        overrides: text by `section.key`, as in `{"state.path": "/srv/inboxd"}`.
        cwd: where a relative path starts.
    """
    layer = Layer()
    problems: list[str] = []
    for name, text in overrides.items():
        section, _, key = name.partition(".")
        if section not in SECTIONS or key_named(section, key) is None:
            known = [f"{each.section}.{each.name}" for each in KEYS]
            hint = did_you_mean(name, known)
            problems.append(f'unknown setting "{escaped(name)}"' + (f"; {hint}" if hint else ""))
            continue
        layer.values[section, key] = Written(
            value=text, origin=f"command line: [{section}] {key}", base=cwd, is_text=True
        )
    return layer, problems


def _unknown(variable: str, known: Iterable[str]) -> str:
    hint = did_you_mean(variable, known)
    what = f"${escaped(variable)}: there is no such setting"
    return f"{what}; {hint}" if hint else f"{what}; the form is INBOXD_SECTION__KEY"


def _is_option(parts: list[str]) -> bool:
    """Return whether a variable's parts are a section of tables, a name and a key."""
    if parts[0] not in _TABLES or len(parts) != 3 or not all(parts):
        return False
    return key_named(parts[0], parts[1]) is None


def _options(layer: Layer, section: str) -> dict[tuple[str, str], Written]:
    return layer.executors if section == "executors" else layer.plugins


def _variable_part(name: str) -> str:
    return name.upper().replace("-", "_").replace(".", "_")
