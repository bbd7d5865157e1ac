"""Loading `Settings`: flag, environment, files, defaults; all problems at once."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxd.config.environment import environment_layer, overrides_layer
from inboxd.config.files import files_of, read_layer
from inboxd.config.keys import KEYS
from inboxd.config.layers import Layer, merged
from inboxd.config.paths import absolute, default_config_file, default_state_directory
from inboxd.config.programs import with_absolute_module_path, with_absolute_paths
from inboxd.config.settings import (
    ControlSettings,
    ExecutorSettings,
    InboxSettings,
    LogSettings,
    NotifySettings,
    PluginSettings,
    RunSettings,
    Settings,
    StateSettings,
    StoreSettings,
)
from inboxd.config.values import checked_value, flag_of, option_of
from inboxd.errors import ConfigurationError
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["config_file", "load_settings", "settings_of_file"]


def config_file(
    config: Path | None, *, environ: Mapping[str, str], cwd: Path
) -> tuple[Path, str | None]:
    """
    Return the configuration's main file, and who named it: a flag, a variable, or None.

    One that nobody named need not exist.
    """
    if config is not None:
        return absolute(str(config), base=cwd, environ=environ), "--config"
    if named := environ.get("INBOXD_CONFIG"):
        return absolute(named, base=cwd, environ=environ), "$INBOXD_CONFIG"
    return default_config_file(environ), None


def load_settings(
    *,
    config: Path | None = None,
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """
    Return all settings, complete and with absolute paths.

    Args:
        config: the file that `--config` names; None: `$INBOXD_CONFIG`, else the unit's or the
            user's own, which need not exist.
        overrides: what flags say, text by `section.key`: `{"state.path": "/srv/inboxd"}`.
        environ: the environment; None is this process's own.
        cwd: where relative paths of flags and variables start; None is this process's own.

    Raises:
        ConfigurationError: with one sentence for each thing that is wrong, in any of the sources.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    main, named_by = config_file(config, environ=environ, cwd=cwd)
    if named_by and not main.exists():
        raise ConfigurationError([f"{escaped(str(main))}: no such file ({named_by} names it)"])
    return settings_of_file(main, overrides=overrides or {}, environ=environ, cwd=cwd)


def settings_of_file(
    main: Path | None,
    *,
    overrides: Mapping[str, str],
    environ: Mapping[str, str],
    cwd: Path,
    given: tuple[Layer, list[str]] | None = None,
) -> Settings:
    """
    Return the settings that this file and its `conf.d` give, where they exist.

    Args:
        main: an absolute path; None: read no file.
        overrides: what flags say, text by `section.key`.
        environ: the environment.
        cwd: where relative paths of flags and variables start.
        given: what a program says by `given_layer`; over the environment, under the flags.

    Raises:
        ConfigurationError: with one sentence for each thing that is wrong.
    """
    files, found = ([], []) if main is None else files_of(main)
    layers: list[Layer] = []
    for path in files:
        layer, new_problems = read_layer(path)
        layers.append(layer)
        found += new_problems
    of_files = merged(layers)
    of_environment, new_problems = environment_layer(environ, cwd=cwd, files=of_files)
    found += new_problems
    of_program, new_problems = given or (Layer(), [])
    found += new_problems
    of_flags, new_problems = overrides_layer(overrides, cwd=cwd)
    found += new_problems
    settings = _settings_of(
        merged([of_files, of_environment, of_program, of_flags]), environ=environ, problems=found
    )
    if settings is None or found:
        raise ConfigurationError(found)
    return replace(settings, config=main, files=tuple(files))


def _settings_of(
    layer: Layer, *, environ: Mapping[str, str], problems: list[str]
) -> Settings | None:
    """Return the settings, or None after adding to *problems* what is wrong."""
    values: dict[str, dict[str, Any]] = {key.section: {} for key in KEYS}
    for key in KEYS:
        if written := layer.values.get((key.section, key.name)):
            try:
                values[key.section][key.field] = checked_value(key, written, environ)
            except ValueError as error:
                problems.append(f"{written.origin}: {error}")
    executors = _executors_of(layer, environ, problems)

    state: Path = values["state"].setdefault("path", default_state_directory(environ))
    values["inbox"].setdefault("path", state / "inbox")
    values["store"].setdefault("url", f"sqlite:///{state / 'inboxd.db'}")
    inbox = InboxSettings(**values["inbox"])
    store = StoreSettings(**values["store"])
    problems += _conflicts(inbox=inbox, state=state, store=store)
    if problems:
        return None
    return Settings(
        inbox=inbox,
        store=store,
        state=StateSettings(**values["state"]),
        run=RunSettings(**values["run"]),
        control=ControlSettings(**values["control"]),
        plugins=PluginSettings(
            **values["plugins"], options=_plugin_tables(layer), sources=_plugin_sources(layer)
        ),
        notify=NotifySettings(**values["notify"]),
        log=LogSettings(**values["log"]),
        executors=executors,
    )


def _executors_of(
    layer: Layer, environ: Mapping[str, str], problems: list[str]
) -> dict[str, ExecutorSettings]:
    """Return the tables `[executors.NAME]`, after adding to *problems* what is wrong."""
    executors: dict[str, ExecutorSettings] = {}
    for section, name in sorted(layer.tables):
        if section != "executors":
            continue
        table = {key: one for (owner, key), one in layer.executors.items() if owner == name}
        enabled = table.pop("enabled", None)
        options = {key: option_of(one) for key, one in table.items()}
        if "argv" in options:
            bases = {key: one.base for key, one in table.items()}
            options = with_absolute_paths(options, bases, environ)
        elif name == "python" and "path" in options:
            options = with_absolute_module_path(options, table["path"].base, environ)
        try:
            is_on = True if enabled is None else flag_of(enabled)
            executors[name] = ExecutorSettings(
                enabled=is_on,
                options=options,
                sources={key: one.source or one.origin for key, one in table.items()},
            )
        except ValueError as error:
            origin = "" if enabled is None else enabled.origin
            problems.append(f"{origin}: {error}")
    return executors


def _plugin_tables(layer: Layer) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {
        name: {} for section, name in sorted(layer.tables) if section == "plugins"
    }
    for (name, key), written in layer.plugins.items():
        tables[name][key] = option_of(written)
    return tables


def _plugin_sources(layer: Layer) -> dict[str, dict[str, str]]:
    sources: dict[str, dict[str, str]] = {}
    for (name, key), written in layer.plugins.items():
        sources.setdefault(name, {})[key] = written.source or written.origin
    return sources


def _conflicts(*, inbox: InboxSettings, state: Path, store: StoreSettings) -> list[str]:
    """Return one sentence for each pair of settings that do not go together."""
    problems: list[str] = []
    if inbox.allow_world and not inbox.allowed_owners:
        problems.append(
            "[inbox] allow_world: lets every user of the machine run commands as you;"
            " set allowed_owners as well, to say whose files are taken"
        )
    if inbox.path == state or inbox.path in state.parents:
        problems.append(
            f"[inbox] path: {escaped(str(inbox.path))} must not hold the state directory"
            f" {escaped(str(state))}: who may drop files could replace it"
        )
    if "?" in store.url:
        problems.append(
            f'[state] path: {escaped(str(state))}: must not hold "?",'
            " which begins options in the database's URL"
        )
    return problems
