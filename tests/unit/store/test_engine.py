"""Connections to SQLite: what they are set to, and that no update is lost between two writers."""

from __future__ import annotations

import stat
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import OperationalError

from inboxd.errors import ConfigurationError
from inboxd.store.driver import sqlite_version
from inboxd.store.engine import database_path, open_reader, open_writer

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


def pragmas(engine: Engine, *names: str) -> dict[str, object]:
    """Return what a connection is set to."""
    with engine.connect() as connection:
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}


def test_the_writer_syncs_every_commit_and_trusts_no_schema(url: str) -> None:
    engine = open_writer(url)
    actual = pragmas(engine, "journal_mode", "synchronous", "foreign_keys", "trusted_schema")
    engine.dispose()

    # synchronous: 2 is FULL.
    assert actual == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
    }


def test_a_reader_can_only_read_and_never_checkpoints(url: str) -> None:
    writer = open_writer(url)
    with writer.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE numbers (n INTEGER)")
    reader = open_reader(url)

    assert pragmas(reader, "query_only", "wal_autocheckpoint") == {
        "query_only": 1,
        "wal_autocheckpoint": 0,
    }
    with pytest.raises(OperationalError, match="readonly"), reader.begin() as connection:
        connection.exec_driver_sql("INSERT INTO numbers VALUES (1)")
    reader.dispose()
    writer.dispose()


def test_no_update_is_lost_between_two_writers_that_read_then_write(url: str) -> None:
    engines = [open_writer(url), open_writer(url)]
    with engines[0].begin() as connection:
        connection.exec_driver_sql("CREATE TABLE counter (n INTEGER)")
        connection.exec_driver_sql("INSERT INTO counter VALUES (0)")

    def count(engine: Engine) -> None:
        for _ in range(60):
            with engine.begin() as connection:
                n = connection.exec_driver_sql("SELECT n FROM counter").scalar_one()
                connection.exec_driver_sql("UPDATE counter SET n = ?", (n + 1,))

    threads = [threading.Thread(target=count, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engines[0].connect() as connection:
        counted = connection.exec_driver_sql("SELECT n FROM counter").scalar_one()
    for engine in engines:
        engine.dispose()

    assert counted == 120


def test_the_database_is_for_its_user_alone(url: str, tmp_path: Path) -> None:
    open_writer(url).dispose()

    assert stat.S_IMODE((tmp_path / "store.db").stat().st_mode) == 0o600


def test_a_reader_makes_no_database(url: str, tmp_path: Path) -> None:
    reader = open_reader(url)
    with pytest.raises(OperationalError, match="unable to open"):
        reader.connect()

    assert list(tmp_path.iterdir()) == []


def test_a_mended_sqlite_is_used_where_there_is_one() -> None:
    pytest.importorskip("pysqlite3", reason="no wheel for this machine")

    assert tuple(map(int, sqlite_version().split("."))) >= (3, 51, 3)


@pytest.mark.parametrize(
    "url", ["nonsense", "postgresql://localhost/inboxd", "sqlite://", "sqlite:///"]
)
def test_what_is_no_sqlite_file_is_an_error_of_the_configuration(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[store\] url"):
        database_path(url)
