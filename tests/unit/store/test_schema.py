"""The migrations make what the tables say, and leave alone what is not theirs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

import inboxd.store.migrations
from inboxd.errors import StoreError
from inboxd.store.engine import open_writer
from inboxd.store.schema import HEAD, migrate, schema_version
from inboxd.store.tables import APPLICATION_ID, metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

VERSIONS = Path(inboxd.store.migrations.__path__[0]) / "versions"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_writer(f"sqlite:///{tmp_path / 'store.db'}")
    yield engine
    engine.dispose()


def upgrade(engine: Engine, version: str = "head") -> None:
    """Bring a database to *version* by the migrations alone."""
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(VERSIONS.parent))
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


#: What SQLite says about one table, without the order of its columns: no code counts on that.
FACTS = (
    "SELECT type, ncol, wr, strict FROM pragma_table_list(?)",
    'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)',
    'SELECT seq, "table", "from", "to", on_update, on_delete, "match"'
    " FROM pragma_foreign_key_list(?)",
    'SELECT "unique", origin, partial FROM pragma_index_list(?)',
)


def facts(engine: Engine) -> dict[str, object]:
    """Return all that SQLite says about a schema, and all rows, however it was written."""
    with engine.connect() as connection:

        def rows(statement: str, *parameters: object) -> list[tuple[object, ...]]:
            found = connection.exec_driver_sql(statement, parameters)
            return sorted((tuple(row) for row in found), key=repr)

        names = [str(name) for (name,) in rows("SELECT name FROM sqlite_master WHERE type='table'")]
        statements = rows("SELECT sql FROM sqlite_master WHERE type != 'table' AND sql IS NOT NULL")
        return {
            "mark": rows("PRAGMA application_id"),
            "not tables": {re.sub(r"\s+", " ", str(sql)).strip() for (sql,) in statements},
            **{f"{name}: {fact}": rows(fact, name) for name in names for fact in FACTS},
            **{f"{name}: rows": rows(f"SELECT * FROM {name}") for name in names},  # noqa: S608 # ours
        }


def test_the_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        differences = compare_metadata(context, metadata)

    assert differences == []


def test_a_new_database_is_as_all_migrations_would_make_it(engine: Engine, tmp_path: Path) -> None:
    migrate(engine)
    migrated = open_writer(f"sqlite:///{tmp_path / 'migrated.db'}")
    upgrade(migrated)
    expected = facts(migrated)
    migrated.dispose()

    assert facts(engine) == expected


def test_a_new_database_is_made_without_alembic(tmp_path: Path) -> None:
    program = f"""if True:
        import sys
        from inboxd.store.engine import open_writer
        from inboxd.store.schema import migrate
        migrate(open_writer("sqlite:///{tmp_path / "store.db"}"))
        sys.exit("alembic" in sys.modules)
    """

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_newest_version_is_the_newest_step() -> None:
    steps = sorted(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))

    assert steps[-1] == HEAD


def test_a_new_database_has_the_newest_version_and_our_mark(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        mark = connection.exec_driver_sql("PRAGMA application_id").scalar()

        assert (schema_version(connection), mark) == (HEAD, APPLICATION_ID)


def test_a_current_database_is_left_as_it_is(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        before = connection.exec_driver_sql("PRAGMA schema_version").scalar()
    migrate(engine)
    with engine.connect() as connection:
        after = connection.exec_driver_sql("PRAGMA schema_version").scalar()

    assert after == before


def test_an_older_database_keeps_what_it_holds(engine: Engine) -> None:
    upgrade(engine, "0001")
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO trees (id, public_id, first_task, task_count, received_at, open)"
            " VALUES (1, 't', 1, 1, 0, 1)",
            "INSERT INTO tasks (id, tree, local_id, state, kind, priority, due_at, acceptance,"
            " flags, executor, unmet, undecided, attempt)"
            " VALUES (1, 1, 'a', 2, 0, 2, 0, 1, 32, 'command', 0, 0, 0)",
            "INSERT INTO task_details (task, inputs) VALUES (1, '{}')",
        ):
            connection.exec_driver_sql(statement)
    migrate(engine)
    with engine.connect() as connection:
        details = connection.exec_driver_sql("SELECT task, inputs, reads FROM task_details").all()

        assert (schema_version(connection), [tuple(row) for row in details]) == (
            HEAD,
            [(1, "{}", None)],
        )


def test_a_newer_database_is_refused_with_what_to_do(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreError, match=r"schema 9999.*newer.*run the newer inboxd"):
        migrate(engine)
    with engine.connect() as connection:
        assert schema_version(connection) == "9999"


def test_the_database_of_another_program_is_refused_and_left_as_it_is(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (n INTEGER)")

    with pytest.raises(StoreError, match="belongs to another program"):
        migrate(engine)
    with engine.connect() as connection:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()

    assert tables == ["theirs"]


def test_tasks_of_open_large_trees_leave_the_ready_index(engine: Engine) -> None:
    upgrade(engine, "0003")
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        for tree, count, ended_at in ((1, 2_001, None), (2, 2_000, None), (3, 2_001, 9)):
            run(
                "INSERT INTO trees (id, public_id, first_task, task_count, received_at, open,"
                " accepted_at, acceptance, ended_at) VALUES (?, ?, 1, ?, 0, 1, 5, ?, ?)",
                (tree, str(tree), count, tree, ended_at),
            )
            for number, (state, due_at) in enumerate(((2, 5), (2, 7), (3, 9), (0, 0), (20, 5))):
                run(
                    "INSERT INTO tasks (id, tree, local_id, state, kind, priority, due_at,"
                    " acceptance, flags, executor, unmet, undecided, attempt)"
                    " VALUES (?, ?, ?, ?, 0, 2, ?, ?, 32, 'command', 0, 0, 0)",
                    (tree * 10 + number, tree, str(number), state, due_at, tree),
                )
    migrate(engine)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT tree, state, due_at, flags FROM tasks").all()
    found = {tree: [tuple(row)[1:] for row in rows if row[0] == tree] for tree in (1, 2, 3)}
    as_it_was = [(2, 5, 32), (2, 7, 32), (3, 9, 32), (0, 0, 32), (20, 5, 32)]

    assert found == {
        1: [(1, 0, 288), (1, 7, 288), (3, 9, 288), (0, 0, 288), (20, 5, 32)],
        2: as_it_was,
        3: as_it_was,
    }
