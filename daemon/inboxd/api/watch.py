"""What a session hears of the turns' commits: who waits for the end of a tree is woken."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from inboxd.scheduling.turn import TurnListener

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.scheduling.turn import EndedTree

__all__ = ["Watch"]


class Watch(TurnListener):
    """Listens to the turns of one session; told on the scheduler's thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: By the public ids of trees.
        self._ends: dict[str, list[Future[str]]] = {}

    def end_of(self, tree_id: str) -> Future[str]:
        """Return what resolves to the status of a tree when it ends, from now on."""
        future: Future[str] = Future()
        with self._lock:
            self._ends.setdefault(tree_id, []).append(future)
        return future

    def trees_ended(self, trees: Sequence[EndedTree]) -> None:
        """Wake who waits for these."""
        for ended in trees:
            with self._lock:
                waiting = self._ends.pop(ended.tree.public_id, ())
            for future in waiting:
                if future.set_running_or_notify_cancel():
                    future.set_result(ended.status)

    def close(self, error: BaseException) -> None:
        """Give up everybody who waits still."""
        with self._lock:
            waiting = [future for futures in self._ends.values() for future in futures]
            self._ends.clear()
        for future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
