"""
Which plugins are still to be told that a tree ended.

Revision: 0003
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_STATEMENTS = (
    """
    CREATE TABLE owed_hooks (
        id INTEGER NOT NULL,
        plugin TEXT NOT NULL,
        tree INTEGER NOT NULL,
        ended_at INTEGER NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(tree) REFERENCES trees (id)
    )
    """,
    "CREATE UNIQUE INDEX owed_hooks_by_tree ON owed_hooks (tree, plugin)",
    "CREATE INDEX owed_hooks_by_plugin ON owed_hooks (plugin, id)",
)


def upgrade() -> None:
    """Add the table; of the trees that ended so far nobody is to be told."""
    for statement in _STATEMENTS:
        op.execute(statement)
