"""
The hot path to SQLite: the turn's statements go straight to the driver's cursor.

`Connection.exec_driver_sql` costs 11-16 microseconds a statement and builds a description of every
result; a turn of a chain has ten statements for one task, so that alone would halve its speed
(ADR 0004). The connection, its transaction and its errors stay SQLAlchemy's.

A limit is written `LIMIT +?`: SQLite plans a statement with `LIMIT ?` anew for every value, which
takes 20 microseconds where the look-up itself takes 2 (measured with SQLite 3.53).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from inboxd.store.engine import sqlite_module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = ["execute", "execute_many", "fetch", "fetch_one"]

_DriverError: type[Exception] = sqlite_module().Error

_Row = tuple[Any, ...]


def fetch(connection: Connection, statement: str, parameters: Sequence[object] = ()) -> list[_Row]:
    """
    Return all rows of a query.

    Raises:
        DBAPIError: as `exec_driver_sql` raises it, here and below.
    """
    try:
        rows: list[_Row] = _driver(connection).execute(statement, parameters).fetchall()
    except _DriverError as error:
        raise DBAPIError(statement, None, error) from error
    return rows


def fetch_one(
    connection: Connection, statement: str, parameters: Sequence[object] = ()
) -> _Row | None:
    """Return the first row of a query, None when there is none."""
    try:
        row: _Row | None = _driver(connection).execute(statement, parameters).fetchone()
    except _DriverError as error:
        raise DBAPIError(statement, None, error) from error
    return row


def execute(connection: Connection, statement: str, parameters: Sequence[object] = ()) -> int:
    """Run one statement and return how many rows it changed."""
    try:
        count: int = _driver(connection).execute(statement, parameters).rowcount
    except _DriverError as error:
        raise DBAPIError(statement, None, error) from error
    return count


def execute_many(connection: Connection, statement: str, rows: Sequence[Sequence[object]]) -> int:
    """Run one statement for each row of parameters; return how many rows all of them changed."""
    try:
        count: int = _driver(connection).executemany(statement, rows).rowcount
    except _DriverError as error:
        raise DBAPIError(statement, None, error) from error
    return count


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection
