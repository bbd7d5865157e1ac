"""
The reference of the settings, rendered from the code: `python -m inboxd.config.reference` in a
checkout writes `config/inboxd.toml` and `docs/reference/settings.md`; a test keeps both current.

The words are the docstrings and `#:` comments of `inboxd.config.settings`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.config import settings as settings_module
from inboxd.config.keys import LATER_SECTIONS, SECTIONS, Kind, keys_of
from inboxd.config.settings import (
    ControlSettings,
    InboxSettings,
    LogSettings,
    NotifySettings,
    PluginSettings,
    RunSettings,
    Settings,
    StateSettings,
    StoreSettings,
)
from inboxd.config.toml import toml_value

if TYPE_CHECKING:
    from inboxd.config.keys import Key

__all__ = ["reference_settings", "render_markdown", "render_toml"]

_CLASSES = {
    "inbox": InboxSettings,
    "store": StoreSettings,
    "run": RunSettings,
    "state": StateSettings,
    "control": ControlSettings,
    "plugins": PluginSettings,
    "notify": NotifySettings,
    "log": LogSettings,
}
#: What stands where the default depends on the machine or the user.
_COMPUTED = {
    ("inbox", "path"): "~/.local/state/inboxd/inbox",
    ("store", "url"): "sqlite:////home/me/.local/state/inboxd/inboxd.db",
    ("run", "places"): 8,
    ("state", "path"): "~/.local/state/inboxd",
}
_FIELD = re.compile(r"    (\w+): ")

_TOML_HEAD = """\
# The reference of inboxd's configuration: every key, with its meaning and its default.
#
# Rendered from the code (python -m inboxd.config.reference). Write into your own file only what
# you change. It is read from --config FILE, else $INBOXD_CONFIG, else ~/.config/inboxd/inboxd.toml;
# conf.d/*.toml beside it are laid over it in the order of their names, INBOXD_SECTION__KEY in the
# environment over those, flags over all. A key that is commented out has a default that depends on
# the machine or the user. Relative paths start from the file that says so.
# A duration is a number of seconds or "500ms", "90s", "10m", "2h", "1d"; a size is a number of
# bytes or "64KiB", "16MiB", "1GiB".
"""

_MARKDOWN_HEAD = """\
# Settings

Rendered from the code by `python -m inboxd.config.reference`; the same as a file to copy from is
[`config/inboxd.toml`](../../config/inboxd.toml).
`inboxd config show` prints the settings in force, `inboxd config check` says what is wrong.

## Where settings come from

The first that says something wins:

1. a flag: `--state DIR`, `run --inbox DIR`;
2. a variable, `INBOXD_` + section + `__` + key in capitals: `INBOXD_RUN__PLACES=8`. A list is
   written with commas, or as in TOML: `INBOXD_RUN__ENVIRONMENT='["A=1,2", "B"]'`;
3. the files: `conf.d/*.toml` beside the main file, the last name first, then the main file. It is
   the one that `--config` names, else `$INBOXD_CONFIG`, else `inboxd.toml` in the unit's
   `$CONFIGURATION_DIRECTORY`, else `$XDG_CONFIG_HOME/inboxd/inboxd.toml`
   (`~/.config/inboxd/inboxd.toml`), which need not exist;
4. the default.

A list is replaced as a whole. A key that does not exist is an error that names the nearest one,
in a file as in a variable, and all errors are reported at once; the exit code is 78.
inboxd never changes your file. The first `inboxd run` on the default paths writes a short one
where there is none.

A **duration** is a number of seconds, or text with a unit: `"500ms"`, `"90s"`, `"10m"`, `"2h"`,
`"1d"`. A **size** is a whole number of bytes, or text with a unit: `"64KiB"`, `"16MiB"`, `"1GiB"`
(or, in thousands, `"64kB"`, `"16MB"`). A **path** that is relative starts from the directory of
the file that says so, in a flag or a variable from the current directory; `~/` is the home
directory.

The state directory is, when nobody says where, the unit's `$STATE_DIRECTORY`, else
`$XDG_STATE_HOME/inboxd` (`~/.local/state/inboxd`).
"""


_MARKDOWN_OPTIONS = """\
Every other key is the executor's own: `inboxd executors NAME` shows which there are, and one that
cannot be used is an error that names the section.
With `argv` the section makes an executor of a program, in any language:
[the executor protocol](executor-protocol.md).

## `[plugins.NAME]`

One section for each plugin that has settings, by the name that `inboxd plugins` shows; what may
stand there is in the plugin's own documentation.

