"""
Tasks that are held: a new state (5) and two new flags (1024, 2048), in columns that are there.

The tables stay as they are. The version rises since an earlier program does not know the state:
it could neither show nor start such tasks, and so it is to refuse the store.

Revision: 0005
"""

from __future__ import annotations

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Change nothing: no task is held so far."""
