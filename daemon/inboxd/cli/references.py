"""What a verb is about: the store that is meant, and TREE or TREE/TASK in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from inboxd.errors import NotFound
from inboxd.names import escaped
from inboxd.store.engine import database_path
from inboxd.store.reader import StoreReader

if TYPE_CHECKING:
    from inboxd.cli.options import Where
    from inboxd.control.client import ControlClient
    from inboxd.instances import Instance
    from inboxd.store.views import TaskView, TreeView

__all__ = ["client_for", "find_task", "find_tree", "find_tree_or_task", "open_store"]


def open_store(where: Where) -> StoreReader:
    """
    Open the store of the instance that is meant, whether its daemon runs or not.

    Raises:
        NoStore: it has none yet.
        StoreError: it cannot be read.
    """
    return StoreReader(where.instance().settings.store.url)


def client_for(instance: Instance) -> ControlClient | None:
    """
    Return a client of the daemon where this user may not read its store; else None.

    Raises:
        DaemonNotReachable: this user may not, and no daemon runs.
    """
    path = database_path(instance.settings.store.url)
    try:
        if not path.exists() or os.access(path, os.R_OK):
            return None
    except PermissionError:
        pass
    from inboxd.control.client import ControlClient  # seldom needed, and not quick to import

    return ControlClient.of(instance)


def find_tree(reader: StoreReader, reference: str) -> TreeView:
    """Return the tree that TREE means; see `StoreReader.find_tree`."""
    return reader.find_tree(reference)


def find_task(reader: StoreReader, reference: str) -> tuple[TreeView, TaskView]:
    """
    Return the task that TREE/TASK means.

    Raises:
        NotFound: the tree or the task is not there, or no task was named.
        AmbiguousReference: several answer to it.
    """
    tree, task = _find(reader, reference, task_wanted=True)
    if task is None:
        raise NotFound(
            f'"{escaped(reference)}" names no task; write TREE/TASK.'
            " `inboxd show TREE` lists the tasks of a tree"
        )
    return tree, task


def find_tree_or_task(reader: StoreReader, reference: str) -> tuple[TreeView, TaskView | None]:
    """Return what TREE or TREE/TASK means; the task is None for a whole tree."""
    return _find(reader, reference, task_wanted=False)


def _find(
    reader: StoreReader, reference: str, *, task_wanted: bool
) -> tuple[TreeView, TaskView | None]:
    """
    Split the reference at each slash in turn, since the names of trees and tasks may hold some.

    File names and ids of tasks hold none: almost always the first slash is the one.
    """
    first_problem: NotFound | None = None
    cuts = [index for index, character in enumerate(reference) if character == "/"]
    for cut in cuts:
        try:
            tree = reader.find_tree(reference[:cut])
            return tree, reader.find_task(tree, reference[cut + 1 :])
        except NotFound as problem:
            first_problem = first_problem or problem
    if not cuts or not task_wanted:
        try:
            return reader.find_tree(reference), None
        except NotFound:
            if first_problem is None:
                raise
    if first_problem is not None:
        raise first_problem
    return reader.find_tree(reference), None
