"""What a session hears of the turns' commits, handed to whoever waits for it."""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING

from inboxd.api.subscription import RecordedEnd, Subscription
from inboxd.clock import SystemClock
from inboxd.events import TaskProgress
from inboxd.scheduling.turn import TurnListener

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.api.entry import TaskEntry
    from inboxd.events import Event
    from inboxd.running.attempt import Attempt
    from inboxd.scheduling.turn import EndedTree
    from inboxd.store.outcomes import AttemptEnd, RequeuedTask
    from inboxd.store.trees import OpenTree

__all__ = ["Watch"]


class Watch(TurnListener):
    """
    Listens to the turns of one session; told on the scheduler's thread.

    What nobody subscribed to costs a look into a dict.
    """

    #: Subscriptions come and go, and the turns ask only once.
    wants_starts = True

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = SystemClock()
        #: By the public ids of trees.
        self._ends: dict[str, list[Future[str]]] = {}
        #: By the public ids of trees; the tuples are replaced, never changed, so that the
        #: scheduler's thread looks without the lock.
        self._readers: dict[str, tuple[Subscription, ...]] = {}
        #: Of drafts.
        self._early: weakref.WeakKeyDictionary[TaskEntry, list[Subscription]] = (
            weakref.WeakKeyDictionary()
        )
        #: Of drafts that are being accepted: their tree, and who hears of it.
        self._binding: dict[TaskEntry, tuple[str, Sequence[TaskEntry], list[Subscription]]] = {}
        self._closed_by: BaseException | None = None

    # Who waits -----------------------------------------------------------------------------------

    def end_of(self, tree_id: str) -> Future[str]:
        """Return what resolves to the status of a tree when it ends, from now on."""
        future: Future[str] = Future()
        with self._lock:
            self._ends.setdefault(tree_id, []).append(future)
        return future

    def forget_end(self, tree_id: str, future: Future[str]) -> None:
        """Let go what `end_of` gave: nobody waits for it any more."""
        with self._lock:
            waiting = self._ends.get(tree_id, [])
            if future in waiting:
                waiting.remove(future)
            if not waiting:
                self._ends.pop(tree_id, None)

    def subscribe(self, subscription: Subscription, tree_id: str) -> None:
        """Tell a reader of a tree in the store, from now on."""
        with self._lock:
            others = [one for one in self._readers.get(tree_id, ()) if not one.is_dropped]
            self._readers[tree_id] = (*others, subscription)
            error = self._closed_by
        if error is not None:
            subscription.close(error)

    def subscribe_early(self, subscription: Subscription, entry: TaskEntry) -> None:
        """Tell a reader of the tree that a draft becomes part of, or is just becoming."""
        with self._lock:
            error = self._closed_by
            if entry in self._binding:
                tree_id, entries, bound = self._binding[entry]
                subscription.bind(entries)
                bound.append(subscription)
                self._readers[tree_id] = tuple(bound)
            else:
                others = [one for one in self._early.get(entry, ()) if not one.is_dropped]
                self._early[entry] = [*others, subscription]
        if error is not None:
            subscription.close(error)

    def bind(self, entries: Sequence[TaskEntry], tree_id: str) -> list[Subscription]:
        """
        Say that drafts are about to be accepted as this tree.

        Returns:
            Whom it concerns, to which may be added; `accepted` or `unbind` comes next.
        """
        with self._lock:
            bound: list[Subscription] = []
            if self._early:
                for entry in entries:
                    bound += self._early.pop(entry, ())
            for subscription in bound:
                subscription.bind(entries)
            if bound:
                self._readers[tree_id] = tuple(bound)
            for entry in entries:
                self._binding.setdefault(entry, (tree_id, entries, bound))
        return bound

    def accepted(
        self, entries: Sequence[TaskEntry], tree_id: str, readers: Sequence[Subscription]
    ) -> None:
        """Say that drafts that were bound are a tree in the store."""
        self._end_binding(entries, tree_id)
        for subscription in readers:
            subscription.open()

    def unbind(
        self,
        entries: Sequence[TaskEntry],
        tree_id: str,
        readers: Sequence[Subscription],
        error: BaseException,
    ) -> None:
        """Say that a tree was not accepted after all."""
        self._end_binding(entries, tree_id)
        with self._lock:
            self._readers.pop(tree_id, None)
        for subscription in readers:
            subscription.clear()
            subscription.close(error)

    def _end_binding(self, entries: Sequence[TaskEntry], tree_id: str) -> None:
        """Forget the binding of drafts to this tree; another call may have bound them first."""
        with self._lock:
            for entry in entries:
                if entry in self._binding and self._binding[entry][0] == tree_id:
                    del self._binding[entry]

    def note_retry(self, tree_id: str) -> None:
        """Say that a person is about to make something of a tree run again."""
        for subscription in self._readers.get(tree_id, ()):
            subscription.was_retried = True

    # What is told --------------------------------------------------------------------------------

    def attempts_started(self, attempts: Sequence[Attempt], trees: Sequence[OpenTree]) -> None:
        """Tell readers of starts."""
        if not self._readers:
            return
        for attempt in attempts:
            for subscription in self._readers.get(attempt.tree_id, ()):
                subscription.add(attempt)

    def attempt_ended(
        self, attempt: Attempt, end: AttemptEnd | RequeuedTask, tree: OpenTree
    ) -> None:
        """Tell readers of an end."""
        readers = self._readers.get(attempt.tree_id)
        if readers:
            recorded = RecordedEnd(attempt, end, self._clock.now_micros())
            for subscription in readers:
                subscription.add(recorded)

    def trees_ended(self, trees: Sequence[EndedTree]) -> None:
        """Tell readers that all is over, and wake who waits for these."""
        for ended in trees:
            tree_id = ended.tree.public_id
            with self._lock:
                waiting = self._ends.pop(tree_id, ())
                readers = self._readers.pop(tree_id, ())
            for subscription in readers:
                subscription.add(ended)
            for future in waiting:
                if future.set_running_or_notify_cancel():
                    future.set_result(ended.status)

    def tell(self, event: Event) -> None:
        """Tell readers of progress, from any thread; the rest they hear from the turns."""
        if isinstance(event, TaskProgress):
            for subscription in self._readers.get(event.tree_id, ()):
                subscription.say(event)

    def close(self, error: BaseException) -> None:
        """Give up everybody who waits still."""
        with self._lock:
            self._closed_by = error
            waiting = [future for futures in self._ends.values() for future in futures]
            readers = [one for some in self._readers.values() for one in some]
            early = [one for some in self._early.values() for one in some]
            early += [one for _, _, some in self._binding.values() for one in some]
            self._ends.clear()
            self._readers.clear()
            self._early.clear()
            self._binding.clear()
        for subscription in (*readers, *early):
            subscription.close(error)
        for future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
