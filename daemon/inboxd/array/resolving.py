"""What a catalog may have besides: it makes executors, and knows why one cannot be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.task import PlaceKind

__all__ = ["ExplainsUnknown", "MakesExecutors", "RefusesExecutors"]


@runtime_checkable
class MakesExecutors(Protocol):
    """What a `Catalog` has besides, when its executors are not all known from the start."""

    def resolve(self, executor: str, task: Mapping[str, Any]) -> PlaceKind | None:
        """
        Return which kind of place an executor takes that may have to be made; None: there is none.

        Args:
            executor: the name, which `kind_of` does not know.
            task: one that names it: its `id`, `params` and `inputs` as they are written.
        """
        ...


@runtime_checkable
class ExplainsUnknown(Protocol):
    """What a `Catalog` has besides, when an executor may be installed and yet not be there."""

    def why_unknown(self, executor: str) -> str | None:
        """Return one sentence for people; None: nobody offers it."""
        ...


@runtime_checkable
class RefusesExecutors(Protocol):
    """What a `Catalog` has besides, when an executor may be there and yet be of no use."""

    def why_refused(self, executor: str) -> str | None:
        """Return one sentence for people, which names the executor; None: it is not so."""
        ...
