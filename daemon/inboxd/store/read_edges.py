"""The edges of many tasks at once; each page one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from inboxd.store.tables import edges, tasks
from inboxd.task import EdgeOn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inboxd.store.reader import StoreReader

__all__ = ["edges_of_tasks"]

#: Tasks of one transaction: some tens of milliseconds when each has a few dependencies.
_PAGE = 2_000

_EDGE_ONS = tuple(EdgeOn)

_EDGES = (
    select(edges.c.dependant, tasks.c.local_id, edges.c.holds_on)
    .select_from(edges.join(tasks, tasks.c.id == edges.c.dependency))
    .where(edges.c.dependant.in_(bindparam("numbers", expanding=True)))
    .order_by(edges.c.dependant, edges.c.dependency, edges.c.holds_on)
)


def edges_of_tasks(
    reader: StoreReader, numbers: Sequence[int]
) -> Iterator[tuple[int, str, EdgeOn]]:
    """
    Yield (number of the task, id of its dependency, on) of every edge of these tasks.

    Args:
        reader: of their store.
        numbers: internal ones, of tasks of whatever trees.

    Yields:
        The edges of each task in the order of the dependencies in the tree.
    """
    for start in range(0, len(numbers), _PAGE):
        with reader.transaction() as connection:
            rows = connection.execute(_EDGES, {"numbers": list(numbers[start : start + _PAGE])})
            page = rows.all()
        for number, local_id, on in page:
            yield number, local_id, _EDGE_ONS[on]
