"""`context.dependencies`: the results of the tasks before, read when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.store.task_results import dependencies_of, ended_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.store.reader import StoreReader
    from inboxd.store.task_results import Dependency

__all__ = ["DependencyResults", "dependencies_json", "dependency_names"]


class DependencyResults(Mapping[str, Any]):
    """
    The results of the direct dependencies of one task, by their ids, in the order of the file.

    None stands for one that did not complete. A name that only one of them has will do as well.
    What the dependencies are is read once, and each result when it is first asked for: one short
    look into the store. For one thread at a time.
    """

    __slots__ = ("_by_name", "_numbers", "_reader", "_task", "_values")

    def __init__(self, reader: StoreReader | None, task: int) -> None:
        """
        Args:
            reader: of the store; None: there is none, and so are no dependencies.
            task: the internal number of the one that depends on them.
        """
        self._reader = reader
        self._task = task
        self._numbers: dict[str, int] | None = None
        self._by_name: dict[str, int] = {}
        self._values: dict[int, Any] = {}

    def __getitem__(self, key: str) -> Any:
        numbers = self._known()
        number = numbers.get(key)
        if number is None:
            number = self._by_name[key]
        if number not in self._values:
            assert self._reader is not None  # noqa: S101 - without one there are no numbers
            result = ended_task(self._reader, number).result
            self._values[number] = None if result is None else msgspec.json.decode(result)
        return self._values[number]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    def __repr__(self) -> str:
        return f"<dependencies: {', '.join(self._known())}>"

    def _known(self) -> dict[str, int]:
        if self._numbers is None:
            found = [] if self._reader is None else dependencies_of(self._reader, self._task)
            self._by_name = _unique_names(found)
            self._numbers = {one.id: one.number for one in found}
        return self._numbers


def dependencies_json(reader: StoreReader | None, task: int) -> bytes:
    """Return all that `DependencyResults` of a task holds as one JSON object, ids as its keys."""
    if reader is None:
        return b"{}"
    found: dict[str, msgspec.Raw] = {}
    for one in dependencies_of(reader, task):
        result = ended_task(reader, one.number).result
        found[one.id] = msgspec.Raw(b"null" if result is None else result)
    return msgspec.json.encode(found)


def dependency_names(reader: StoreReader | None, task: int) -> dict[str, str]:
    """Return the names that only one dependency of a task has, and its id."""
    found = [] if reader is None else dependencies_of(reader, task)
    ids = {one.number: one.id for one in found}
    return {name: ids[number] for name, number in _unique_names(found).items()}


def _unique_names(dependencies: list[Dependency]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    several: set[str] = set()
    for one in dependencies:
        if one.name is None:
            continue
        if one.name in numbers:
            several.add(one.name)
        numbers[one.name] = one.number
    return {name: number for name, number in numbers.items() if name not in several}
