"""Which task a program means, and which tasks it looks for: among the drafts and in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.api.task import Task, entry_of
from inboxd.api.task_page import Cursor, TaskPage
from inboxd.errors import AmbiguousTask, NotFound
from inboxd.names import did_you_mean, escaped
from inboxd.task import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.api.entry import TaskEntry
    from inboxd.api.session import Session
    from inboxd.store.find_tasks import TaskFilter

__all__ = ["entry_meant", "page_of_tasks"]

#: As many candidates of an ambiguous id are named.
_MOST_CANDIDATES = 100
#: The newest ids that are compared with one that nobody has.
_IDS_COMPARED = 1_000


def entry_meant(session: Session, meant: object) -> TaskEntry:
    """
    Return the entry of a task that is given by a handle, by its id, or as `<tree>/<id>`.

    Raises:
        NotFound: there is none; the text has the nearest id.
        AmbiguousTask: several have this id; `candidates` has each of the store as `<tree>/<id>`.
        AmbiguousReference: the part before the `/` is part of the ids of several trees.
        ValueError: it is of another session.
        TypeError: it is neither a task nor text.
    """
    if isinstance(meant, Task):
        entry = entry_of(meant)
        if entry.session is not session:
            raise ValueError(f"task {entry.called()} is of another session")
        return entry
    if not isinstance(meant, str):
        raise TypeError(f"a task is given by a Task or its id, not by {type(meant).__name__}")
    tree, slash, task_id = meant.rpartition("/")
    if slash:
        return session.stored.in_tree(tree, task_id)
    drafts = session.drafts.named(meant)
    stored = session.stored.of_id(meant, _MOST_CANDIDATES)
    if len(drafts) + len(stored) == 1:
        return (drafts + stored)[0]
    if not drafts and not stored:
        known = [entry.id for entry in session.drafts.all()[-_IDS_COMPARED:]]
        known += session.stored.newest_ids(_IDS_COMPARED)
        hint = did_you_mean(meant, known) or "`list_tasks` gives what there is"
        raise NotFound(f'no task "{escaped(meant)}" in this session; {hint}')
    candidates = [f"{entry.place.tree_id}/{entry.id}" for entry in stored if entry.place]
    # A draft has no other name; whoever made it has its `Task`.
    candidates += [entry.id for entry in drafts]
    raise AmbiguousTask(
        f'{len(stored)} tasks of the store and {len(drafts)} drafts have the id "{escaped(meant)}";'
        " give a `Task`, or one of the store as <tree>/<id>:"
        + "".join(f"\n  {candidate}" for candidate in candidates[: len(stored)]),
        candidates,
    )


def page_of_tasks(
    session: Session, wanted: TaskFilter, *, tree: str | None, limit: int, after: str | None
) -> TaskPage:
    """
    Return a page of the tasks that a filter lets through: those of the store, then drafts.

    Args:
        session: whose tasks.
        wanted: the filter, but for the tree.
        tree: only tasks of the tree that this reference means; no drafts.
        limit: at most so many.
        after: the `next_page` of the page before.
    """
    cursor = Cursor.read(after)
    page: list[Task] = []
    for entry in _matching(session, wanted, tree, cursor, limit + 1):
        if len(page) == limit:
            return TaskPage(page, next_page=str(cursor))
        page.append(Task(entry))
        place = entry.place
        if place is None:
            cursor = cursor._replace(order=entry.order)
        else:
            cursor = cursor._replace(number=place.task)
    return TaskPage(page)


def _matching(
    session: Session, wanted: TaskFilter, tree: str | None, cursor: Cursor, most: int
) -> Iterator[TaskEntry]:
    # Those first: a draft that is distributed between two pages is given again, and never left out.
    drafts = [] if tree is not None else session.drafts.all()
    stored = session.stored.matching(wanted, tree=tree, after=cursor.number, limit=most)
    yield from stored
    if wanted.statuses is not None and TaskStatus.PENDING not in wanted.statuses:
        return
    for entry in drafts:
        if entry.order > cursor.order and entry.is_draft and _is_wanted(Task(entry), wanted):
            yield entry


def _is_wanted(draft: Task, wanted: TaskFilter) -> bool:
    return (
        wanted.name in (None, draft.name)
        and wanted.executor in (None, draft.executor)
        and wanted.user_id in (None, draft.user_id)
        and wanted.parent_id in (None, draft.parent_id)
    )
