"""What is asked of trees that are in the store: to end, to run again, to say when they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxd.api.awaiting import result_of
from inboxd.api.event_stream import TreeEvents
from inboxd.api.finding import entry_meant
from inboxd.api.misuse import must_be, must_be_root
from inboxd.api.subscription import Subscription
from inboxd.api.task import Task, entry_of
from inboxd.api.tree import TaskTreeNode, TaskTrees
from inboxd.errors import Conflict, NotFound, SessionClosed
from inboxd.names import did_you_mean, escaped
from inboxd.scheduling.mailbox import StoreClosed
from inboxd.store.tree_executors import executors_needed
from inboxd.task import TaskStatus

if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import TypeVar

    from inboxd.api.entry import Place, TaskEntry
    from inboxd.api.session import Session
    from inboxd.api.watch import Watch
    from inboxd.scheduling.cancelling import Cancelled
    from inboxd.scheduling.releasing import Released
    from inboxd.scheduling.retrying import Retried
    from inboxd.scheduling.scheduler import Scheduler
    from inboxd.store.reader import StoreReader

    T = TypeVar("T")

__all__ = ["Steering", "Target", "committed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A tree in the store, or one task of it."""

    #: Public.
    tree_id: str
    #: Internal.
    tree: int
    #: The internal number of the task; None: the tree is meant.
    task: int | None = None


