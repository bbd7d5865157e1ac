"""`TaskCreator`: task trees from task arrays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from inboxd.api.documents import document_of_spec
from inboxd.api.label import TreeLabel
from inboxd.api.misuse import must_be
from inboxd.api.open_catalog import OpenCatalog
from inboxd.api.problems import of_the_list
from inboxd.api.session import Session
from inboxd.api.task import Task
from inboxd.api.tree import TaskTreeNode, TaskTrees, linked
from inboxd.array.check import CheckedArray
from inboxd.array.document import check_document
from inboxd.array.invalid import InvalidTaskArray
from inboxd.array.limits import Limits
from inboxd.array.problem import Problem, ProblemCode, quoted
from inboxd.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TaskCreator"]


class TaskCreator:
    """Makes task trees of a session from task arrays."""

    def __init__(self, session: Session) -> None:
        """
        Make trees for one session.

        Args:
            session: which runs them.

        Raises:
            TypeError: it is none.
        """
        must_be(session, Session, "TaskCreator takes a Session")
        self._session = session

    def __repr__(self) -> str:
        return f"<TaskCreator of {self._session!r}>"

    async def create_task_tree_from_array(
        self,
        tasks: Sequence[Mapping[str, Any]],
        *,
        name: str | None = None,
        user_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> TaskTreeNode:
        """
        Make the drafts of a task array that has one root, and return its node.

        The array is checked as a file is, and nothing is kept when anything is wrong. Two things
        are looked at when the tree is distributed, since until then they may change: whether
        somebody offers the executors that nobody offers now, and what plugins say of the tree.
        A task without `id` gets its `name`, where that is unique and of that form, else
        `task-<position>`, counted from 1. What is given is copied.

        There is no `idempotency_key` here: it tells a file that is dropped twice from two files,
        and a program knows what it has distributed.

        Args:
            tasks: each a dict of JSON values with the fields of a task, see the task file's page.
            name: what the tree is called.
            user_id: whose tree it is.
            metadata: kept and shown, never read.
            defaults: what every task has that does not say otherwise, as in a file.

        Returns:
            The node of the task without a parent; below it the others, in the order of the array.

        Raises:
            InvalidTaskArray: what is wrong, all at once: `errors`, whose pointers start at the
                list (`/3/priority`) or at a keyword (`/defaults/retry`); also when the array has
                several roots.
        """
        trees = await self._create(tasks, name, user_id, metadata, defaults, is_one=True)
        root = trees[0]
        root.label = trees.label
        return root

    async def create_task_trees_from_array(
        self,
        tasks: Sequence[Mapping[str, Any]],
        *,
        name: str | None = None,
        user_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> TaskTrees:
        """
        Make the drafts of a task array with one root or several; they are accepted as one tree.

        Everything else is as for `create_task_tree_from_array`.

        Returns:
            The nodes of the tasks without a parent, in the order of the array.

        Raises:
            InvalidTaskArray: what is wrong, all at once.
        """
        return await self._create(tasks, name, user_id, metadata, defaults, is_one=False)

    async def _create(
        self,
        tasks: object,
        name: str | None,
        user_id: str | None,
        metadata: Mapping[str, Any] | None,
        defaults: Mapping[str, Any] | None,
        *,
        is_one: bool,
    ) -> TaskTrees:
        beside = {"name": name, "user_id": user_id, "metadata": metadata, "defaults": defaults}
        envelope = {key: _plain(value) for key, value in beside.items() if value is not None}
        listed = _listed(tasks)
        session = self._session
        catalog = session.catalog()

        def check() -> tuple[list[dict[str, Any]], list[int | None]]:
            checked = _checked(listed, envelope, OpenCatalog(catalog))
            specs = list(checked.specs())
            parents = [spec.parent for spec in specs]
            if is_one:
                _refuse_several_roots(parents, checked.ids)
            return [document_of_spec(spec, checked.ids) for spec in specs], parents

        # Not on the event loop: an array may have a million tasks.
        documents, parents = await asyncio.to_thread(catalog.watched, check)
        kept_metadata = _copied(envelope.get("metadata"))
        # From here on nothing is awaited and nothing fails: all drafts are made, or none.
        group = new_id()
        nodes = [
            TaskTreeNode(Task(session.drafts.add(document.pop("id"), document, group=group)))
            for document in documents
        ]
        label = TreeLabel(name=name, user_id=user_id, metadata=kept_metadata)
        return TaskTrees(linked(nodes, parents), label=label)


def _checked(
    tasks: list[object], envelope: dict[str, object], catalog: OpenCatalog
) -> CheckedArray:
    limits = Limits()
    found = check_document(
        {**envelope, "tasks": tasks} if envelope else tasks,
        # There is no file, whose size would bound the values: the limits do.
        size=limits.max_bytes,
        limits=limits,
        catalog=catalog,
        positions=_nowhere,
    )
    if isinstance(found, CheckedArray):
        return found
    raise InvalidTaskArray(
        [of_the_list(problem) for problem in found.problems], has_more=found.has_more
    )


def _listed(tasks: object) -> list[object]:
    """Return the tasks as a list of dicts; values that no array has stay as they are."""
    if isinstance(tasks, Mapping):
        raise _no_array(
            "the tasks are given as a list, and this is an object",
            "give its `tasks`, and the rest of it by keyword: name, user_id, metadata, defaults"
            if "tasks" in tasks
            else "put the task in [ ]",
        )
    if isinstance(tasks, str | bytes | bytearray):
        raise _no_array("the tasks are given as a list, and this is text", "decode it: json.loads")
    if not isinstance(tasks, Iterable):
        raise _no_array(
            f"the tasks are given as a list, not as {type(tasks).__name__}", "put them in [ ]"
        )
    return [_plain(task) for task in cast("Iterable[object]", tasks)]


def _no_array(message: str, hint: str) -> InvalidTaskArray:
    return InvalidTaskArray([Problem(code=ProblemCode.NOT_AN_ARRAY, message=message, hint=hint)])


def _refuse_several_roots(parents: Sequence[int | None], ids: Sequence[str]) -> None:
    roots = [position for position, parent in enumerate(parents) if parent is None]
    if len(roots) == 1:
        return
    first, second = (quoted(ids[position]) for position in roots[:2])
    raise InvalidTaskArray(
        [
            Problem(
                code=ProblemCode.INVALID_VALUE,
                pointer=f"/{roots[1]}",
                message=f"the array has {len(roots):,} tasks without a parent: {first}, {second}"
                + (", …" if len(roots) > 2 else ""),
                hint="use create_task_trees_from_array, or give all but one a `parent_id`",
            )
        ]
    )


def _plain(value: object) -> object:
    """Return a mapping of whatever kind as a dict."""
    it: Any = value
    return dict(it) if isinstance(value, Mapping) and not isinstance(value, dict) else it


def _copied(metadata: object) -> dict[str, Any]:
    if metadata is None:
        return {}
    return msgspec.json.decode(msgspec.json.encode(metadata), type=dict[str, Any])


def _nowhere(path: object, *, at_key: bool) -> None:
    """A value that was never in a file has no place in one."""
