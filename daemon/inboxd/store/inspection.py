"""Looking at a database without changing it, for `inboxd doctor`."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from inboxd.errors import StoreError
from inboxd.store.engine import database_path, open_reader
from inboxd.store.owed_hooks import count_owed_hooks
from inboxd.store.schema import HEAD, schema_version
from inboxd.store.tables import TaskState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Connection

__all__ = ["DatabaseReport", "inspect_database"]

#: Between looks at the clock, in steps of SQLite's virtual machine: well under a millisecond.
_STEPS = 10_000
_MOST_PROBLEMS = 10
#: So many tasks of each state are looked at: some tens of milliseconds.
_MOST_WAITING = 10_000
#: Each has an index that holds just its rows.
_WAITING_STATES = (
    TaskState.WITHOUT_EXECUTOR,
    TaskState.READY,
    TaskState.WAITING,
    TaskState.PARKED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseReport:
    """What was seen of a database."""

    path: Path
    #: How many tasks that may start wait for each executor, by its name; bounded.
    waiting: Mapping[str, int] = field(default_factory=dict[str, int])
    #: How many trees that ended each plugin is still to be told of, by its name.
    owed: Mapping[str, int] = field(default_factory=dict[str, int])
    #: None: there is no file.
    size_bytes: int | None
    wal_bytes: int = 0
    #: The newest step of the migrations that was applied; None for an empty database.
    version: str | None = None
    #: What `quick_check` complains about, the first ten.
    problems: tuple[str, ...] = ()
    #: False: `quick_check` was given up for lack of time.
    was_checked: bool = False
    #: False: it is in a directory of this user, who yet cannot write to the file or make files
    #: beside it, as a daemon must.
    is_writable: bool = True
    #: Why it could not be read at all.
    error: str | None = None


def inspect_database(url: str, *, seconds: float) -> DatabaseReport:
    """
    Return what can be seen of the database by reading alone.

    Args:
        url: as in `[store] url`.
        seconds: how long the check may take: a reader keeps the write-ahead log from shrinking.

    Raises:
        ConfigurationError: the URL is none that can be used.
    """
    path = database_path(url)
    try:
        size = path.stat().st_size
        log = path.with_name(f"{path.name}-wal")
        wal_bytes = log.stat().st_size if log.exists() else 0
    except FileNotFoundError:
        return DatabaseReport(path=path, size_bytes=None)
    except OSError as error:
        return DatabaseReport(path=path, size_bytes=None, error=str(error.strerror))
    engine = open_reader(url)
    try:
        with engine.connect() as connection:
            version = schema_version(connection)
            waiting = {} if version is None else _waiting(connection)
            owed = count_owed_hooks(connection) if version == HEAD else {}
            problems, was_checked = _quick_check(connection, seconds=seconds)
    except StoreError as error:
        return DatabaseReport(path=path, size_bytes=size, wal_bytes=wal_bytes, error=str(error))
    except DBAPIError as error:
        text = str(error.orig)
        return DatabaseReport(path=path, size_bytes=size, wal_bytes=wal_bytes, error=text)
    finally:
        engine.dispose()
    return DatabaseReport(
        path=path,
        size_bytes=size,
        wal_bytes=wal_bytes,
        version=version,
        problems=problems,
        was_checked=was_checked,
        is_writable=_is_writable(path),
        waiting=waiting,
        owed=owed,
    )


def _is_writable(path: Path) -> bool:
    # Another user's store need not be ours to write: its daemon is not run by us.
    if path.parent.stat().st_uid != os.geteuid():
        return True
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)


def _waiting(connection: Connection) -> dict[str, int]:
    """Return how many tasks wait for each executor; of a state with very many only some count."""
    counts: dict[str, int] = {}
    for state in _WAITING_STATES:
        # The literal lets SQLite use the partial index of the state.
        rows = connection.exec_driver_sql(
            "SELECT executor, count(*) FROM"  # noqa: S608 # numbers of ours
            f" (SELECT executor FROM tasks WHERE state = {state.value} LIMIT {_MOST_WAITING})"
            " GROUP BY executor"
        )
        for executor, count in rows:
            counts[str(executor)] = counts.get(str(executor), 0) + int(count)
    return counts


def _quick_check(connection: Connection, *, seconds: float) -> tuple[tuple[str, ...], bool]:
    """Return what SQLite complains about, and whether it came to the end in time."""
    end = time.monotonic() + seconds
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 # None only for a connection that was closed
    driver.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        rows = connection.exec_driver_sql(f"PRAGMA quick_check({_MOST_PROBLEMS})").all()
    except DBAPIError as error:
        if time.monotonic() > end and "interrupted" in str(error.orig):
            return (), False
        raise
    finally:
        driver.set_progress_handler(None, 0)
    lines = tuple(str(row[0]) for row in rows)
    return (() if lines == ("ok",) else lines), True
