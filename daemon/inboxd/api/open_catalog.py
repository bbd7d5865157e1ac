"""A catalog for drafts: an executor that nobody offers yet may come before they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inboxd.task import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from inboxd.array.catalog import Catalog, InputPath, InputProblem

__all__ = ["OpenCatalog"]


class OpenCatalog:
    """
    Knows every executor, and of those that are there what they take.

    It asks no plugin to make one: that is for when tasks are accepted.
    """

    def __init__(self, catalog: Catalog) -> None:
        """
        Look through to a catalog.

        Args:
            catalog: of the executors that are there now.
        """
        self._catalog = catalog

    def kind_of(self, executor: str) -> PlaceKind | None:
        """Return the kind of place it takes; of one that is not there yet, any."""
        kind = self._catalog.kind_of(executor)
        return PlaceKind.PROCESS if kind is None else kind

    def names(self) -> Iterable[str]:
        """Return the names of those that are there."""
        return self._catalog.names()

    def wants_input_check(self, executor: str) -> bool:
        """Return False when any object will do."""
        return self._catalog.wants_input_check(executor)

    def wants_params_check(self, executor: str) -> bool:
        """Return False when any params will do."""
        return self._catalog.wants_params_check(executor)

    def params_problems(self, executor: str, params: dict[str, Any]) -> Sequence[InputProblem]:
        """Return what is wrong with a task's params."""
        return self._catalog.params_problems(executor, params)

    def input_problems(
        self, executor: str, inputs: dict[str, Any], *, open_at: Collection[InputPath] = ()
    ) -> Sequence[InputProblem]:
        """Return what is wrong with a task's inputs."""
        return self._catalog.input_problems(executor, inputs, open_at=open_at)

    def code_places(self, executor: str, inputs: dict[str, Any]) -> Sequence[InputPath]:
        """Return which of these inputs are code."""
        return self._catalog.code_places(executor, inputs)
