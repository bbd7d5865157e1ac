"""Where the files of attempts and the directories of trees lie below the state directory."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

__all__ = [
    "AttemptFiles",
    "attempt_files",
    "make_private_directory",
    "remove_tree_directory_if_empty",
    "tree_directory",
]

#: Attempts of this many tasks share a directory, so that none grows without bound.
_TASKS_A_DIRECTORY = 1_000


class AttemptFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The paths of one attempt's files; strings, since thousands a second are made."""

    directory: str
    out: str
    err: str
    result: str
    progress: str


def attempt_files(state: Path | str, tree_id: str, position: int, number: int) -> AttemptFiles:
    """
    Return the paths `<state>/attempts/<tree>/<position // 1000>/<position>.<number>.…`.

    Only numbers and the tree's own id are in them, nothing that a task file says.
    """
    directory = f"{state}/attempts/{tree_id}/{position // _TASKS_A_DIRECTORY}"
    stem = f"{directory}/{position}.{number}"
    return AttemptFiles(
        directory=directory,
        out=f"{stem}.out",
        err=f"{stem}.err",
        result=f"{stem}.result",
        progress=f"{stem}.progress",
    )


def tree_directory(state: Path | str, tree_id: str) -> str:
    """Return the directory that the tasks of a tree share."""
    return f"{state}/trees/{tree_id}"


def make_private_directory(path: str) -> None:
    """Make a directory, and those above it that are missing, for this user alone."""
    missing = [path]
    while missing:
        try:
            os.mkdir(missing[-1], 0o700)  # noqa: PTH102 - strings, see AttemptFiles
        except FileExistsError:
            missing.pop()
        except FileNotFoundError:
            missing.append(os.path.dirname(missing[-1]))  # noqa: PTH120
        else:
            missing.pop()


def remove_tree_directory_if_empty(state: Path, tree_id: str) -> None:
    """Remove a tree's directory when nothing is in it; called when the tree ends."""
    try:
        Path(tree_directory(state, tree_id)).rmdir()
    except OSError:
        # Not there, not empty, or gone with its disk: kept, and retention looks at it again.
        return
