"""
Connections to SQLite: one that writes, and as many that only read.

Why so: see ADR 0004. SQLAlchemy's default transactions lose updates in silence, so the writer
begins with `BEGIN IMMEDIATE`; SQLite up to 3.51.2 can corrupt a WAL database when two connections
write or checkpoint at one instant (sqlite.org/wal.html#walresetbug), so only the writer does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, QueuePool

from inboxd.errors import ConfigurationError, StoreError
from inboxd.names import escaped
from inboxd.store.driver import sqlite_module
from inboxd.store.statements import execute

if TYPE_CHECKING:
    pass

__all__ = [
    "database_path",
    "open_reader",
    "open_writer",
]

#: How long a connection waits for a lock that another process holds.
_BUSY_MILLISECONDS = 5_000

_WRITER_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # NORMAL lost acknowledged commits in 2 of 3 power cuts, FULL none in 15 (ADR 0004).
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -32768",
)

_READER_PRAGMAS = (
    "PRAGMA query_only = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA wal_autocheckpoint = 0",
)


def database_path(url: str) -> Path:
    """
    Return the file of a `sqlite:///…` URL.

    Raises:
        ConfigurationError: the URL is no SQLite URL, or names no file.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            [f'[store] url: "{url}" is no database URL; use sqlite:////absolute/path/inboxd.db']
        ) from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ConfigurationError(
            [f'[store] url: "{url}": only SQLite files are supported; use sqlite:////path/to/file']
        )
    return Path(parsed.database).absolute()


def open_writer(url: str, *, is_durable: bool = True) -> Engine:
    """
    Return the engine of the one connection that writes.

    Its transactions begin with `BEGIN IMMEDIATE`. The file is made, with mode 0600, where there is
    none; its directory must exist.

    Args:
        url: of the database.
        is_durable: False: nothing is synced to the disk, since the file is removed in the end.

    Raises:
        StoreError: it cannot be written.
    """
    path = database_path(url)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"{escaped(str(path))}: cannot be written: {error.strerror}; give this user the"
            " right to read and write it and its directory, or choose another file for the store"
        ) from error
    pragmas = _WRITER_PRAGMAS if is_durable else (*_WRITER_PRAGMAS, "PRAGMA synchronous = OFF")
    engine = _engine(path, "rw", pragmas, single=True)

    @event.listens_for(engine, "begin")
    def begin_immediate(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction] # registered by the decorator
        # Straight to the driver: a turn begins with it (see `store.statements`).
        execute(connection, "BEGIN IMMEDIATE")

    return engine


def open_reader(url: str) -> Engine:
    """
    Return an engine whose connections can only read; the file must exist.

    Keep its transactions under a second: one open reader stops the WAL from being reset.
    """
    engine = _engine(database_path(url), "ro", _READER_PRAGMAS, single=False)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction] # registered by the decorator
        connection.exec_driver_sql("BEGIN")

    return engine


def _engine(path: Path, mode: str, pragmas: tuple[str, ...], *, single: bool) -> Engine:
    module = sqlite_module()
    uri = f"file:{quote(str(path))}?mode={mode}"

    def connect() -> Any:
        # The scheduler's thread is the only one that uses the writer once it runs; before that the
        # main thread does, so the driver's own check of threads is off.
        connection = module.connect(
            uri,
            uri=True,
            timeout=_BUSY_MILLISECONDS / 1_000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        for pragma in pragmas:
            connection.execute(pragma)
        return connection

    if single:
        return create_engine(
            "sqlite://", module=module, creator=connect, poolclass=QueuePool, pool_size=1,
            max_overflow=0,
        )  # fmt: skip
    return create_engine("sqlite://", module=module, creator=connect, poolclass=NullPool)
