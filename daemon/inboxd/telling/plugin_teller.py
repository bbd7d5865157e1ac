"""Hands what was committed to the hooks' thread; costs nothing for what no plugin wants to hear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.inbox.receipts import receipt_document
from inboxd.scheduling.turn import TurnListener
from inboxd.telling.ended_trees import TREE_ENDED
from inboxd.telling.values import told_attempt, told_outcome, told_task, told_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inboxd.clock import Clock
    from inboxd.plugins.hooks import Hooks
    from inboxd.running.attempt import Attempt
    from inboxd.scheduling.turn import EndedTree
    from inboxd.store.intake import OwedReceipt
    from inboxd.store.outcomes import AttemptEnd, RequeuedTask
    from inboxd.store.reader import StoreReader
    from inboxd.store.trees import OpenTree
    from inboxd.telling.hook_thread import HookThread

__all__ = ["PluginTeller"]


class PluginTeller(TurnListener):
    """Tells plugins; on the scheduler's thread, and on the intake's for files."""

    def __init__(
        self, hooks: Hooks, *, thread: HookThread, reader: StoreReader, clock: Clock
    ) -> None:
        """
        Args:
            hooks: of the plugins that are loaded.
            thread: calls them.
            reader: of the hooks' thread.
            clock: the time.
        """
        self._thread = thread
        self._reader = reader
        self._clock = clock
        self.wants_starts = hooks.has("inboxd_task_starting")
        self.wants_ends = hooks.has("inboxd_task_ended")
        self.owed_plugins = hooks.plugins_with(TREE_ENDED)
        self._wants_accepted = hooks.has("inboxd_tree_accepted")
        self._wants_rejected = hooks.has("inboxd_file_rejected")

    def attempts_started(self, attempts: Sequence[Attempt], trees: Sequence[OpenTree]) -> None:
        """Tell of starts; only called when some plugin wants it."""
        for attempt, tree in zip(attempts, trees, strict=True):
            self._thread.tell_task("inboxd_task_starting", _starting(attempt, tree))

    def attempt_ended(
        self, attempt: Attempt, end: AttemptEnd | RequeuedTask, tree: OpenTree
    ) -> None:
        """Tell of an end; only to be called when `wants_ends`."""
        now = self._clock.now_micros()

        def arguments() -> Mapping[str, Any]:
            return {
                "task": told_task(attempt, tree),
                "attempt": told_attempt(attempt),
                "outcome": told_outcome(end, recorded_at=now),
            }

        size = len(end.result or "")
        self._thread.tell_task("inboxd_task_ended", arguments, size=size)

    def trees_accepted(self, trees: Sequence[OpenTree]) -> None:
        """Tell of trees that were accepted."""
        if self._wants_accepted:
            for tree in trees:
                self._thread.tell("inboxd_tree_accepted", self._tree(tree.id))

    def trees_ended(self, trees: Sequence[EndedTree]) -> None:
        """Have those told that wait for no result file; the others are when theirs is written."""
        if self.owed_plugins and any(one.tree.file_name is None for one in trees):
            self._thread.look()

    def results_written(self) -> None:
        """Have it told that trees ended, whose result files are on disk now."""
        if self.owed_plugins:
            self._thread.look()

    def receipts_written(self, answered: Sequence[OwedReceipt]) -> None:
        """Tell of the files that were rejected among those whose receipts are on disk now."""
        if self._wants_rejected:
            for debt in answered:
                if debt.tree_id is None:
                    self._thread.tell("inboxd_file_rejected", _receipt(debt))

    def _tree(self, number: int) -> Callable[[], Mapping[str, Any]]:
        def arguments() -> Mapping[str, Any]:
            view = self._reader.trees_by_number([number])[number]
            return {"tree": told_tree(self._reader, view)}

        return arguments


def _starting(attempt: Attempt, tree: OpenTree) -> Callable[[], Mapping[str, Any]]:
    return lambda: {"task": told_task(attempt, tree), "attempt": told_attempt(attempt)}


def _receipt(debt: OwedReceipt) -> Callable[[], Mapping[str, Any]]:
    return lambda: {"receipt": msgspec.json.decode(receipt_document(debt))}