In these tables, as everywhere, a later file is laid over an earlier one key by key.
A variable is `INBOXD_EXECUTORS__NAME__KEY` or `INBOXD_PLUGINS__NAME__KEY`, with `-` and `.` in a
name written `_`: `INBOXD_EXECUTORS__COMMAND__ENABLED=false`.
Its text is read as a value of TOML where it is one (`8`, `true`, `["a", "b"]`, `"8"`), and is the
text itself where it is none.
What a path in these tables is relative to, the owner of the table decides.
"""


def reference_settings() -> Settings:
    """Return the defaults; the paths in them are examples."""
    state = Path("/home/me/.local/state/inboxd")
    return Settings(
        inbox=InboxSettings(path=state / "inbox"),
        store=StoreSettings(url=f"sqlite:///{state}/inboxd.db"),
        state=StateSettings(path=state),
    )


def render_toml() -> str:
    """Return `config/inboxd.toml`."""
    lines = [_TOML_HEAD]
    for section in SECTIONS:
        lines.append(f"# {_capital(_meaning_of(section))}\n[{section}]")
        texts = _field_texts(section)
        for key in keys_of(section):
            lines += [f"# {line}" for line in texts[key.field]]
            if bounds := _bounds(key):
                lines.append(f"# ({bounds})")
            mark = "# " if key.computed else ""
            lines.append(f"{mark}{key.name} = {_default_text(key)}\n")
    lines += [
        "# One section for each executor that is to be switched off or on.",
        "# [executors.command]",
        *(f"# {line}" for line in _texts_of_class("ExecutorSettings")["enabled"]),
        "# enabled = true",
        "# What else stands here is the executor's own: `inboxd executors command` shows it.",
        "",
        "# One section for each plugin that has settings; `inboxd plugins` lists the plugins.",
        "# [plugins.NAME]",
    ]
    return "\n".join(lines) + "\n"


def render_markdown() -> str:
    """Return `docs/reference/settings.md`."""
    lines = [_MARKDOWN_HEAD]
    for section in SECTIONS:
        lines += [f"## `[{section}]`\n", f"{_capital(_meaning_of(section))}\n"]
        lines += ["| key | kind | default | meaning |", "| --- | --- | --- | --- |"]
        texts = _field_texts(section)
        for key in keys_of(section):
            default = "" if key.computed else f"`{_default_text(key)}`"
            meaning = " ".join(texts[key.field])
            kind = f"{key.kind}, {bounds}" if (bounds := _bounds(key)) else str(key.kind)
            lines.append(f"| `{key.name}` | {kind} | {default} | {_cell(meaning)} |")
        lines.append("")
    enabled = " ".join(_texts_of_class("ExecutorSettings")["enabled"])
    lines += [
        "## `[executors.NAME]`\n",
        "One section for each executor that is to be switched off or on, or has settings.\n",
        "| key | kind | default | meaning |",
        "| --- | --- | --- | --- |",
        f"| `enabled` | {Kind.FLAG} | `true` | {_cell(enabled)} |",
        "",
        _MARKDOWN_OPTIONS,
        "## Sections of later versions\n",
        f"{', '.join(f'`[{name}]`' for name in LATER_SECTIONS)}: this version refuses what it does"
        " not know yet rather than ignore what is asked for.",
    ]
    return "\n".join(lines) + "\n"


def main(root: Path) -> None:
    """Write both files into the checkout *root*."""
    (root / "config" / "inboxd.toml").write_text(render_toml(), encoding="utf-8")
    target = root / "docs" / "reference" / "settings.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render_markdown(), encoding="utf-8")


def _default_text(key: Key) -> str:
    import tomli_w  # only two verbs write TOML

    value = _COMPUTED.get((key.section, key.name))
    if value is None:
        value = toml_value(key, getattr(getattr(reference_settings(), key.section), key.field))
    text = tomli_w.dumps({"value": value}).removeprefix("value = ")
    # It gives every item of a list a line of its own.
    return " ".join(text.split()).replace("[ ", "[").replace(", ]", "]")


def _bounds(key: Key) -> str:
    if key.choices:
        what = "of" if key.kind is Kind.STRINGS else "one of"
        return f"{what} " + ", ".join(f'"{choice}"' for choice in key.choices)
    is_duration = key.kind in {Kind.DURATION, Kind.OPTIONAL_DURATION}
    least = toml_value(key, key.least) if is_duration else f"{key.least:.0f}"
    if key.kind is Kind.COUNT and key.most < 2**53:
        return f"{least} to {key.most:.0f}"
    return f"at least {least}" if key.least > 0 else ""


def _meaning_of(section: str) -> str:
    """Return the docstring of the section's class without the section's name."""
    text = _CLASSES[section].__doc__ or ""
    return text.partition("`: ")[2].strip()


def _field_texts(section: str) -> dict[str, list[str]]:
    return _texts_of_class(_CLASSES[section].__name__)


def _texts_of_class(name: str) -> dict[str, list[str]]:
    """Return the `#:` lines above each field of a class, by the field's name."""
    source = Path(str(settings_module.__file__)).read_text(encoding="utf-8")
    body = source.partition(f"class {name}:\n")[2].partition("\n\n\n")[0]
    texts: dict[str, list[str]] = {}
    pending: list[str] = []
    for line in body.splitlines():
        if line.startswith("    #: "):
            pending.append(line.removeprefix("    #: "))
        elif match := _FIELD.match(line):
            texts[match.group(1)] = pending
            pending = []
    return texts


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd())
