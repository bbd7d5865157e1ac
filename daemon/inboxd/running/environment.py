"""Pure: the environment of a command. Nothing of the daemon's own is handed on but a short list."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inboxd.running.attempt import Attempt
    from inboxd.running.paths import AttemptFiles

__all__ = ["attempt_variables", "base_environment"]

#: Handed on from the daemon, where it has them (docs/reference/command.md).
_HANDED_ON = ("PATH", "HOME", "USER", "LANG", "TZ")


def base_environment(daemon: Mapping[str, str], more: Sequence[str]) -> dict[bytes, bytes]:
    """
    Return what every command gets.

    Args:
        daemon: the daemon's own environment.
        more: `[run] environment`: `NAME` hands the daemon's value on if there is one,
            `NAME=value` sets one.
    """
    environment = {"PATH": os.defpath}
    environment.update((name, daemon[name]) for name in _HANDED_ON if name in daemon)
    for item in more:
        name, has_value, value = item.partition("=")
        if has_value:
            environment[name] = value
        elif name in daemon:
            environment[name] = daemon[name]
    # Encoded once, not again for each command.
    return {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}


def attempt_variables(
    attempt: Attempt, *, files: AttemptFiles, tree_directory: str
) -> dict[bytes, bytes]:
    """Return what tells a command which attempt it is; it also marks the command's processes."""
    tree, task = attempt.tree_id.encode(), attempt.task_id.encode()
    return {
        b"INBOXD_TREE_ID": tree,
        b"INBOXD_TASK_ID": task,
        b"INBOXD_ATTEMPT": b"%d" % attempt.number,
        b"INBOXD_IDEMPOTENCY_KEY": b"%s/%s" % (tree, task),
        b"INBOXD_TREE_DIR": os.fsencode(tree_directory),
        b"INBOXD_RESULT_FILE": os.fsencode(files.result),
        b"INBOXD_PROGRESS_FILE": os.fsencode(files.progress),
    }
