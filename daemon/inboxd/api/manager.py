"""`TaskManager`: runs task trees of a session, and steers them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, TypeVar

from inboxd.api.awaiting import done_in_time, result_of
from inboxd.api.callbacks import call
from inboxd.api.collecting import collect
from inboxd.api.misuse import must_be, must_be_bool, must_be_callable
from inboxd.api.repository import TaskRepository
from inboxd.api.session import Session
from inboxd.api.steering import Target, committed
from inboxd.api.task import Task, entry_of
from inboxd.api.tree import TaskTreeNode, TaskTrees
from inboxd.array.invalid import InvalidTaskArray
from inboxd.errors import Conflict, InboxdError, SessionClosed
from inboxd.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.api.callbacks import OnEvent
    from inboxd.api.collecting import Collected
    from inboxd.api.entry import TaskEntry
    from inboxd.api.event_stream import TreeEvents
    from inboxd.task import TaskStatus

__all__ = ["TaskManager"]

logger = logging.getLogger(__name__)

#: Bound, and not one of two: what `get_task_tree` gives may be either.
Tree = TypeVar("Tree", bound=TaskTreeNode | TaskTrees)

#: Reading more tasks than this takes so long that another thread does it: some 10 ms.
_MOST_AT_ONCE = 1_000


class TaskManager:
    """
    Runs the task trees of a session, tells how they go, and steers them.

    A tree is what was distributed together: a `TaskTreeNode` that is below no other, a `TaskTrees`,
    or the id of a tree in the store. Several managers of one session are as one.
    """

    def __init__(self, session: Session) -> None:
        """
        Manage the trees of a session.

        Args:
            session: what `create_session` gave.

        Raises:
            TypeError: it is none.
        """
        must_be(session, Session, "TaskManager takes a Session")
        self._session = session
        #: The tasks of the session.
        self.task_repository = TaskRepository(session)

    def __repr__(self) -> str:
        return f"<TaskManager of {self._session!r}>"

    # Running -------------------------------------------------------------------------------------

    async def distribute_task_tree(
        self, tree: Tree, strict_priority: bool = False, *, on_event: OnEvent | None = None
    ) -> Tree:
        """
        Run a tree to its end.

        Its tasks are accepted in one transaction, as one tree, and run by the session with all its
        other trees. How they end is what their handles show: a task that fails raises nothing.

        Cancelling the call cancels the tree: that is committed before `CancelledError` goes on, so
        whatever an attempt that runs still reports, its task is `cancelled`. Attempts are ended
        then, which the call does not wait for; `wait` does. A call that is cancelled before the
        tree is accepted leaves nothing of it in the store, and its tasks are drafts as before
        (`Task.is_draft`).

        Args:
            tree: of drafts.
            strict_priority: a task also waits while a more urgent one of the tree is active.
            on_event: is called with each of the events that `events` gives, in order, in the
                caller's task; what it returns is awaited if that can be. The next event waits until
                it is through; the tasks do not. An exception in it stops nothing: it is logged, and
                given to the event loop's exception handler, which shows it on stderr unless the
                program set up `logging` or a handler of its own. The call returns after `TreeEnded`
                was told; after a cancellation nothing is.

        Returns:
            The tree itself: its tasks show how they ended.

        Raises:
            InvalidTaskArray: its tasks break a rule; nothing ran.
            Conflict: it was distributed before.
            SessionClosed: the session was closed before the tree had ended.
            StoreError: the store was removed or replaced meanwhile: what ran is not kept.
            ValueError: it is a node below another; or a task stands in it twice, was deleted, or
                is of another session.
            TypeError: it is no tree, `strict_priority` no bool, or `on_event` no function.
        """
        must_be_bool(strict_priority, "strict_priority")
        must_be_callable(on_event, "on_event")
        collected = collect(self._session, tree)
        events = None
        if on_event is not None and collected.entries:
            events = self._session.steering.events(tree)
        await self._accept(collected, strict_priority=strict_priority)
        place = collected.entries[0].place
        if place is None:
            raise SessionClosed("the session was closed when the tree had just been accepted")
        target = Target(tree_id=place.tree_id, tree=place.tree)
        await self._run(target, collected.entries, events, on_event)
        return tree

    async def wait(self, tree: TaskTreeNode | TaskTrees | str) -> TaskStatus:
        """
        Wait until a tree has ended that somebody else runs; cancelling the wait cancels nothing.

        Args:
            tree: distributed; or its id.

        Returns:
            How it ended: `completed`, `failed` or `cancelled`.

        Raises:
            Conflict: it was not distributed yet.
            NotFound: no tree has this id.
            SessionClosed: the session is closed, or was before the tree had ended.
        """
        steering = self._session.steering
        status = await steering.end_of(steering.tree(tree).tree_id)
        await self._refresh(_entries_of(tree))
        return status

    # Steering ------------------------------------------------------------------------------------

    async def cancel(self, what: TaskTreeNode | TaskTrees | Task | str) -> None:
        """
        Cancel a tree, or a single task.

        It returns when that is committed: from then on the outcome of what has not ended is
        `cancelled`, whatever an attempt reports. Attempts that run are ended then, and their tasks
        show it when they are (a command has `grace` between SIGTERM and SIGKILL); `wait` waits for
        all of a tree. Tasks that depend on a task that is cancelled are skipped, but for those
        whose edge is on `end`; of a tree all is cancelled.

        Args:
            what: a tree or a task that was distributed; or the id of one, or `<tree>/<task>`.

        Raises:
            Conflict: it has ended already, or was not distributed yet.
            NotFound: nothing has this id.
            AmbiguousTask: tasks of several trees have it.
            SessionClosed: the session is closed.
        """
        steering = self._session.steering
        await committed(steering.request_cancel(steering.target(what)))

    async def retry(
        self,
        what: TaskTreeNode | TaskTrees | Task | str,
        *,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> TaskStatus:
        """
        Run again what failed or was cancelled of a tree, or a single task that has ended.

        What comes after it runs again too; the rest is kept. Of a tree that an earlier process left
        unfinished in a store that was kept, what is pending runs as well. The tasks have all their
        retries again, and their attempts go on being counted.

        Args:
            what: a tree or a task; or the id of one, or `<tree>/<task>`.
            wait: return when the tree has ended again; False: when it is committed what runs again.
                A wait that is cancelled cancels the tree, as with `distribute_task_tree`.
            on_event: as of `distribute_task_tree`; it is told first what was kept. Only where
                the end is waited for.

        Returns:
            The status of the tree.

        Raises:
            Conflict: it cannot be as things stand: nothing failed or was cancelled, what would
                run again is in progress, a named task is pending, another retry of the tree is
                being done, or nobody has an executor that it needs.
            NotFound: nothing has this id.
            AmbiguousTask: tasks of several trees have it.
            SessionClosed: the session is closed, or was before the tree had ended.
            ValueError: *on_event* without *wait*.
            TypeError: `wait` is no bool, or `on_event` no function.
        """
        must_be_bool(wait, "wait")
        must_be_callable(on_event, "on_event")
        if on_event is not None and not wait:
            raise ValueError("on_event is called while the retry waits: leave out wait=False")
        steering = self._session.steering
        target = steering.target(what)
        tree = Target(tree_id=target.tree_id, tree=target.tree)
        await asyncio.to_thread(steering.offer_executors, target)
        asked = steering.request_retry(target)
        try:
            await committed(asked)
        except asyncio.CancelledError:
            with contextlib.suppress(InboxdError):
                await result_of(asked)
                if wait:
                    await result_of(steering.request_cancel(tree))
            raise
        if wait:
            events = None
            if on_event is not None:
                events = steering.events(target.tree_id if isinstance(what, str | Task) else what)
            await self._run(tree, _entries_of(what), events, on_event)
        return steering.status(target.tree_id)

    async def release(self, task: Task | str) -> None:
        """
        Release a task that was made with `hold=True`, so that it runs once it is otherwise ready.

        It may be released before that. It returns when it is committed. `cancel` is the refusal.

        Args:
            task: a task that was distributed; or its id, or `<tree>/<task>`.

        Raises:
            Conflict: it has no `hold`, was released already, has ended, or was not distributed yet.
            NotFound: nothing has this id.
            AmbiguousTask: tasks of several trees have it.
            SessionClosed: the session is closed.
            ValueError: a tree is meant.
        """
        steering = self._session.steering
        await committed(steering.request_release(steering.target(task)))

    # Events --------------------------------------------------------------------------------------

    def events(self, tree: TaskTreeNode | TaskTrees | str) -> TreeEvents:
        """
        Return the events of a tree, for one `async for` loop: what hooks are told, as it happens.

        They are `TaskStarted`, `TaskProgress`, `AttemptEnded` (another attempt follows),
        `TaskEnded` and at last `TreeEnded`, in the order in which they were committed. It hears
        from the call on, not only from the first step of the loop; of drafts, when they are
        distributed. Of a tree that is in the store already it first tells what is so: the ends of
        tasks, and the starts of those in progress, by their position in the tree; if it has ended,
        `TreeEnded` follows. Each reader that calls this has all events for itself.

        Of each task there is one `TaskEnded`, unless a person makes it run again. Tasks that end
        without an attempt (skipped, or cancelled while they were pending) are told last, by
        position, before `TreeEnded`.

        A reader that is slow, or stops, holds nothing up. Of progress only the newest of each
        attempt waits for it. If 100,000 events wait, or 64 MiB of inputs and results with them,
        they are dropped, and the reader is told instead what is so at that time, as above: it may
        miss starts, progress and `AttemptEnded`, and never a `TaskEnded` or the `TreeEnded`.

        Args:
            tree: of drafts, or distributed; or the id of a tree in the store.

        Raises:
            NotFound: no tree has this id.
            SessionClosed: the session is closed.
            ValueError: it has no tasks, is of another session, or is a node below another.
        """
        return self._session.steering.events(tree)

    # ---------------------------------------------------------------------------------------------

    async def _accept(self, collected: Collected, *, strict_priority: bool) -> None:
        watch, tree_id = self._session.watch, new_id()
        readers = watch.bind(collected.entries, tree_id)
        label = collected.label
        try:
            await self._session.accept(
                collected.entries,
                collected.documents,
                tree_id=tree_id,
                strict_priority=strict_priority,
                name=label.name,
                user_id=label.user_id,
                metadata=label.metadata,
            )
        except InvalidTaskArray as error:
            explained = collected.explained(error)
            watch.unbind(collected.entries, tree_id, readers, explained)
            raise explained from None
        except BaseException as error:
            if not any(entry.place for entry in collected.entries[:1]):
                refused = error if isinstance(error, InboxdError) else _not_accepted()
                watch.unbind(collected.entries, tree_id, readers, refused)
            else:
                # It was accepted, and is cancelled.
                watch.accepted(collected.entries, tree_id, readers)
            raise
        watch.accepted(collected.entries, tree_id, readers)

    async def _run(
        self,
        target: Target,
        entries: Sequence[TaskEntry],
        events: TreeEvents | None,
        on_event: OnEvent | None,
    ) -> None:
        """Wait until a tree has ended, and cancel it when the wait is."""
        steering = self._session.steering
        try:
            if events is None or on_event is None:
                await steering.end_of(target.tree_id)
            else:
                async with events:
                    async for event in events:
                        await call(on_event, event)
            await self._refresh(entries)
            if not self._session.is_closed:
                self._session.check_store()
        except GeneratorExit:
            # The coroutine is thrown away: nothing can be awaited any more.
            steering.request_cancel(target)
            raise
        except BaseException as error:
            # From here on it is done, also when this wait is cancelled too. An error says that the
            # tree has ended, or that the session is closed.
            if not isinstance(error, Exception) and not await done_in_time(
                steering.request_cancel(target)
            ):
                logger.warning(
                    "the store cannot be written: a tree whose wait was cancelled is cancelled when"
                    " it can be again",
                    extra={"event": "cancel_waits", "tree": target.tree_id},
                )
            raise

    async def _refresh(self, entries: Sequence[TaskEntry]) -> None:
        """Have the handles know how all ended, by one pass over the store."""
        if len(entries) > _MOST_AT_ONCE:
            await asyncio.to_thread(self._session.refresh, entries)
        else:
            self._session.refresh(entries)


def _entries_of(what: TaskTreeNode | TaskTrees | Task | str) -> list[TaskEntry]:
    if isinstance(what, TaskTreeNode | TaskTrees):
        return [entry_of(task) for task in what.tasks()]
    return [] if isinstance(what, str) else [entry_of(what)]


def _not_accepted() -> Conflict:
    return Conflict("the tree was cancelled before it was accepted, so nothing of it runs")
