"""
The schema's version: a new database is made, an older one migrated, any other refused.

Alembic is imported only when there is something to migrate: it takes a third of a start. A new
database is made from the tables of the code, which a test holds to be what the migrations make.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from inboxd.errors import StoreError
from inboxd.imports import without_entry_points
from inboxd.store.tables import APPLICATION_ID, metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["HEAD", "migrate", "schema_version"]

#: The newest step in `migrations/versions`.
HEAD = "0005"


def schema_version(connection: Connection) -> str | None:
    """
    Return the version of the database's schema, None for an empty database.

    Raises:
        StoreError: the database is another program's.
    """
    tables = {
        row[0]
        for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    if not tables:
        return None
    application = connection.exec_driver_sql("PRAGMA application_id").scalar()
    if application != APPLICATION_ID or "alembic_version" not in tables:
        raise StoreError(
            "this database belongs to another program (it is not marked as inboxd's); "
            "it was left as it is: give inboxd a file of its own"
        )
    version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if version is None else str(version)


def migrate(engine: Engine) -> None:
    """
    Bring the database to the newest schema, in one transaction.

    Args:
        engine: the writer's.

    Raises:
        StoreError: the database is newer than this program, another program's, or no database
            that SQLite can read.
    """
    try:
        _migrate(engine)
    except DBAPIError as error:
        if "readonly" in str(error.orig):
            raise StoreError(
                "it cannot be written, or a file beside it (-wal, -shm), or its directory; give the"
                " daemon's user the right to write them: nothing is wrong with the data"
            ) from error
        raise StoreError(
            f"SQLite cannot use this file ({error.orig}); it was left as it is: "
            "put a backup in its place, or give inboxd another file"
        ) from error


def _migrate(engine: Engine) -> None:
    with engine.begin() as connection:
        version = schema_version(connection)
        if version == HEAD:
            return
        if version is None and not _has_tables(connection):
            _create(connection)
            return
        known = {path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py")}
        if version is not None and version not in known:
            raise StoreError(
                f"this database has schema {version}, which is newer than this inboxd knows "
                f"({HEAD}); it was left as it is: run the newer inboxd, or give this one "
                "a state directory of its own"
            )
        _upgrade(connection)
        _mark(connection)


_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def _has_tables(connection: Connection) -> bool:
    return connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").first() is not None


def _create(connection: Connection) -> None:
    """Make a new database as all migrations would, with the version that Alembic looks for."""
    metadata.create_all(connection, checkfirst=False)
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
        " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.exec_driver_sql("INSERT INTO alembic_version (version_num) VALUES (?)", (HEAD,))
    _mark(connection)


def _mark(connection: Connection) -> None:
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


def _upgrade(connection: Connection) -> None:
    with without_entry_points():
        from alembic import command
        from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_VERSIONS.parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
