"""`TaskManager`: runs task trees of a session, and steers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from inboxd.api.collecting import collect
from inboxd.api.repository import TaskRepository
from inboxd.api.tree import TaskTreeNode, TaskTrees
from inboxd.array.invalid import InvalidTaskArray

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
            Conflict: it was distributed before.
            ValueError: a task stands in it twice, was deleted, or is of another session.
        """
        collected = collect(self._session, tree)
        label = collected.label
        try:
            tree_id = await self._session.accept(
                collected.entries,
                collected.documents,
                strict_priority=strict_priority,
                name=label.name,
                user_id=label.user_id,
                metadata=label.metadata,
            )
        except InvalidTaskArray as error:
            raise collected.explained(error) from None
        await self._session.end_of(tree_id)
        return tree
