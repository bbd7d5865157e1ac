"""A task of a long chain costs the same however long the chain is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event

from inboxd import TaskCreator, TaskManager, create_session

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Steps of SQLite's virtual machine between two calls of the handler.
_STEPS = 100


class Counter:
    """Counts what SQLite does, which no other load on the machine changes, as it would times."""

    def __init__(self) -> None:
        self.steps = 0

    def connected(self, connection: Any, _: object) -> None:
        """Have a new connection counted."""
        connection.set_progress_handler(self._count, _STEPS)

    def _count(self) -> int:
        self.steps += _STEPS
        return 0


@pytest.fixture
def counter() -> Iterator[Counter]:
    """Count the steps of all connections that are opened in the test."""
    counter = Counter()
    event.listen(Engine, "connect", counter.connected)
    yield counter
    event.remove(Engine, "connect", counter.connected)


def steps_a_task(counter: Counter, length: int) -> float:
    """Run a chain of `noop`s, and return the steps for each, from its array to its end."""
    array: list[dict[str, Any]] = [{"id": "t0", "executor": "noop"}]
    array += [
        {"id": f"t{n}", "executor": "noop", "parent_id": "t0", "dependencies": [f"t{n - 1}"]}
        for n in range(1, length)
    ]
    with create_session() as session:
        root = asyncio.run(TaskCreator(session).create_task_tree_from_array(array))
        before = counter.steps
        asyncio.run(TaskManager(session).distribute_task_tree(root))
        assert root.calculate_status() == "completed"
        return (counter.steps - before) / length


# Either side of `SMALL_TREE`: a large tree is stored and claimed in another way.
@pytest.mark.parametrize(("short", "long"), [(300, 1_500), (2_100, 4_200)])
def test_a_chain_costs_the_same_for_each_task(counter: Counter, short: int, long: int) -> None:
    few, many = steps_a_task(counter, short), steps_a_task(counter, long)

    assert few > 100
    assert many < 1.1 * few
