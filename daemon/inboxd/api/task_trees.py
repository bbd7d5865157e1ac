"""The tree that a task is in, as nodes: of drafts by their parents, of the store as it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.api.finding import entry_meant
from inboxd.api.label import TreeLabel
from inboxd.api.task import Task
from inboxd.api.tree import TaskTreeNode, TaskTrees, linked
from inboxd.array.invalid import InvalidTaskArray
from inboxd.array.problem import Problem, ProblemCode
from inboxd.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.api.entry import TaskEntry
    from inboxd.api.session import Session
    from inboxd.store.views import TreeView

__all__ = ["tree_meant"]


def tree_meant(session: Session, meant: Task | str) -> TaskTreeNode | TaskTrees:
    """
    Return the whole tree of a task, or the tree that is meant itself, in new nodes.

    Raises:
        NotFound, AmbiguousTask, AmbiguousReference: of what is meant.
        InvalidTaskArray: drafts are each other's parents.
    """
    found = _entry_or_tree(session, meant)
    if not isinstance(found, tuple):
        return _of_the_store(session, found)
    entry = found[0]
    if entry.place is None:
        return _of_drafts(session, entry)
    tree = session.stored.tree(entry.place.tree_id)
    if tree is None:
        raise NotFound(f"tree {entry.place.tree_id} is not in the store any more")
    return _of_the_store(session, tree)


def _entry_or_tree(session: Session, meant: Task | str) -> tuple[TaskEntry] | TreeView:
    if isinstance(meant, str) and "/" not in meant:
        # A full id of a tree is nobody's else; what is less may be the id of a task.
        tree = session.stored.tree(meant)
        if tree is not None:
            return tree
        try:
            return (entry_meant(session, meant),)
        except NotFound as error:
            try:
                return session.stored.find_tree(meant)
            except NotFound:
                raise error from None
    return (entry_meant(session, meant),)


def _of_the_store(session: Session, tree: TreeView) -> TaskTreeNode | TaskTrees:
    tasks = session.stored.of_tree(tree)
    nodes = [TaskTreeNode(Task(entry)) for entry, _ in tasks]
    label = TreeLabel(
        name=tree.name, user_id=tree.user_id, metadata=session.stored.tree_metadata(tree)
    )
    return _one_or_several(linked(nodes, [parent for _, parent in tasks]), label)


def _of_drafts(session: Session, entry: TaskEntry) -> TaskTreeNode | TaskTrees:
    """Return the drafts of the array; of one made by itself, those below its topmost ancestor."""
    same = [one for one in session.drafts.all() if one.group == entry.group]
    by_id = {one.id: one for one in same}
    above = {one: by_id.get(one.parent_id() or "") for one in same}
    if entry not in above:
        raise NotFound(f"the draft {entry.called()} was deleted")
    if entry.group is None:
        same = _below(_topmost(entry, above), above)
    position = {one: number for number, one in enumerate(same)}
    nodes = [TaskTreeNode(Task(one)) for one in same]
    parents = [None if (parent := above[one]) is None else position[parent] for one in same]
    return _one_or_several(linked(nodes, parents), TreeLabel())


def _topmost(entry: TaskEntry, above: dict[TaskEntry, TaskEntry | None]) -> TaskEntry:
    way = {entry: None}
    parent = above[entry]
    while parent is not None:
        if parent in way:
            circle = [one.called() for one in [*way, parent]]
            circle = circle[list(way).index(parent) :]
            raise InvalidTaskArray(
                [
                    Problem(
                        code=ProblemCode.PARENT_CYCLE,
                        message=f"drafts are each other's parents: {' -> '.join(circle)}",
                        hint="give one of them another `parent_id` by `update_task`",
                    )
                ]
            )
        way[parent] = None
        entry, parent = parent, above[parent]
    return entry


def _below(top: TaskEntry, above: dict[TaskEntry, TaskEntry | None]) -> list[TaskEntry]:
    """Return a draft and all below it, in the order in which they were made."""
    children: dict[TaskEntry, list[TaskEntry]] = {}
    for one, parent in above.items():
        if parent is not None:
            children.setdefault(parent, []).append(one)
    found = [top]
    # What is added is looked at as well.
    for one in found:
        found += children.get(one, ())
    return sorted(found, key=lambda one: one.order)


def _one_or_several(roots: Sequence[TaskTreeNode], label: TreeLabel) -> TaskTreeNode | TaskTrees:
    if len(roots) == 1:
        roots[0].label = label
        return roots[0]
    return TaskTrees(roots, label=label)
