"""`TaskTreeNode`: a task with what is below it; and several of them that are one tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.task import TERMINAL_STATUSES, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inboxd.api.task import Task

__all__ = ["TaskTreeNode", "TaskTrees"]


class TaskTreeNode:
    """
    A task and its children: what `parent_id` says, which organises and never orders.

    Iterating yields the nodes below it and itself, parents first.
    """

    __slots__ = ("children", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        #: In the order in which they were added.
        self.children: list[TaskTreeNode] = []

    def add_child(self, child: TaskTreeNode) -> None:
        """Put a node below this one."""
        self.children.append(child)

    def __iter__(self) -> Iterator[TaskTreeNode]:
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def calculate_status(self) -> TaskStatus:
        """Return the status of the tree that this node is the root of, by the rule of trees."""
        return status_of(node.task for node in self)

    def calculate_progress(self) -> float:
        """Return the part of its tasks that have ended, 0.0 to 1.0."""
        return progress_of(node.task for node in self)

    def __repr__(self) -> str:
        return "\n".join(_lines(self))


class TaskTrees(list[TaskTreeNode]):
    """The roots of one task array: a list of nodes that are accepted, and run, as one tree."""

    def tasks(self) -> Iterator[Task]:
        """Yield all tasks, parents first."""
        for root in self:
            for node in root:
                yield node.task

    def calculate_status(self) -> TaskStatus:
        """Return the status of all together, by the rule of trees."""
        return status_of(self.tasks())

    def calculate_progress(self) -> float:
        """Return the part of all tasks that have ended, 0.0 to 1.0."""
        return progress_of(self.tasks())


def status_of(tasks: Iterable[Task]) -> TaskStatus:
    """Return the status of a tree of these tasks (contract, section 2)."""
    started = open_tasks = False
    failed = cancelled = False
    for task in tasks:
        status = task.status
        if status not in TERMINAL_STATUSES:
            open_tasks = True
            started = started or status is TaskStatus.IN_PROGRESS or task.attempts > 0
            continue
        started = True
        failed = failed or (status is TaskStatus.FAILED and not task.allow_failure)
        cancelled = cancelled or status is TaskStatus.CANCELLED
    if open_tasks:
        return TaskStatus.IN_PROGRESS if started else TaskStatus.PENDING
    if failed:
        return TaskStatus.FAILED
    return TaskStatus.CANCELLED if cancelled else TaskStatus.COMPLETED


def progress_of(tasks: Iterable[Task]) -> float:
    """Return the part of these tasks that have ended; 1.0 for none."""
    total = ended = 0
    for task in tasks:
        total += 1
        ended += task.status in TERMINAL_STATUSES
    return ended / total if total else 1.0


def _lines(root: TaskTreeNode) -> Iterator[str]:
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        yield f"{'  ' * depth}{node.task!r}"
        stack.extend((child, depth + 1) for child in reversed(node.children))
