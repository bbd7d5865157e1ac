"""The executors of a session, for the check of a tree: of the plugins, and of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from inboxd.errors import PluginError
from inboxd.plugins.asking import watched
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.importable import offer_own
from inboxd.plugins.protocol import ChecksInputs, ChecksParams, FindsCode
from inboxd.plugins.registered import registered_executors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inboxd.plugins.live_executors import LiveExecutors
    from inboxd.plugins.protocol import Executor
    from inboxd.task import PlaceKind

__all__ = ["SessionCatalog"]

T = TypeVar("T")


class SessionCatalog(ExecutorCatalog):
    """
    Knows what `@executor` made in this process, as it is now, before what plugins give.

    One is offered to the engine when a tree names it. So one that cannot be used is refused only
    to those that need it; and they are told why, rather than given another of that name.
    """

    def __init__(self, executors: LiveExecutors) -> None:
        """
        Look at what there is now.

        Args:
            executors: of the engine; more are added to it.
        """
        super().__init__(executors, checks=executors.checks())
        self._engines = executors
        self._own = registered_executors()
        #: Of those that were asked for: why it is refused, or None.
        self._asked: dict[str, str | None] = {}

    def kind_of(self, executor: str) -> PlaceKind | None:
        """Return which kind of place the executor takes; None when nobody offers it."""
        return super().kind_of(executor) if self.why_refused(executor) is None else None

    def resolve(self, executor: str, task: Mapping[str, Any]) -> PlaceKind | None:
        """Have a plugin make an executor; never in place of one of this process."""
        return super().resolve(executor, task) if self.why_refused(executor) is None else None

    def why_unknown(self, executor: str) -> str | None:
        """Return why an executor is not there; None: nobody offers it."""
        return self.why_refused(executor) or super().why_unknown(executor)

    def names(self) -> Iterable[str]:
        """Return the names of all executors but those that are known to be refused."""
        names = dict.fromkeys([*super().names(), *self._own])
        return [name for name in names if self._asked.get(name) is None]

    def watched(self, function: Callable[[], T]) -> T:
        """Return what a check gives; the own checks of this process's executors count, too."""
        if any(map(_has_checks, self._own.values())):
            return watched(function, seconds=self._ask_seconds)
        return super().watched(function)

    def why_refused(self, executor: str) -> str | None:
        """Return why one of this process, which is there, cannot be used; None: it is another."""
        name = executor
        own = self._own.get(name)
        if own is None:
            return None
        if name not in self._asked:
            reason = None
            if self._engines.by_name.get(name) is not own:
                try:
                    offer_own(self._engines, own)
                except PluginError as error:
                    reason = str(error)
                else:
                    self.replace(name, own)
            self._asked[name] = reason
        return self._asked[name]


def _has_checks(executor: Executor) -> bool:
    return isinstance(executor, ChecksInputs | ChecksParams | FindsCode)
