"""Which tree a person means: the one rule of references (docs/reference/cli.md)."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from inboxd.clock import rfc3339_micros
from inboxd.errors import AmbiguousReference, NotFound
from inboxd.names import did_you_mean, display_file_name, escaped
from inboxd.store import read_trees

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxd.store.views import TreeView

__all__ = ["find_tree"]

#: What part of an id may look like; anything else is a name.
_PART = re.compile(r"[0-9a-f-]{4,36}", re.ASCII)

_SHORT_PART = re.compile(r"[0-9a-f-]{1,3}", re.ASCII)

#: The newest trees whose names are compared with a typo, or with what was copied from a list.
_NAMES_COMPARED = 1_000


def find_tree(connection: Connection, reference: str) -> TreeView:
    """
    Return the accepted tree that *reference* means.

    The first that applies: `@` is the newest; a full id; the last 8 characters of an id; a file
    name or a tree's `name`, the newest of it, as it is or as it is shown; any other part of an id,
    of 4 characters or more.
    A name comes before a part, so that a tree called `cafe` is found whatever ids there are.

    Raises:
        NotFound: nothing answers to it; the text has the nearest name.
        AmbiguousReference: it is part of several ids.
    """
    if reference == "@":
        return _newest(connection)
    part = reference.lower()
    may_be_part = _PART.fullmatch(part) is not None
    if len(part) == 36 and may_be_part:
        tree = read_trees.tree_by_public_id(connection, part)
        if tree is not None:
            return tree
    if len(part) == 8 and may_be_part:
        trees = read_trees.trees_with_part(connection, part, at_end=True)
        if trees:
            return _only(reference, trees)
    tree = read_trees.newest_named(connection, _bindable(reference), os.fsencode(reference))
    if tree is not None:
        return tree
    tree = _shown_as(connection, reference)
    if tree is not None:
        return tree
    if may_be_part:
        trees = read_trees.trees_with_part(connection, part, at_end=False)
        if trees:
            return _only(reference, trees)
    raise NotFound(_nothing(connection, reference))


def _newest(connection: Connection) -> TreeView:
    trees = read_trees.newest_trees(connection, status=None, limit=1, before=None)
    if not trees:
        raise NotFound("@: no tree has been accepted yet; drop a task file into the inbox")
    return trees[0]


def _shown_as(connection: Connection, reference: str) -> TreeView | None:
    """
    Return the newest tree whose name is shown as *reference*: copied from `list`, with escapes.

    Among the newest trees alone, since what is escaped no index knows.
    """
    if "\\" not in reference:
        return None
    for name, file_name in read_trees.newest_names(connection, _NAMES_COMPARED):
        if name is not None and escaped(name) == reference:
            return read_trees.newest_named(connection, name, b"")
        if file_name is not None and display_file_name(file_name) == reference:
            return read_trees.newest_named(connection, "", file_name)
    return None


def _bindable(reference: str) -> str:
    """Return the text with bytes that are no UTF-8 replaced, which no `name` has."""
    return reference.encode("utf-8", "replace").decode("utf-8")


def _only(reference: str, trees: list[TreeView]) -> TreeView:
    if len(trees) == 1:
        return trees[0]
    candidates = "".join(
        f"\n  {tree.id}  {_label(tree)}, received {rfc3339_micros(tree.received_at)}"
        for tree in trees
    )
    raise AmbiguousReference(
        f'"{escaped(reference)}" is part of several ids; give more characters of one:{candidates}',
        [tree.id for tree in trees],
    )


def _label(tree: TreeView) -> str:
    if tree.name is not None:
        return escaped(tree.name)
    return "(no name)" if tree.file_name is None else display_file_name(tree.file_name)


def _nothing(connection: Connection, reference: str) -> str:
    known: dict[str, None] = {}
    for name, file_name in read_trees.newest_names(connection, _NAMES_COMPARED):
        if name is not None:
            known[name] = None
        if file_name is not None:
            known[os.fsdecode(file_name)] = None
    hint = did_you_mean(reference, known)
    ending = hint if hint is not None else "`inboxd list` shows what there is"
    if _SHORT_PART.fullmatch(reference.lower()):
        ending = f"a part of an id needs at least 4 characters; {ending}"
    return f'no tree "{escaped(reference)}" in the store; {ending}'
