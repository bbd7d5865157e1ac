"""`TaskTreeNode`: a task with what is below it; and several of them that are one tree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from inboxd.api.documents import array_of
from inboxd.api.label import NO_LABEL, TreeLabel
from inboxd.api.misuse import must_be
from inboxd.api.outline import outline
from inboxd.api.reading import refreshed
from inboxd.api.task import Task, entry_of
from inboxd.api.walk import walk
from inboxd.task import TERMINAL_STATUSES, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["TaskTreeNode", "TaskTrees", "linked", "progress_of", "status_of"]


class TaskTreeNode:
    """
    A task and its children: what `parent_id` says, which organises and never orders.

    Iterating yields this node and all below it, parents first. No method recurses, and each that
    looks at statuses reads the store once for all tasks. A node says in `repr` how its tasks are.
    """

    __slots__ = ("__weakref__", "children", "label", "parent", "task")

    def __init__(self, task: Task) -> None:
        """
        Make a node without children.

        Args:
            task: a draft, or one whose tree was distributed.

        Raises:
            TypeError: it is no `Task`.
        """
        must_be(task, Task, "TaskTreeNode takes a Task")
        #: The task of this node.
        self.task = task
        #: In the order in which they were added.
        self.children: list[TaskTreeNode] = []
        #: What the tree is called that this node is the root of.
        self.label: TreeLabel = NO_LABEL
        #: The node that it was put below; None: it is a root.
        self.parent: TaskTreeNode | None = None

    def add_child(self, child: TaskTreeNode) -> None:
        """
        Put a node below this one, after its other children.

        The child's task gets this node's as its parent when the tree is distributed, unless its
        `parent_id` says so already. What runs first is for `dependencies` alone.

        Args:
            child: a node that is below no other yet; it may have children.

        Raises:
            TypeError: it is no `TaskTreeNode`.
            ValueError: it is below a node already, or it is this node or one above it.
        """
        must_be(child, TaskTreeNode, "add_child takes a TaskTreeNode")
        if child.parent is not None:
            raise ValueError(
                f"the node of task {entry_of(child.task).called()} is below"
                f" {entry_of(child.parent.task).called()} already"
            )
        if child is self or (child.children and child in _ancestors(self)):
            raise ValueError(
                f"the node of task {entry_of(child.task).called()} cannot be below"
                f" {entry_of(self.task).called()}: it would be its own ancestor"
            )
        child.parent = self
        self.children.append(child)

    def tasks(self) -> Iterator[Task]:
        """Yield the task of this node and those of all below it, parents first."""
        for node in self:
            yield node.task

    def find(self, task_id: str) -> TaskTreeNode | None:
        """Return the node whose task has this id, this one or one below it; None: none has."""
        return next((node for node in self if node.task.id == task_id), None)

    def calculate_status(self) -> TaskStatus:
        """
        Return the status of the tree that this node is the root of, by the rule of trees.

        While work is left it is `pending` (no attempt was started) or `in_progress`; then `failed`
        if a task failed that has no `allow_failure`, else `cancelled` if one was cancelled, else
        `completed`. Of a whole tree that is the status that the store has.
        """
        return status_of(refreshed(self.tasks()))

    def calculate_progress(self) -> float:
        """
        Return the part of the tasks, of this node and below it, that have ended: 0.0 to 1.0.

        Each task counts the same, however it ended; one in progress counts as not ended.
        """
        return progress_of(refreshed(self.tasks()))

    def to_array(self) -> list[dict[str, Any]]:
        """
        Return the tasks of this node and below it as a task array, in their order in the tree.

        Each is a new dict of JSON values in one canonical form: its `id` always, `parent_id` as
        the nodes stand, dependencies by id, durations in seconds, times in UTC, fields at their
        defaults left out. `create_task_tree_from_array` makes an equal tree of it again. What came
        of the tasks (statuses, results) is not in it. Of a part of a tree, edges to tasks outside
        of it are kept, so that array is refused until those are removed.

        Raises:
            ValueError: a node stands in the tree twice.
            SessionClosed: tasks of it are in a store that is closed, and were never read.
        """
        return array_of([self])

    def __iter__(self) -> Iterator[TaskTreeNode]:
        for step in walk([self]):
            yield step.node

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return outline([self])


class TaskTrees(list[TaskTreeNode]):
    """
    The roots of one task array: a list of nodes that are accepted, and run, as one tree.

    As a list its length is the number of roots; `tasks` yields the tasks.
    """

    def __init__(self, roots: Iterable[TaskTreeNode] = (), *, label: TreeLabel = NO_LABEL) -> None:
        """
        Put roots together.

        Args:
            roots: nodes that are below no others.
            label: what the tree of all of them is called.

        Raises:
            TypeError: something of that is no `TaskTreeNode`.
        """
        if isinstance(roots, TaskTreeNode):
            # Iterating over it would give what is below it as well.
            raise TypeError("TaskTrees takes a list of roots: put the TaskTreeNode in [ ]")
        must_be(roots, Iterable, "TaskTrees takes a list of TaskTreeNodes")
        super().__init__(roots)
        for root in self:
            must_be(root, TaskTreeNode, "TaskTrees takes TaskTreeNodes")
        must_be(label, TreeLabel, "the label of TaskTrees is the `label` of a tree")
        #: What the tree of all of them is called.
        self.label = label

    def nodes(self) -> Iterator[TaskTreeNode]:
        """Yield all nodes, parents first."""
        for step in walk(self):
            yield step.node

    def tasks(self) -> Iterator[Task]:
        """Yield all tasks, parents first."""
        for node in self.nodes():
            yield node.task

    def find(self, task_id: str) -> TaskTreeNode | None:
        """Return the node whose task has this id; None: there is none."""
        return next((node for node in self.nodes() if node.task.id == task_id), None)

    def calculate_status(self) -> TaskStatus:
        """Return the status of all together, by the rule of trees."""
        return status_of(refreshed(self.tasks()))

    def calculate_progress(self) -> float:
        """Return the part of all tasks that have ended, 0.0 to 1.0; 1.0 for no tasks."""
        return progress_of(refreshed(self.tasks()))

    def to_array(self) -> list[dict[str, Any]]:
        """Return all tasks as a task array, of which `create_task_trees_from_array` makes these."""
        return array_of(self)

    def __repr__(self) -> str:
        return outline(self)


def status_of(tasks: Iterable[Task]) -> TaskStatus:
    """Return the status of a tree of these tasks (contract, section 2)."""
    has_started = has_open = has_failed = has_cancelled = False
    for task in tasks:
        status = task.status
        has_started = has_started or status is TaskStatus.IN_PROGRESS or task.attempts > 0
        if status not in TERMINAL_STATUSES:
            has_open = True
        elif status is TaskStatus.FAILED:
            has_failed = has_failed or not task.allow_failure
        elif status is TaskStatus.CANCELLED:
            has_cancelled = True
    if has_open:
        return TaskStatus.IN_PROGRESS if has_started else TaskStatus.PENDING
    if has_failed:
        return TaskStatus.FAILED
    return TaskStatus.CANCELLED if has_cancelled else TaskStatus.COMPLETED


def progress_of(tasks: Iterable[Task]) -> float:
    """Return the part of these tasks that have ended; 1.0 for none."""
    total = ended = 0
    for task in tasks:
        total += 1
        ended += task.status in TERMINAL_STATUSES
    return ended / total if total else 1.0


def linked(nodes: Sequence[TaskTreeNode], parents: Sequence[int | None]) -> list[TaskTreeNode]:
    """
    Put new nodes below one another, in their order; return those without a parent.

    Args:
        nodes: without parents and children.
        parents: of each node, the position of its parent; no circles.
    """
    roots: list[TaskTreeNode] = []
    for node, parent in zip(nodes, parents, strict=True):
        if parent is None:
            roots.append(node)
        else:
            # Not `add_child`, which would look for a circle each time.
            node.parent = nodes[parent]
            node.parent.children.append(node)
    return roots


def _ancestors(node: TaskTreeNode) -> Iterator[TaskTreeNode]:
    above = node.parent
    while above is not None:
        yield above
        above = above.parent
