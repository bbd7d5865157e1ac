"""
What persons ask of trees: marks, a new priority, and how far the tasks follow.

Revision: 0004
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    "ALTER TABLE trees ADD COLUMN marks INTEGER DEFAULT 0 NOT NULL",
    "ALTER TABLE trees ADD COLUMN priority INTEGER",
    """
    CREATE TABLE sweeps (
        id INTEGER NOT NULL,
        tree INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        phase INTEGER DEFAULT 0 NOT NULL,
        next INTEGER NOT NULL,
        value INTEGER,
        PRIMARY KEY (id),
        FOREIGN KEY(tree) REFERENCES trees (id)
    )
    """,
    # Tasks of large trees (more than 2,000) leave the ready index for their tree's levels, so that
    # one mark closes a tree of any size.
    """
    UPDATE tasks SET flags = flags | 256,
        due_at = CASE WHEN state = 2 AND due_at <= (SELECT accepted_at FROM trees
            WHERE trees.id = tasks.tree) THEN 0 ELSE due_at END,
        state = CASE WHEN state = 2 THEN 1 ELSE state END
    WHERE state <= 10 AND tree IN
        (SELECT id FROM trees WHERE ended_at IS NULL AND task_count > 2000)
    """,
)


def upgrade() -> None:
    """Add the columns and the table; nothing is marked so far."""
    for statement in _STATEMENTS:
        op.execute(statement)
