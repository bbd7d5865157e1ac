"""
The hot path to SQLite: the turn's statements go straight to the driver's cursor.

`Connection.exec_driver_sql` costs 11-16 microseconds a statement and builds a description of every
result; a turn of a chain has ten statements for one task, so that alone would halve its speed
(ADR 0004). The connection, its transaction and its errors stay SQLAlchemy's.

A limit is written `LIMIT +?`: SQLite plans a statement with `LIMIT ?` anew for every value, which
takes 20 microseconds where the look-up itself takes 2 (measured with SQLite 3.53).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from inboxd.store.driver import sqlite_module

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sqlalchemy import Connection

__all__ = ["execute", "execute_many", "fetch", "fetch_one", "write_transaction"]

_DriverError: type[Exception] = sqlite_module().Error

_Row = tuple[Any, ...]


def fetch(connection: Connection, statement: str, parameters: Sequence[object] = ()) -> list[_Row]:
    """
    Return all rows of a query.

    Raises:
        DBAPIError: the same subclass as `exec_driver_sql` raises, here and below.
    """
    try:
        rows: list[_Row] = _driver(connection).execute(statement, parameters).fetchall()
    except _DriverError as error:
        raise _wrapped(statement, error) from error
    return rows


def fetch_one(
    connection: Connection, statement: str, parameters: Sequence[object] = ()
) -> _Row | None:
    """Return the first row of a query, None when there is none."""
    try:
        row: _Row | None = _driver(connection).execute(statement, parameters).fetchone()
    except _DriverError as error:
        raise _wrapped(statement, error) from error
    return row


def execute(connection: Connection, statement: str, parameters: Sequence[object] = ()) -> int:
    """Run one statement and return how many rows it changed."""
    try:
        count: int = _driver(connection).execute(statement, parameters).rowcount
    except _DriverError as error:
        raise _wrapped(statement, error) from error
    return count


def execute_many(connection: Connection, statement: str, rows: Sequence[Sequence[object]]) -> int:
    """Run one statement for each row of parameters; return how many rows all of them changed."""
    try:
        count: int = _driver(connection).executemany(statement, rows).rowcount
    except _DriverError as error:
        raise _wrapped(statement, error) from error
    return count


@contextlib.contextmanager
def write_transaction(connection: Connection) -> Generator[None]:
    """
    Run the block in a transaction of the writer: committed at its end, undone when it raises.

    When a COMMIT fails, SQLAlchemy believes that the transaction is over, but SQLite may keep it
    open (a full disk, a lock), and every later BEGIN would fail; so it is ended here.
    """
    try:
        with connection.begin():
            yield
    except BaseException:
        if connection.in_transaction():
            connection.rollback()
        driver = _driver(connection)
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection


def _wrapped(statement: str, error: Exception) -> exc.DBAPIError:
    """Return the driver's error as SQLAlchemy's of the same name."""
    kind: type[exc.DBAPIError] = getattr(exc, type(error).__name__, exc.DBAPIError)
    return kind(statement, None, error)
