"""The executor `noop`: does nothing, which is what joins and milestones of a tree need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inboxd.plugins.hookspecs import hookimpl
from inboxd.plugins.protocol import Isolation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inboxd.plugins.protocol import Executor, TaskContext

__all__ = ["Noop", "inboxd_executors"]


class Noop:
    """Takes any inputs, does nothing, and has the result null."""

    name = "noop"
    description = "Does nothing and succeeds; its inputs may be any object."
    inputs_schema: Mapping[str, Any] | None = None
    isolation: str = Isolation.ASYNC
    #: Spares the daemon reading them for every attempt, but for those that refer to results.
    ignores_inputs = True

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> None:
        """Return at once."""


@hookimpl
def inboxd_executors() -> Iterable[Executor]:
    """Offer `noop`."""
    return [Noop()]
