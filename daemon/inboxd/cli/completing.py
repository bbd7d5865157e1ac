"""What a shell is offered for TREE and TREE/TASK; quiet and quick, whatever is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inboxd.cli.options import Where

if TYPE_CHECKING:
    import click

    from inboxd.store.reader import StoreReader
    from inboxd.store.views import TreeView

__all__ = ["complete_task", "complete_tree", "complete_tree_or_task"]

#: The newest trees are offered, and of a tree the first tasks.
_MOST_TREES = 200
_MOST_TASKS = 1_000

#: What no shell takes for something else; a tree with another name is offered by its id.
_PLAIN = re.compile(r"[A-Za-z0-9_.@+-]+", re.ASCII)
_PLAIN_TASK = re.compile(r"[A-Za-z0-9_.@+:-]+", re.ASCII)


def complete_tree(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the trees whose names, or short ids, begin so."""
    return _complete(ctx, incomplete, trees=True, tasks=False)


def complete_tree_or_task(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return trees, and behind a slash tasks."""
    return _complete(ctx, incomplete, trees=True, tasks=True)


def complete_task(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return trees with the slash behind them, and behind it tasks."""
    return _complete(ctx, incomplete, trees=False, tasks=True)


def _complete(ctx: click.Context, incomplete: str, *, trees: bool, tasks: bool) -> list[str]:
    from inboxd.cli.references import open_store  # not needed where a verb only runs
    from inboxd.errors import InboxdError

    where = Where(config=ctx.params.get("config"), state=ctx.params.get("state"))
    tree, slash, _ = incomplete.partition("/")
    try:
        with open_store(where) as reader:
            if slash and tasks:
                found = [f"{tree}/{task}" for task in _tasks(reader, tree)]
            else:
                words = dict.fromkeys(map(_word, reader.list_trees(limit=_MOST_TREES)))
                found = [word if trees else f"{word}/" for word in words]
    except (InboxdError, OSError):  # a shell has no place for it: the verb will say so
        return []
    return [word for word in found if word.startswith(incomplete)]


def _word(tree: TreeView) -> str:
    """Return what a person types for a tree: its name, its file's, or the end of its id."""
    name = tree.name
    if name is None and tree.file_name is not None:
        name = tree.file_name.decode("utf-8", "replace")
    return tree.short_id if name is None or not _PLAIN.fullmatch(name) else name


def _tasks(reader: StoreReader, reference: str) -> list[str]:
    tree = reader.find_tree(reference)
    ids = [task.id for task in reader.tree_tasks(tree, end=_MOST_TASKS)]
    return [task for task in ids if _PLAIN_TASK.fullmatch(task)]
