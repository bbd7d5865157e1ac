"""
`inboxd_tree_ended`, at least once: what the store says is owed, told and then cleared.

It is called after the tree's result file is on disk. A crash before a debt is cleared has the
plugin called again at the next start; one that does not return keeps its debts until then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from inboxd.failpoints import failpoint
from inboxd.inbox.writer import result_of
from inboxd.store.owed_hooks import clear_hooks, newest_owed_hook, next_owed_hooks
from inboxd.telling.hook_calls import HookCall
from inboxd.telling.values import told_tree

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterator

    from inboxd.inbox.writer import Writer
    from inboxd.plugins.hooks import Hooks, Implementation
    from inboxd.store.owed_hooks import OwedHook
    from inboxd.store.reader import StoreReader

__all__ = ["TREE_ENDED", "EndedTrees"]

TREE_ENDED = "inboxd_tree_ended"

#: Debts that are read at a time.
_PAGE = 256
#: What was told for so long is cleared before the next call: a crash repeats no more than that.
_CLEAR_SECONDS = 0.5


class EndedTrees:
    """The calls that are owed for trees that ended; for the hooks' thread."""

    def __init__(
        self, hooks: Hooks, *, reader: StoreReader, writer: Writer, stopping: threading.Event
    ) -> None:
        """
        Args:
            hooks: of the plugins that are loaded.
            reader: the store.
            writer: the scheduler's thread.
            stopping: set when writes that do not come to an end are not waited for.
        """
        self._hooks = hooks
        self._reader = reader
        self._writer = writer
        self._stopping = stopping

    def newest(self) -> int:
        """
        Return the number of the last debt that can be paid now; 0: there is none.

        All else about its tree was told, or waits to be, before this: a debt can be paid when the
        scheduler's thread has written so, in a turn after the one that ended the tree.

        Raises:
            Exception: the store cannot be read.
        """
        plugins = [one.plugin for one in self._hooks.implementations(TREE_ENDED)]
        with self._reader.transaction() as connection:
            return max((newest_owed_hook(connection, one) for one in plugins), default=0)

    def calls(self, up_to: int) -> Iterator[HookCall]:
        """
        Yield what is owed to each plugin, in the order in which the trees ended.

        Args:
            up_to: the number of the last debt to be paid; of trees that ended later, something
                else may still wait to be told first.

        Raises:
            Exception: the store cannot be read or written.
        """
        for implementation in self._hooks.implementations(TREE_ENDED):
            after = 0
            while debts := self._page(implementation.plugin, after, up_to):
                is_there = yield from self._tell(implementation, debts)
                if not is_there:
                    break
                after = debts[-1].id

    def _page(self, plugin: str, after: int, up_to: int) -> list[OwedHook]:
        with self._reader.transaction() as connection:
            debts = next_owed_hooks(connection, plugin, after=after, limit=_PAGE)
        return [debt for debt in debts if debt.id <= up_to]

    def _tell(
        self, implementation: Implementation, debts: list[OwedHook]
    ) -> Generator[HookCall, None, bool]:
        """Yield a call for each debt, clear what is paid, return whether the plugin answers."""
        views = self._reader.trees_by_number([debt.tree for debt in debts])
        paid: list[int] = []
        cleared_at = time.monotonic()
        for debt in debts:
            view = views.get(debt.tree)
            if view is None or view.ended_at is None:
                continue  # it was made to run again meanwhile, and is owed anew when it ends
            call = HookCall(implementation, {"tree": told_tree(self._reader, view)})
            failpoint("before_hook")
            yield call
            failpoint("after_hook")
            if not call.is_over:
                self._clear(paid)
                return False
            paid.append(debt.id)
            if time.monotonic() - cleared_at > _CLEAR_SECONDS:
                self._clear(paid)
                cleared_at = time.monotonic()
        self._clear(paid)
        return True

    def _clear(self, paid: list[int]) -> None:
        if not paid:
            return
        failpoint("before_hook_paid")
        numbers = list(paid)
        paid.clear()
        result_of(
            self._writer.write(lambda connection: clear_hooks(connection, numbers)), self._stopping
        )
