"""`TaskCreator`: task trees from task arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inboxd.api.task import Task
from inboxd.api.tree import TaskTreeNode
from inboxd.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inboxd.api.session import Session

__all__ = ["TaskCreator"]


class TaskCreator:
    """Makes task trees of a session from task arrays."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def create_task_tree_from_array(self, tasks: Sequence[Mapping[str, Any]]) -> TaskTreeNode:
        """Make the drafts of a task array that has one root, and return that."""
        group = new_id()
        nodes: dict[str, TaskTreeNode] = {}
        roots: list[TaskTreeNode] = []
        for document in tasks:
            fields = dict(document)
            task_id = fields.pop("id")
            nodes[task_id] = TaskTreeNode(
                Task(self._session.drafts.add(task_id, fields, group=group))
            )
        for node in nodes.values():
            parent = node.task.parent_id
            (roots if parent is None else nodes[parent].children).append(node)
        return roots[0]
