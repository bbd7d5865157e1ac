"""`TreeEvents`: what `async for event in task_manager.events(tree)` iterates over."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from typing import TYPE_CHECKING

from inboxd.api.entry import Place
from inboxd.api.event_values import end_of_recorded, end_of_view, start_of_attempt, start_of_view
from inboxd.api.events import TaskProgress, TreeEnded
from inboxd.api.subscription import RecordedEnd, Said
from inboxd.api.task import Task
from inboxd.api.told_so_far import ToldSoFar
from inboxd.errors import SessionClosed, StoreError
from inboxd.running.attempt import Attempt
from inboxd.task import TaskStatus
from inboxd.telling.values import told_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import TypeVar

    from inboxd.api.events import TreeEvent
    from inboxd.api.session import Session
    from inboxd.api.subscription import Item, Subscription
    from inboxd.store.reader import StoreReader
    from inboxd.store.views import TaskView, TreeView

    T = TypeVar("T")

__all__ = ["TreeEvents"]

#: Tasks that are read at a time, in another thread: some 25 ms.
_PAGE = 2_000
#: After so many events without a pause others of the loop have a turn.
_EVENTS_A_TURN = 64


class TreeEvents:
    """
    The events of one tree, for one reader; made by `TaskManager.events`.

    It is iterated once, by one coroutine at a time. A wait that is cancelled loses nothing: the
    next one goes on. It hears of the tree until `aclose`, the end of an `async with` block, or
    until nobody has it any more.
    """

    def __init__(
        self,
        session: Session,
        reader: StoreReader,
        subscription: Subscription,
        *,
        tree_id: str | None = None,
    ) -> None:
        """
        Args:
            session: whose tree it is.
            reader: of its store.
            subscription: where the events come from.
            tree_id: of a tree in the store; None: of drafts, which the subscription knows.
        """
        self._session = session
        self._reader = reader
        self._subscription = subscription
        self._tree_id = tree_id
        #: As it was first seen; for what does not change.
        self._tree: TreeView | None = None
        self._told: ToldSoFar | None = None
        #: What was taken and not looked at yet.
        self._items: deque[Item] = deque()
        #: What was looked at and not read yet.
        self._events: deque[TreeEvent] = deque()
        #: The store is being looked at, from this position on; None: it is not.
        self._position: int | None = None
        #: Meanwhile, by position: the first that waits in `_items` of a task.
        self._first: dict[int, Attempt | RecordedEnd] = {}
        #: The tree's status at its end.
        self._ended: TaskStatus | None = None
        self._is_over = False
        self._since_pause = 0
        weakref.finalize(self, _drop, subscription).atexit = False

    def __aiter__(self) -> TreeEvents:
        return self

    if not TYPE_CHECKING:  # a type checker says by itself that there is no `__iter__`

        def __iter__(self) -> object:
            """
            Say how it is iterated, to whom the name alone does not.

            Raises:
                TypeError: always.
            """
            raise TypeError("events are awaited: write `async for event in …`, in a coroutine")

    async def __anext__(self) -> TreeEvent:
        """
        Wait for the next event.

        Raises:
            StopAsyncIteration: `TreeEnded` was read, or this was closed.
            SessionClosed: the session was closed before all was read.
            InboxdError: the tree was not accepted, for this reason.
            RuntimeError: another coroutine waits for the next event.
        """
        while not self._events:
            if self._is_over:
                raise StopAsyncIteration
            if self._position is not None:
                await self._look_in_store(self._position)
            elif self._items:
                self._look_at(self._items.popleft())
            elif self._ended is not None:
                await self._end(self._ended)
            elif not self._take():
                self._since_pause = 0
                await self._subscription.wait()
        self._since_pause += 1
        if self._since_pause > _EVENTS_A_TURN:
            self._since_pause = 0
            await asyncio.sleep(0)
        return self._events.popleft()

    async def aclose(self) -> None:
        """Hear no more of it; what was not read is lost."""
        self._is_over = True
        self._events.clear()
        self._items.clear()
        _drop(self._subscription)

    async def __aenter__(self) -> TreeEvents:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # From what is told to events -----------------------------------------------------------------

    def _take(self) -> bool:
        """Take what waits; False: nothing does."""
        taken = self._subscription.take()
        if taken is None:
            return False
        entries = self._subscription.entries
        if self._told is None and entries is not None:
            self._told = ToldSoFar(len(entries))
            place = entries[0].place
            assert place is not None  # noqa: S101 - nothing is given out before
            self._tree_id = place.tree_id
        if taken.is_behind:
            self._position = 0
        if self._position is not None:
            for item in taken.items:
                if isinstance(item, Attempt):
                    self._first.setdefault(item.position, item)
                elif isinstance(item, RecordedEnd):
                    self._first.setdefault(item.attempt.position, item)
        self._items.extend(taken.items)
        return True

    def _look_at(self, item: Item) -> None:
        told = self._told
        assert told is not None  # noqa: S101 - the first that is taken, or the store, said so
        if isinstance(item, Attempt):
            if told.start(item):
                self._events.append(start_of_attempt(self._task(item.position, item.task_id), item))
        elif isinstance(item, RecordedEnd):
            if told.end(item):
                self._events.append(self._end_of(item))
        elif isinstance(item, Said):
            position = told.running(item.newest)
            if position is not None:
                self._events.append(
                    TaskProgress(
                        task=self._task(position, item.newest.task_id),
                        attempt=item.newest.attempt,
                        fraction=item.newest.fraction,
                        message=item.newest.message,
                    )
                )
        else:
            self._ended = TaskStatus(item.status)
            if not told.is_all_told or self._subscription.was_retried:
                self._position = 0  # what ended without an attempt is not told one by one

    async def _look_in_store(self, position: int) -> None:
        """Tell what the store says of a page of tasks, and is neither told nor going to be."""
        tree, views = await self._read(lambda: self._page(position))
        if self._tree is None:
            self._tree = tree
        if self._told is None:
            self._told = ToldSoFar(tree.counts.total)
        if tree.ended_at is not None and self._ended is None and position == 0:
            self._ended = tree.status
        following = position + _PAGE
        self._position = following
        # What was committed before the page was read, and is told by now.
        self._take()
        for view in views:
            self._look_at_view(view, self._told)
        if self._position == following >= tree.counts.total:
            self._position = None
            self._first.clear()

    def _look_at_view(self, view: TaskView, told: ToldSoFar) -> None:
        """Tell how a task was before the first that waits to be told of it."""
        first = self._first.get(view.position)
        seq = view.start_seq or 0
        is_start = is_end = True
        if isinstance(first, Attempt):
            is_start, is_end = False, seq < first.start_seq
        elif isinstance(first, RecordedEnd):
            is_start, is_end = seq == first.attempt.start_seq, False
        elif view.status is not TaskStatus.IN_PROGRESS:
            is_start = False
        if is_end and told.end_of_view(view):
            self._events.append(end_of_view(self._task(view.position, view.id), view))
        elif is_start and told.start_of_view(view):
            start = start_of_view(self._task(view.position, view.id), view)
            if start is not None:
                self._events.append(start)

    async def _end(self, status: TaskStatus) -> None:
        def read() -> TreeEnded:
            return TreeEnded(status=status, tree=told_tree(self._reader, self._view()))

        self._events.append(await self._read(read))
        self._is_over = True
        _drop(self._subscription)

    # The store -----------------------------------------------------------------------------------

    async def _read(self, read: Callable[[], T]) -> T:
        """Read in another thread; what is cancelled is read again."""
        self._check_open()
        try:
            return await asyncio.to_thread(read)
        except StoreError:
            self._check_open()  # it was closed meanwhile
            raise

    def _check_open(self) -> None:
        if self._session.is_closed:
            raise SessionClosed(
                "the session was closed before all events of the tree were read:"
                " what is left of them would be read from its store"
            )

    def _page(self, position: int) -> tuple[TreeView, list[TaskView]]:
        tree = self._view()
        return tree, list(self._reader.tree_tasks(tree, start=position, end=position + _PAGE))

    def _view(self) -> TreeView:
        assert self._tree_id is not None  # noqa: S101 - something was taken
        tree = self._reader.tree(self._tree_id)
        assert tree is not None  # noqa: S101 - it was accepted, and nobody deletes trees
        return tree

    def _end_of(self, recorded: RecordedEnd) -> TreeEvent:
        attempt = recorded.attempt
        return end_of_recorded(self._task(attempt.position, attempt.task_id), recorded)

    def _task(self, position: int, task_id: str) -> Task:
        """Return a handle of a task, which the caller may have already."""
        entries, tree = self._subscription.entries, self._tree
        if entries is not None:
            return Task(entries[position])
        assert tree is not None  # noqa: S101 - of a tree in the store that is read first
        place = Place(tree.id, tree.number, tree.first_task + position)
        stored = self._session.stored
        return Task(stored.entry_at(place, task_id, received_at=tree.received_at))


def _drop(subscription: Subscription) -> None:
    """Let a subscription go; without a lock, since the collector of garbage calls it anywhere."""
    subscription.is_dropped = True
