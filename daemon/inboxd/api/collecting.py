"""From the nodes of a caller's tree to what a session accepts: entries in order, with documents."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from inboxd.api.label import TreeLabel
from inboxd.api.misuse import must_be_root, not_given_as
from inboxd.api.problems import of_the_list
from inboxd.api.references import references_among
from inboxd.api.task import Task, entry_of
from inboxd.api.tree import TaskTreeNode, TaskTrees
from inboxd.api.walk import walk
from inboxd.array.invalid import InvalidTaskArray
from inboxd.array.problem import Problem, ProblemCode, quoted
from inboxd.errors import Conflict
from inboxd.known_as import called_among, with_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inboxd.api.entry import TaskEntry
    from inboxd.api.session import Session

__all__ = ["Collected", "collect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The drafts of one tree."""

    #: In the order of the array: the order in which the drafts were made.
    entries: Sequence[TaskEntry]
    #: Of each entry, as a task array has it, with its `id`, and its `parent_id` as it was nested.
    documents: Sequence[Mapping[str, Any]]
    label: TreeLabel

    def explained(self, error: InvalidTaskArray) -> InvalidTaskArray:
        """
        Return what is wrong with the documents in the words of somebody who has a tree.

        Who refers to a draft that is not in the tree is told so.
        """
        outside = _Outside(self.entries)
        problems = [self._explained(of_the_list(problem), outside) for problem in error.errors]
        return InvalidTaskArray(_named(problems, self.entries), has_more=error.has_more)

    def _explained(self, problem: Problem, outside: _Outside) -> Problem:
        if problem.code is not ProblemCode.UNKNOWN_REFERENCE:
            return problem
        value: Any = self.documents
        try:
            for token in problem.pointer.split("/")[1:]:
                value = value[int(token) if isinstance(value, list | tuple) else token]
        except (LookupError, ValueError, TypeError):
            # Not of a dependency or parent: an expression in some text.
            return problem
        if not isinstance(value, str) or (draft := outside.get(value)) is None:
            return problem
        return replace(
            problem,
            message=f"the draft {quoted(draft)} is not in this tree",
            hint="add its node to the tree: all tasks of an array run together",
        )


class _Outside:
    """The drafts of the session that are not in the tree, by what a reference can say."""

    def __init__(self, entries: Sequence[TaskEntry]) -> None:
        self._entries = entries
        self._words: dict[str, str] | None = None

    def get(self, reference: str) -> str | None:
        """Return what people know the draft by; None: no draft is meant."""
        if self._words is None:
            inside = set(self._entries)
            words: dict[str, str] = {}
            for entry in self._entries[0].session.drafts.all():
                if entry not in inside:
                    words[entry.id] = entry.called()
                    name = entry.document.get("name")
                    if isinstance(name, str):
                        words[name] = name
            self._words = words
        return self._words.get(reference)


def collect(session: Session, tree: TaskTreeNode | TaskTrees) -> Collected:
    """
    Return the drafts of a tree as one task array, ready to be checked and accepted.

    A node that is below another without a `parent_id` of its task's own gets that parent.

    Args:
        session: which is to run it.
        tree: as its caller put it together.

    Raises:
        TypeError: it is no tree, or holds what is no node.
        ValueError: it is a node below another; a node or a task stands in it twice; a task is of
            another session, or its draft was deleted.
        Conflict: some of its tasks were distributed before.
        InvalidTaskArray: nodes are nested otherwise than the `parent_id` of their tasks says.
    """
    roots = _roots(tree)
    above: dict[TaskEntry, TaskEntry | None] = {}
    for step in walk(roots):
        entry = entry_of(step.node.task)
        if entry in above:
            raise ValueError(f"task {entry.called()} stands in this tree twice, in two nodes")
        above[entry] = None if step.parent is None else entry_of(step.parent.task)
    _refuse_what_is_no_draft(session, above)
    entries = sorted(above, key=lambda entry: entry.order)
    documents: list[Mapping[str, Any]] = []
    problems: list[Problem] = []
    find = references_among(entries)
    for position, entry in enumerate(entries):
        document = {"id": entry.id, **entry.document}
        parent = above[entry]
        if parent is not None:
            own = document.get("parent_id")
            if own is None:
                document["parent_id"] = parent.id
            elif isinstance(own, str) and find(own) not in (parent.id, None):
                problems.append(_nested_otherwise(position, own, parent))
        documents.append(document)
    if problems:
        has_more = len(problems) > _MOST_PROBLEMS
        raise InvalidTaskArray(_named(problems[:_MOST_PROBLEMS], entries), has_more=has_more)
    return Collected(entries=entries, documents=documents, label=tree.label)


#: As many as for a file.
_MOST_PROBLEMS = 100


def _roots(tree: object) -> Sequence[TaskTreeNode]:
    if isinstance(tree, TaskTreeNode):
        must_be_root(tree)
        return [tree]
    if not isinstance(tree, TaskTrees):
        error = not_given_as(tree, "a TaskTreeNode or TaskTrees is distributed")
        if isinstance(tree, Task | list):
            hint = "TaskTreeNode(task) makes one of a task, create_task_tree_from_array of a list"
            raise TypeError(f"{error}: {hint}")
        raise error
    for root in tree:
        if isinstance(cast("object", root), TaskTreeNode):  # `walk` refuses what is none
            must_be_root(root)
    return tree


def _refuse_what_is_no_draft(session: Session, entries: Mapping[TaskEntry, object]) -> None:
    for entry in entries:
        if entry.session is not session:
            raise ValueError(
                f"task {entry.called()} is of another session: each runs its own tasks"
            )
        if entry.place is not None:
            raise Conflict(
                f"task {entry.called()} was distributed already, in tree {entry.place.tree_id}:"
                " `TaskManager.retry` runs a tree again; make new tasks for another one"
            )
        if session.drafts.get(entry.id, group=entry.group) is not entry:
            raise ValueError(f"task {entry.called()} was deleted: take its node out of the tree")


def _named(problems: Sequence[Problem], entries: Sequence[TaskEntry]) -> list[Problem]:
    """Return problems of drafts by the names that their author gave, each with its task's first."""
    known_as = called_among({entry.id: entry.name() for entry in entries})
    return [_of_task(problem, entries, known_as) for problem in problems]


def _of_task(
    problem: Problem, entries: Sequence[TaskEntry], known_as: Mapping[str, str]
) -> Problem:
    message = with_names(problem.message, known_as)
    position = problem.pointer.split("/")[1:2]
    if position and position[0].isdecimal() and int(position[0]) < len(entries):
        message = f"task {quoted(known_as[entries[int(position[0])].id])}: {message}"
    hint = None if problem.hint is None else with_names(problem.hint, known_as)
    return replace(problem, message=message, hint=hint)


def _nested_otherwise(position: int, own: str, parent: TaskEntry) -> Problem:
    return Problem(
        code=ProblemCode.CONFLICTING_FIELDS,
        pointer=f"/{position}/parent_id",
        message=f"the task's parent is {quoted(own)}, and its node is below {quoted(parent.id)}",
        hint="add the node where `parent_id` says, or leave that out",
    )
