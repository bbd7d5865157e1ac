"""
The first schema.

Revision: 0001
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_STATEMENTS = (
    """
    CREATE TABLE attempts (
        task INTEGER NOT NULL,
        number INTEGER NOT NULL,
        start_seq INTEGER NOT NULL,
        started_at INTEGER NOT NULL,
        ended_at INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        error TEXT,
        PRIMARY KEY (task, number)
    )
     WITHOUT ROWID
    """,
    """
    CREATE TABLE edges (
        dependency INTEGER NOT NULL,
        dependant INTEGER NOT NULL,
        holds_on INTEGER NOT NULL,
        PRIMARY KEY (dependency, dependant, holds_on)
    )
     WITHOUT ROWID
    """,
    """
    CREATE INDEX edges_by_dependant ON edges (dependant)
    """,
    """
    CREATE TABLE meta (
        "key" TEXT NOT NULL,
        value INTEGER NOT NULL,
        PRIMARY KEY ("key")
    )
    """,
    """
    CREATE TABLE trees (
        id INTEGER NOT NULL,
        public_id TEXT NOT NULL,
        name TEXT,
        file_name BLOB,
        sha256 TEXT,
        owner INTEGER,
        idempotency_key TEXT,
        user_id TEXT,
        other TEXT,
        strict_priority INTEGER DEFAULT 0 NOT NULL,
        first_task INTEGER NOT NULL,
        task_count INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        accepted_at INTEGER,
        acceptance INTEGER,
        started_at INTEGER,
        ended_at INTEGER,
        status TEXT DEFAULT 'pending' NOT NULL,
        open INTEGER NOT NULL,
        completed INTEGER DEFAULT 0 NOT NULL,
        failed INTEGER DEFAULT 0 NOT NULL,
        tolerated INTEGER DEFAULT 0 NOT NULL,
        cancelled INTEGER DEFAULT 0 NOT NULL,
        skipped INTEGER DEFAULT 0 NOT NULL,
        owes_results INTEGER DEFAULT 0 NOT NULL,
        PRIMARY KEY (id),
        UNIQUE (public_id),
        UNIQUE (acceptance)
    )
    """,
    """
    CREATE INDEX trees_by_file ON trees (file_name) WHERE file_name IS NOT NULL
    """,
    """
    CREATE INDEX trees_by_key ON trees (owner, idempotency_key) WHERE idempotency_key IS NOT NULL
    """,
    """
    CREATE INDEX trees_by_name ON trees (name) WHERE name IS NOT NULL
    """,
    """
    CREATE INDEX trees_by_status ON trees (status, id)
    """,
    """
    CREATE INDEX trees_open ON trees (id) WHERE ended_at IS NULL
    """,
    """
    CREATE INDEX trees_owing ON trees (id) WHERE owes_results = 1
    """,
    """
    CREATE TABLE intake (
        id INTEGER NOT NULL,
        claim TEXT NOT NULL,
        file_name BLOB NOT NULL,
        answer_name BLOB NOT NULL,
        tree INTEGER,
        duplicate INTEGER DEFAULT 0 NOT NULL,
        received_at INTEGER NOT NULL,
        sha256 TEXT,
        receipt TEXT,
        moves TEXT,
        owes_receipt INTEGER NOT NULL,
        result_written INTEGER DEFAULT 0 NOT NULL,
        PRIMARY KEY (id),
        UNIQUE (claim),
        FOREIGN KEY(tree) REFERENCES trees (id)
    )
    """,
    """
    CREATE UNIQUE INDEX intake_by_answer_name ON intake (answer_name)
    """,
    """
    CREATE INDEX intake_by_tree ON intake (tree)
    """,
    """
    CREATE INDEX intake_owing ON intake (id) WHERE owes_receipt = 1
    """,
    """
    CREATE TABLE tasks (
        id INTEGER NOT NULL,
        tree INTEGER NOT NULL,
        local_id TEXT NOT NULL,
        name TEXT,
        parent INTEGER,
        state INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        due_at INTEGER NOT NULL,
        acceptance INTEGER NOT NULL,
        flags INTEGER NOT NULL,
        executor TEXT NOT NULL,
        unmet INTEGER NOT NULL,
        undecided INTEGER NOT NULL,
        gravity INTEGER DEFAULT 0 NOT NULL,
        gravest INTEGER,
        retry TEXT,
        timeout FLOAT,
        attempt INTEGER NOT NULL,
        failures INTEGER DEFAULT 0 NOT NULL,
        interruptions INTEGER DEFAULT 0 NOT NULL,
        start_seq INTEGER,
        started_at INTEGER,
        ended_at INTEGER,
        result TEXT,
        error TEXT,
        "cascade" INTEGER,
        PRIMARY KEY (id),
        FOREIGN KEY(tree) REFERENCES trees (id)
    )
    """,
    """
    CREATE UNIQUE INDEX tasks_by_local_id ON tasks (tree, local_id)
    """,
    """
    CREATE INDEX tasks_cascading ON tasks (id) WHERE cascade IS NOT NULL
    """,
    """
    CREATE INDEX tasks_in_progress ON tasks (id) WHERE state = 10
    """,
    """
    CREATE INDEX tasks_parked ON tasks (tree, kind, priority, due_at, id) WHERE state = 1
    """,
    """
    CREATE INDEX tasks_ready ON tasks (kind, priority, due_at, acceptance, id) WHERE state = 2
    """,
    """
    CREATE INDEX tasks_waiting ON tasks (due_at, id) WHERE state = 3
    """,
    """
    CREATE INDEX tasks_without_executor ON tasks (executor, id) WHERE state = 4
    """,
    """
    CREATE TABLE task_details (
        task INTEGER NOT NULL,
        inputs TEXT,
        params TEXT,
        other TEXT,
        PRIMARY KEY (task),
        FOREIGN KEY(task) REFERENCES tasks (id)
    )
    """,
)


def upgrade() -> None:
    """Make all tables and indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)
