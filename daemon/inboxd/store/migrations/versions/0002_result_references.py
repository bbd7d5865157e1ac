"""
Which tasks' results a task's inputs refer to.

Revision: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; the tasks that are there have no references, which were refused so far."""
    op.execute("ALTER TABLE task_details ADD COLUMN reads TEXT")
