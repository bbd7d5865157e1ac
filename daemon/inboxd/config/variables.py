"""Variables of commands, as settings write them: `NAME=value`, or `NAME` alone."""

from __future__ import annotations

import re

from inboxd.names import escaped

__all__ = ["RESERVED_VARIABLES", "variable_problem"]

#: The variables that the daemon sets for every command; nobody else can set them.
RESERVED_VARIABLES = (
    "INBOXD_TREE_ID",
    "INBOXD_TASK_ID",
    "INBOXD_ATTEMPT",
    "INBOXD_IDEMPOTENCY_KEY",
    "INBOXD_TREE_DIR",
    "INBOXD_RESULT_FILE",
    "INBOXD_PROGRESS_FILE",
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def variable_problem(item: str) -> str | None:
    """Return why a written variable cannot be used; None: it can."""
    name = item.partition("=")[0]
    if not _NAME.fullmatch(name):
        return (
            f'"{escaped(item)}": must be NAME or NAME=value,'
            " where NAME is letters, digits and underscores"
        )
    if name in RESERVED_VARIABLES:
        return f'"{name}" is set by inboxd itself, for each attempt'
    return None
