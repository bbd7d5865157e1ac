"""`TaskManager`: runs task trees of a session, and steers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from inboxd.api.repository import TaskRepository
from inboxd.api.tree import TaskTreeNode, TaskTrees

if TYPE_CHECKING:
    from inboxd.api.session import Session

__all__ = ["TaskManager"]

Tree = TypeVar("Tree", TaskTreeNode, TaskTrees)


class TaskManager:
    """Runs the task trees of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: The tasks of the session.
        self.task_repository = TaskRepository(session)

    async def distribute_task_tree(self, tree: Tree, strict_priority: bool = False) -> Tree:
        """
        Run a tree to its end.

        Args:
            tree: of drafts.
            strict_priority: a task also waits while a more urgent one of the tree is active.

        Returns:
            The tree itself: its tasks show how they ended.

        Raises:
            InvalidTaskArray: its tasks break a rule; nothing ran.
        """
        nodes = list(_nodes(tree))
        entries = sorted((node.task._entry for node in nodes), key=lambda entry: entry.order)
        parents = {child.task.id: node.task.id for node in nodes for child in node.children}
        documents: list[dict[str, Any]] = []
        for entry in entries:
            document = {"id": entry.id, **entry.document}
            if entry.id in parents:
                document.setdefault("parent_id", parents[entry.id])
            documents.append(document)
        tree_id = await self._session.accept(entries, documents, strict_priority=strict_priority)
        await self._session.end_of(tree_id)
        return tree


def _nodes(tree: TaskTreeNode | TaskTrees) -> list[TaskTreeNode]:
    if isinstance(tree, TaskTreeNode):
        return list(tree)
    return [node for root in tree for node in root]
