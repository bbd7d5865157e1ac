"""
Pass over task trees without recursion: a chain of 100,000 nodes is legal.

`TaskTreeNode.children` is a plain list that a caller may change, so every pass looks for what
`add_child` would have refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from inboxd.api.misuse import not_given_as
from inboxd.api.task import entry_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inboxd.api.tree import TaskTreeNode

__all__ = ["Step", "walk"]


class Step(NamedTuple):
    """A node on the way through a tree."""

    node: TaskTreeNode
    #: None: it is a root.
    parent: TaskTreeNode | None
    #: 0 for a root.
    depth: int


def walk(roots: Iterable[TaskTreeNode]) -> Iterator[Step]:
    """
    Yield every node, parents before their children, children in their order.

    Raises:
        TypeError: what stands among the children of a node is no node.
        ValueError: a node stands in the tree twice, which one that is its own ancestor does too.
    """
    # Here, since the nodes pass over themselves by this.
    from inboxd.api.tree import TaskTreeNode

    seen: set[int] = set()
    stack = [Step(node, None, 0) for node in roots]
    stack.reverse()
    while stack:
        step = stack.pop()
        node = step.node
        if not isinstance(cast("object", node), TaskTreeNode):
            raise _no_node(step)
        if id(node) in seen:
            raise ValueError(_twice(step))
        seen.add(id(node))
        yield step
        children = node.children
        if children:
            depth = step.depth + 1
            stack.extend([Step(child, node, depth) for child in reversed(children)])


def _no_node(step: Step) -> TypeError:
    where = "a root" if step.parent is None else f"a child of {entry_of(step.parent.task).called()}"
    return not_given_as(step.node, f"{where} is a TaskTreeNode")


def _twice(step: Step) -> str:
    where = "as a root" if step.parent is None else f"below {entry_of(step.parent.task).called()}"
    return (
        f"the node of task {entry_of(step.node.task).called()} stands in this tree twice,"
        f" the second time {where}:"
        " make a node of its own for each task, and put it below one parent"
    )
