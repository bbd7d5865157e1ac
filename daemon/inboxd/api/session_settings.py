"""The settings of a session: from its keywords and the environment; where its store lies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.api.private_directory import make_private_directory
from inboxd.config.given import given_layer
from inboxd.config.load import settings_of_file
from inboxd.config.paths import absolute
from inboxd.errors import ConfigurationError, StoreError
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.config.settings import Settings

__all__ = ["own_environment", "private_settings", "settings_of_store", "store_file"]

#: What a caller of the API configures is the session's, not the daemon's own places.
_NOT_OURS = ("INBOXD_STATE__", "INBOXD_STORE__", "INBOXD_INBOX__", "INBOXD_CONTROL__")
_SECTIONS = ("run", "executors", "plugins", "notify")
_ORIGIN = "create_session"
_PREFIX = "sqlite:///"
#: What asks SQLite for a database without a file.
_NO_FILES = ("sqlite:", "sqlite:/", "sqlite://", _PREFIX, f"{_PREFIX}:memory:", ":memory:")

#: Whoever closes a session has waited for what was to end; the daemon's default is for a stop that
#: comes from elsewhere.
_DRAIN_SECONDS = 0.0


def own_environment() -> dict[str, str]:
    """Return this process's environment without what is about the daemon's own places."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}


def private_settings(
    keywords: Mapping[str, object], settings: Mapping[str, object] | None
) -> tuple[Settings, Path]:
    """
    Return the settings of a private session, and its directory, which was made.

    Args:
        keywords: of `[run]`, by the names of its keys; None: not given.
        settings: as of `create_session`.

    Raises:
        ConfigurationError: a setting is unknown or wrong; no directory is left.
    """
    # Looked through before there is a directory that would have to be removed again.
    _settings(Path("/nowhere"), Path("/nowhere/inboxd.db"), keywords, settings)
    directory = make_private_directory()
    return _settings(directory, directory / "inboxd.db", keywords, settings), directory


def settings_of_store(
    url: str, keywords: Mapping[str, object], settings: Mapping[str, object] | None
) -> Settings:
    """
    Return the settings of a session on a store that is kept; else as `private_settings`.

    Raises:
        StoreError: its directory is not there.
    """
    database = store_file(url)
    if not database.parent.is_dir():
        raise StoreError(
            f"{escaped(str(database))}: there is no directory {escaped(str(database.parent))};"
            " make it first"
        )
    # By the file itself: it may be named by several symlinks, and has one directory beside it.
    database = database.resolve()
    state = database.with_name(f"{database.name}.state")
    return _settings(state, database, keywords, settings)


def store_file(url: str) -> Path:
    """
    Return the absolute path of the file that a URL of `create_session` names.

    Raises:
        ConfigurationError: it names none; the text says what to write.
    """
    if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance] # callers may be untyped
        raise ConfigurationError(
            [f'{_ORIGIN}: a store is named by a text like "sqlite:///x.db", not {type(url)!r}']
        )
    shown = _shown(url)
    if url.startswith("inboxd:"):
        raise ConfigurationError(
            [
                f'{_ORIGIN}("{shown}"): this version has no sessions of the running daemon; open'
                ' a store of your own, by create_session() or create_session("sqlite:///x.db")'
            ]
        )
    if url in _NO_FILES or "mode=memory" in url:
        raise ConfigurationError(
            [
                f'{_ORIGIN}("{shown}"): names no file; for a store that is removed in the end,'
                " call create_session() without a URL"
            ]
        )
    file = url.removeprefix(_PREFIX)
    if file == url:
        what = url.partition(":")[0] if "://" in url else ""
        problem = (
            f"a store in {escaped(what)} is not supported: it is an SQLite file"
            if what and not what.startswith("sqlite")
            else "is no URL of a store"
        )
        raise ConfigurationError([f'{_ORIGIN}("{shown}"): {problem}; write "{_PREFIX}FILE"'])
    if "?" in file or file.startswith("file:"):
        raise ConfigurationError(
            [f'{_ORIGIN}("{shown}"): write "{_PREFIX}FILE" with nothing after the file\'s name']
        )
    return absolute(file, base=_directory(), environ=os.environ)


def _shown(url: str) -> str:
    """Return a URL for a message; of a server's, which may hold a password, the scheme."""
    scheme, separator, _ = url.partition("://")
    if separator and not scheme.startswith(("sqlite", "inboxd")):
        url = f"{scheme}://..."
    return escaped(url)


def _settings(
    state: Path,
    database: Path,
    keywords: Mapping[str, object],
    settings: Mapping[str, object] | None,
) -> Settings:
    environ = own_environment()
    cwd = _directory()
    values: dict[str, object] = {}
    if "INBOXD_RUN__DRAIN_TIMEOUT" not in environ:
        values["run.drain_timeout"] = _DRAIN_SECONDS
    values.update(settings or {})
    values.update((f"run.{name}", value) for name, value in keywords.items() if value is not None)
    return settings_of_file(
        None,
        overrides={
            "state.path": str(state),
            "store.url": f"{_PREFIX}{database}",
            "inbox.path": str(state / "inbox"),
        },
        environ=environ,
        cwd=cwd,
        given=given_layer(values, origin=_ORIGIN, cwd=cwd, sections=_SECTIONS),
    )


def _directory() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # it was removed; only a relative path would need it
        return Path("/")
