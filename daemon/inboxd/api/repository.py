"""`TaskRepository`: the tasks of a session, made, found, changed and deleted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from inboxd.api.changing import change_draft, change_stored, delete_draft
from inboxd.api.drafts import DraftExists
from inboxd.api.finding import entry_meant, page_of_tasks
from inboxd.api.given_fields import as_written, checked
from inboxd.api.listing import page_limit, statuses_of
from inboxd.api.misuse import must_be, must_be_text
from inboxd.api.session import Session
from inboxd.api.task import Task
from inboxd.api.task_attempt import attempt_of
from inboxd.api.task_trees import tree_meant
from inboxd.array.invalid import InvalidTaskArray
from inboxd.array.problem import Problem, ProblemCode, quoted
from inboxd.ids import new_id
from inboxd.store.find_tasks import TaskFilter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from inboxd.api.entry import TaskEntry
    from inboxd.api.task_attempt import TaskAttempt
    from inboxd.api.task_page import TaskPage
    from inboxd.api.tree import TaskTreeNode, TaskTrees
    from inboxd.task import RetryPolicy, TaskStatus

__all__ = ["TaskRepository"]


class TaskRepository:
    """The tasks of a session: drafts, and those of all trees that were distributed."""

    def __init__(self, session: Session) -> None:
        """
        Look after the tasks of one session.

        Args:
            session: whose they are.

        Raises:
            TypeError: it is none.
        """
        must_be(session, Session, "TaskRepository takes a Session")
        self._session = session

    def __repr__(self) -> str:
        return f"<TaskRepository of {self._session!r}>"

    async def create_task(
        self,
        *,
        name: str | None = None,
        id: str | None = None,
        user_id: str | None = None,
        parent_id: str | Task | None = None,
        dependencies: Sequence[str | Task | Mapping[str, Any]] | None = None,
        priority: int | None = None,
        join: str | None = None,
        allow_failure: bool | None = None,
        executor: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        schemas: Mapping[str, Any] | None = None,
        retry: int | Mapping[str, Any] | RetryPolicy | None = None,
        timeout: float | str | timedelta | None = None,  # noqa: ASYNC109 - of the task, not of this
        not_before: str | datetime | None = None,
        hold: bool | None = None,
        delivery: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Task:
        """
        Make a draft: a task that runs when `distribute_task_tree` is given a tree with it.

        The arguments are the fields of a task in a task file, with the same meaning; None is the
        default of each. What needs no other task is checked at once; whether the tasks that it
        refers to are there, whether somebody offers its executor, and whether that takes its
        inputs, when the tree is distributed. What is given is copied.

        Args:
            name: its label, at most 255 characters; needed when no `id` is given.
            id: at most 128 characters, `[A-Za-z0-9][A-Za-z0-9._:-]*`; by default a new UUIDv7. It
                stays the id in the tree.
            user_id: the label of its owner.
            parent_id: the task that it is below; orders nothing.
            dependencies: the tasks that it waits for, each by id, by a unique name, as a `Task`, or
                as a dict: `{"id": "fetch", "on": "end"}`.
            priority: 0 to 999, lower first; 2.
            join: `all` or `any`: whether all its dependencies must hold, or one.
            allow_failure: True: its failure does not make the tree fail.
            executor: who executes it; by default `params["executor_id"]`, `schemas["method"]` or
                the name.
            inputs: the data for the executor: an object of JSON values.
            params: the configuration of the executor: likewise.
            schemas: `method`, and `input_schema` for its inputs.
            retry: how many retries follow a first attempt that failed; or a dict with `limit`,
                `delay`, `backoff`, `max_delay`, `jitter`. Durations as for `timeout`.
            timeout: of each attempt: seconds, a text such as `"90s"`, or a `timedelta`.
            not_before: its earliest start: an aware datetime, or RFC 3339 text with an offset.
            hold: True: once otherwise ready it waits for a person, `TaskManager.release`.
            delivery: `at_least_once`, or `at_most_once`: an attempt that a crash cut is not made
                again.
            description: for people.
            metadata: a JSON object, kept and never read.
            extra: fields whose names begin with `x-`, kept and never read.

        Returns:
            The handle of the draft.

        Raises:
            InvalidTaskArray: `errors` has all that is wrong, pointers from the task (`/priority`).
            SessionClosed: the session is closed.
        """
        self._session.check_open()
        fields: dict[str, Any] = {
            "name": name,
            "description": description,
            "metadata": metadata,
            "user_id": user_id,
            "parent_id": parent_id,
            "priority": priority,
            "dependencies": dependencies,
            "join": join,
            "allow_failure": allow_failure,
            "executor": executor,
            "inputs": inputs,
            "params": params,
            "schemas": schemas,
            "retry": retry,
            "timeout": timeout,
            "not_before": not_before,
            "hold": hold,
            "delivery": delivery,
        }
        given = {key: value for key, value in fields.items() if value is not None}
        problems: list[Problem] = []
        if id is None and name is None:
            message = "the task has neither `name` nor `id`"
            problems.append(
                Problem(code=ProblemCode.MISSING_FIELD, message=message, hint="give it a name")
            )
        task_id = new_id() if id is None else id
        document = checked(task_id, as_written(given), extra=extra, problems=problems)
        # An enum is text as well.
        task_id = str(task_id)
        try:
            return Task(self._session.drafts.add(task_id, document))
        except DraftExists:
            raise InvalidTaskArray(
                [
                    Problem(
                        code=ProblemCode.DUPLICATE_ID,
                        pointer="/id",
                        message=f"another draft of this session has the id {quoted(task_id)}",
                        hint="give another one, or none",
                    )
                ]
            ) from None

    async def get_task_by_id(self, id: str) -> Task:
        """
        Return a task: a draft, or one of whatever tree.

        Args:
            id: its id; or `<tree>/<id>`, where `<tree>` is the id of a tree in the store, 4 or more
                characters of that, its name, or `@` for the newest.

        Raises:
            NotFound: there is none; the text has the nearest id.
            AmbiguousTask: several trees, or a draft and a tree, have it; `candidates` holds the
                `<tree>/<id>` of each that is in the store, then the ids of drafts.
            AmbiguousReference: `<tree>` is part of the ids of several.
            SessionClosed: the session is closed.
        """
        return Task(await self._meant(id))

    async def list_tasks(
        self,
        *,
        status: TaskStatus | str | Iterable[TaskStatus | str] | None = None,
        tree_id: str | None = None,
        name: str | None = None,
        user_id: str | None = None,
        executor: str | None = None,
        parent_id: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> TaskPage:
        """
        Return tasks to which all that is given applies, a page at a time.

        First those of the store, by the order in which their trees arrived and by their position in
        the tree; then the drafts, in the order in which they were made, which count as `pending`.
        That order never changes, so going on from page to page leaves out no task that was there at
        the beginning; a draft that is distributed meanwhile may be given twice. A page costs a pass
        over the tasks between its first and its last one, off the event loop.

        Args:
            status: one status, or several.
            tree_id: only tasks of this tree, and no drafts; a reference as for `get_task_by_id`.
            name: exactly this name.
            user_id: exactly this label of the task's own.
            executor: exactly this one.
            parent_id: children of the tasks of this id.
            limit: at most so many, 1 to 10,000.
            after: the `next_page` of the page before.

        Returns:
            A list; its `next_page` is None when there are no more.

        Raises:
            NotFound: there is no such tree.
            AmbiguousReference: `tree_id` is part of the ids of several.
            ValueError: a status, the limit or `after` is none.
            TypeError: a filter is no text, or the limit no number.
            SessionClosed: the session is closed.
        """
        self._session.check_open()
        filters = {"tree_id": tree_id, "name": name, "user_id": user_id, "executor": executor}
        for key, value in {**filters, "parent_id": parent_id, "after": after}.items():
            must_be_text(value, key)
        limit = page_limit(limit)
        wanted = TaskFilter(
            statuses=statuses_of(status),
            name=name,
            user_id=user_id,
            executor=executor,
            parent_id=parent_id,
        )
        return await asyncio.to_thread(
            page_of_tasks, self._session, wanted, tree=tree_id, limit=limit, after=after
        )

    async def update_task(
        self,
        task: Task | str,
        *,
        name: str | UnsetType | None = UNSET,
        user_id: str | UnsetType | None = UNSET,
        parent_id: str | Task | UnsetType | None = UNSET,
        dependencies: Sequence[str | Task | Mapping[str, Any]] | UnsetType | None = UNSET,
        priority: int | UnsetType | None = UNSET,
        join: str | UnsetType | None = UNSET,
        allow_failure: bool | UnsetType | None = UNSET,
        executor: str | UnsetType | None = UNSET,
        inputs: Mapping[str, Any] | UnsetType | None = UNSET,
        params: Mapping[str, Any] | UnsetType | None = UNSET,
        schemas: Mapping[str, Any] | UnsetType | None = UNSET,
        retry: int | Mapping[str, Any] | RetryPolicy | UnsetType | None = UNSET,
        timeout: float | str | timedelta | UnsetType | None = UNSET,  # noqa: ASYNC109 - likewise
        not_before: str | datetime | UnsetType | None = UNSET,
        hold: bool | UnsetType | None = UNSET,
        delivery: str | UnsetType | None = UNSET,
        description: str | UnsetType | None = UNSET,
        metadata: Mapping[str, Any] | UnsetType | None = UNSET,
        extra: Mapping[str, Any] | UnsetType | None = UNSET,
    ) -> Task:
        """
        Change a task that is pending; what is not given stays, and None is the default of a field.

        Of a draft everything but the id may change. Of a task whose tree was distributed, while it
        is pending: `description`, `metadata` and `user_id`, and `priority` while it was never
        started. The rest was checked with the whole tree when that was accepted, and stays.

        Args:
            task: a handle, or an id as for `get_task_by_id`.
            name: this and the others as for `create_task`; `extra` takes the place of all `x-…`
                fields.

        Returns:
            The handle of the task.

        Raises:
            InvalidTaskArray: it would be wrong; nothing was changed.
            Conflict: this cannot change any more; nothing was changed.
            NotFound, AmbiguousTask, AmbiguousReference: of the id.
            SessionClosed: the session is closed.
        """
        entry = await self._meant(task)
        fields: dict[str, Any] = {
            "name": name,
            "description": description,
            "metadata": metadata,
            "user_id": user_id,
            "parent_id": parent_id,
            "priority": priority,
            "dependencies": dependencies,
            "join": join,
            "allow_failure": allow_failure,
            "executor": executor,
            "inputs": inputs,
            "params": params,
            "schemas": schemas,
            "retry": retry,
            "timeout": timeout,
            "not_before": not_before,
            "hold": hold,
            "delivery": delivery,
        }
        changes = {key: value for key, value in fields.items() if value is not UNSET}
        if entry.is_draft:
            change_draft(entry, changes, extra)
        else:
            await change_stored(entry, changes, has_extra=extra is not UNSET)
        return Task(entry)

    async def delete_task(self, task: Task | str) -> None:
        """
        Delete a draft. Tasks whose tree was distributed are kept.

        Args:
            task: a handle, or an id as for `get_task_by_id`.

        Raises:
            Conflict: other drafts name it as parent or dependency, or it is no draft any more.
            NotFound, AmbiguousTask, AmbiguousReference: of the id.
            SessionClosed: the session is closed.
        """
        entry = await self._meant(task)
        delete_draft(entry)

    async def get_task_tree(self, task: Task | str) -> TaskTreeNode | TaskTrees:
        """
        Return the whole tree that a task is in, in new nodes, children in the order of the tree.

        Of drafts that were made one by one: the topmost ancestor of the task and all below it, by
        `parent_id`; of one that came in an array: that array. Tasks that only depend on one
        another are no tree of drafts; they are put together by `TaskTrees`.

        Args:
            task: a handle; an id as for `get_task_by_id`; or the id of a tree, or its name.

        Returns:
            The root, or, when there are several, a `TaskTrees` of them.

        Raises:
            NotFound, AmbiguousTask, AmbiguousReference: of the id.
            InvalidTaskArray: drafts are each other's parents in a circle.
            SessionClosed: the session is closed.
        """
        self._session.check_open()
        return await asyncio.to_thread(tree_meant, self._session, task)

    async def get_attempts(self, task: Task | str) -> list[TaskAttempt]:
        """
        Return the attempts of a task by their numbers, the one in progress last; none of a draft.

        Args:
            task: a handle, or an id as for `get_task_by_id`.

        Raises:
            NotFound, AmbiguousTask, AmbiguousReference: of the id.
            SessionClosed: the session is closed.
        """
        entry = await self._meant(task)
        if entry.is_draft:
            return []
        views = await asyncio.to_thread(self._session.stored.attempts_of, entry)
        return [attempt_of(view) for view in views]

    async def _meant(self, meant: Task | str) -> TaskEntry:
        self._session.check_open()
        if isinstance(meant, Task):
            return entry_meant(self._session, meant)
        return await asyncio.to_thread(entry_meant, self._session, meant)