class Steering:
    """Of one session; all may be used from any thread."""

    def __init__(
        self, session: Session, scheduler: Scheduler, watch: Watch, reader: StoreReader
    ) -> None:
        """
        Args:
            session: whose trees they are.
            scheduler: of its engine.
            watch: that listens to the scheduler.
            reader: of its store.
        """
        self._session = session
        self._scheduler = scheduler
        self._watch = watch
        self._reader = reader

    def target(self, asked: TaskTreeNode | TaskTrees | Task | str) -> Target:
        """
        Return what in the store is meant: a tree, or a task.

        Raises:
            Conflict: a draft is.
            NotFound: nothing has this id.
            AmbiguousTask: tasks of several trees have it.
            SessionClosed: the session is closed.
            ValueError: a task is of another session, or a node is no root.
            TypeError: it is nothing of the kind.
        """
        if isinstance(asked, TaskTreeNode | TaskTrees):
            return self.tree(asked)
        self._session.check_open()
        tree = self._reader.tree(asked) if isinstance(asked, str) else None
        if tree is not None:
            return Target(tree_id=tree.id, tree=tree.number)
        place = self._place(entry_meant(self._session, asked))
        return Target(tree_id=place.tree_id, tree=place.tree, task=place.task)

    def tree(self, asked: TaskTreeNode | TaskTrees | str) -> Target:
        """Return which tree in the store is meant; raises as `target`."""
        self._session.check_open()
        if isinstance(asked, str):
            tree = self._reader.tree(asked)
            if tree is None:
                raise NotFound(f"no tree of this session has the id {escaped(asked)}")
            return Target(tree_id=tree.id, tree=tree.number)
        place = self._place(self.entry_of_tree(asked))
        return Target(tree_id=place.tree_id, tree=place.tree)

    def entry_of_tree(self, tree: TaskTreeNode | TaskTrees) -> TaskEntry:
        """
        Return some task of a tree.

        Raises:
            TypeError: it is no tree.
            ValueError: it has no tasks; or it is a node below another, and so no tree.
        """
        if isinstance(tree, TaskTreeNode):
            must_be_root(tree)
            return entry_of(tree.task)
        must_be(tree, TaskTrees, "a TaskTreeNode, a TaskTrees or the id of a tree is meant")
        if not tree:
            raise ValueError("there are no tasks in it")
        must_be(tree[0], TaskTreeNode, "a root is a TaskTreeNode")
        must_be_root(tree[0])
        return entry_of(tree[0].task)

    def _place(self, entry: TaskEntry) -> Place:
        if entry.session is not self._session:
            raise ValueError(f"task {entry.called()} is of another session")
        if entry.place is None:
            raise Conflict(
                f"task {entry.called()} is a draft: its tree runs from `distribute_task_tree` on"
            )
        return entry.place

    # Events --------------------------------------------------------------------------------------

    def events(self, asked: TaskTreeNode | TaskTrees | str) -> TreeEvents:
        """Subscribe to the events of a tree, of drafts or in the store; raises as `target`."""
        self._session.check_open()
        if not isinstance(asked, str):
            entry = self.entry_of_tree(asked)
            if entry.session is self._session and entry.place is None:
                subscription = Subscription(is_behind=False)
                events = TreeEvents(self._session, self._reader, subscription)
                self._watch.subscribe_early(subscription, entry)
                if entry.place is None or subscription.entries is not None:
                    return events
                # It was accepted in another thread meanwhile: it is one in the store.
                subscription.is_dropped = True
        target = self.tree(asked)
        subscription = Subscription(is_behind=True)
        events = TreeEvents(self._session, self._reader, subscription, tree_id=target.tree_id)
        self._watch.subscribe(subscription, target.tree_id)
        return events

    # Steering ------------------------------------------------------------------------------------

    def request_cancel(self, target: Target) -> Future[Cancelled]:
        """Ask for a cancellation, which is done whether or not somebody waits for it."""
        if target.task is None:
            return self._scheduler.cancel_tree(target.tree)
        return self._scheduler.cancel_task(target.task)

    def offer_executors(self, target: Target) -> None:
        """
        Have the engine know the executors that a retry needs, as they are in this process now.

        Raises:
            Conflict: nobody has one: its tasks would wait for it, and whoever waits for them.
        """
        tree = self._reader.tree(target.tree_id)
        assert tree is not None  # noqa: S101 - nobody deletes trees
        catalog = self._session.catalog()
        end = tree.first_task + tree.counts.total
        needed = executors_needed(self._reader, tree.first_task, end)
        if target.task is not None:
            # It runs again though it completed.
            view = self._reader.tasks_by_number(tree, [target.task])[target.task]
            needed.setdefault(view.executor, {"id": view.id})
        for name, task in needed.items():
            if catalog.kind_of(name) is None and catalog.resolve(name, task) is None:
                why = catalog.why_unknown(name)
                if why is None:
                    hint = did_you_mean(name, catalog.names())
                    why = f'nobody offers executor "{escaped(name)}"{f"; {hint}" if hint else ""}'
                raise Conflict(f"{target.tree_id}/{task.get('id')}: {why}")

    def request_retry(self, target: Target) -> Future[Retried]:
        """Ask for a retry, which is done whether or not somebody waits for it."""
        self._watch.note_retry(target.tree_id)
        if target.task is None:
            return self._scheduler.retry_tree(target.tree)
        return self._scheduler.retry_task(target.task)

    def request_release(self, target: Target) -> Future[Released]:
        """
        Ask for a release, which is done whether or not somebody waits for it.

        Raises:
            ValueError: a tree is meant.
        """
        if target.task is None:
            raise ValueError(f"{target.tree_id} is a tree: a task of it is released by itself")
        return self._scheduler.release_task(target.task)

    def status(self, tree_id: str) -> TaskStatus:
        """Return the status of a tree in the store as it is now."""
        tree = self._reader.tree(tree_id)
        assert tree is not None  # noqa: S101 - nobody deletes trees
        return tree.status

    async def end_of(self, tree_id: str) -> TaskStatus:
        """
        Wait until a tree has ended; return its status.

        Raises:
            SessionClosed: the session was closed, now or while the tree ran.
        """
        self._session.check_open()
        future = self._watch.end_of(tree_id)
        try:
            tree = self._reader.tree(tree_id)
            if tree is not None and tree.ended_at is not None:
                return tree.status
            return TaskStatus(await result_of(future))
        finally:
            self._watch.forget_end(tree_id, future)


async def committed(future: Future[T]) -> T:
    """
    Return what a request came to, after its commit.

    Raises:
        Conflict: it makes no sense as things stand.
        SessionClosed: the session was closed meanwhile.
    """
    try:
        return await result_of(future)
    except StoreClosed as error:
        raise SessionClosed("the session was closed before it was done") from error
