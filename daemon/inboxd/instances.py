"""Which instance a command is about (docs/reference/cli.md)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.config.load import load_settings, settings_of_file
from inboxd.errors import AmbiguousReference, ConfigurationError
from inboxd.names import escaped
from inboxd.registry import SYSTEM_REGISTRY, RunningInstance, register, running_instances
from inboxd.state_lock import is_locked, lock_holder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.config.settings import Settings

__all__ = ["Instance", "find_instance", "register", "running_instances"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The instance that a command is about, running or not."""

    settings: Settings
    #: Whether a daemon holds its state directory; None when this user may not look.
    is_running: bool | None
    #: The daemon's pid, where it is known.
    pid: int | None
    #: The daemon's version, where it is known.
    version: str | None = None
    #: The daemon's control socket, where its entry in the registry says so.
    socket: Path | None = None


def find_instance(
    *,
    config: Path | None = None,
    state: Path | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    system: Path = SYSTEM_REGISTRY,
    strict: bool = False,
) -> Instance:
    """
    Return the instance that a command is about, by that rule.

    `--config` and `--state`; else `$INBOXD_STATE__PATH`; else `$INBOXD_CONFIG`; else the one
    running instance of this user; else the system's; else the user's default paths.

    A running daemon is found also when its file was broken since it started, unless *strict*.

    Raises:
        AmbiguousReference: several run, and nothing says which one is meant.
        ConfigurationError: the configuration cannot be used.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    of_user, of_system = running_instances(environ, system=system)
    if config or state or environ.get("INBOXD_STATE__PATH") or environ.get("INBOXD_CONFIG"):
        return _named_instance(
            config=config,
            state=state,
            environ=environ,
            cwd=cwd,
            running=of_user + of_system,
            strict=strict,
        )
    found = of_user or of_system
    if len(found) > 1:
        raise AmbiguousReference(
            "several inboxd run; say which one with --state DIR:\n"
            + "\n".join(
                f"  --state {escaped(str(each.state))}   (pid {each.pid}, inbox"
                f" {escaped(str(each.inbox))})"
                for each in found
            ),
            [str(each.state) for each in found],
        )
    if found:
        return _running(found[0], environ=environ, cwd=cwd, strict=strict)
    return _not_registered(load_settings(environ=environ, cwd=cwd))


def _named_instance(
    *,
    config: Path | None,
    state: Path | None,
    environ: Mapping[str, str],
    cwd: Path,
    running: list[RunningInstance],
    strict: bool,
) -> Instance:
    overrides = {} if state is None else {"state.path": str(state)}
    by_state = state or environ.get("INBOXD_STATE__PATH")
    if by_state and config is None:
        # A running daemon knows best where its inbox and its store are.
        path = (cwd / by_state).resolve()
        for each in running:
            if each.state.resolve() == path:
                return _running(each, environ=environ, cwd=cwd, strict=strict)
    settings = load_settings(config=config, overrides=overrides, environ=environ, cwd=cwd)
    for each in running:
        if each.state.resolve() == settings.state.path.resolve():
            # It may have been started with another inbox than its file says.
            settings = load_settings(
                config=config, overrides=_where(each), environ=environ, cwd=cwd
            )
            return _instance(each, settings)
    return _not_registered(settings)


def _running(
    entry: RunningInstance, *, environ: Mapping[str, str], cwd: Path, strict: bool
) -> Instance:
    """Return the instance with what its own files say by now; where things are it says itself."""
    where = _where(entry)
    try:
        settings = settings_of_file(entry.config, overrides=where, environ=environ, cwd=cwd)
    except ConfigurationError:
        if strict:
            raise
        # Edited since it started, or not for this user to read.
        settings = settings_of_file(None, overrides=where, environ=environ, cwd=cwd)
    return _instance(entry, settings)


def _instance(entry: RunningInstance, settings: Settings) -> Instance:
    return Instance(
        settings=settings,
        is_running=True,
        pid=entry.pid,
        version=entry.version,
        socket=entry.socket,
    )


def _where(entry: RunningInstance) -> dict[str, str]:
    return {
        "state.path": str(entry.state),
        "inbox.path": str(entry.inbox),
        "store.url": entry.store_url,
    }


def _not_registered(settings: Settings) -> Instance:
    try:
        is_running = is_locked(settings.state.path)
    except PermissionError:
        return Instance(settings=settings, is_running=None, pid=None)
    pid = lock_holder(settings.state.path) if is_running else None
    return Instance(settings=settings, is_running=is_running, pid=pid)
