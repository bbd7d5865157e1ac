"""Which executors the tasks of a tree need, before some of them are made to run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.store.statements import fetch, fetch_one
from inboxd.store.tables import TaskState

if TYPE_CHECKING:
    from inboxd.store.reader import StoreReader

__all__ = ["executors_needed"]

#: Numbers of one transaction: some tens of milliseconds.
_PASS = 100_000


def executors_needed(reader: StoreReader, first: int, end: int) -> dict[str, dict[str, Any]]:
    """
    Return the executors of those of the tasks *first* <= number < *end* that have not completed.

    Returns:
        By the executor's name: `id`, `params` and `inputs` of the first task that needs it.
    """
    tasks: dict[str, int] = {}
    for start in range(first, end, _PASS):
        with reader.transaction() as connection:
            rows = fetch(
                connection,
                "SELECT executor, min(id) FROM tasks WHERE id >= ? AND id < ? AND state <> ?"
                " GROUP BY executor",
                (start, min(start + _PASS, end), TaskState.COMPLETED.value),
            )
        for executor, number in rows:
            tasks.setdefault(executor, number)
    return {executor: _task(reader, number) for executor, number in tasks.items()}


def _task(reader: StoreReader, number: int) -> dict[str, Any]:
    with reader.transaction() as connection:
        row = fetch_one(
            connection,
            "SELECT tasks.local_id, details.params, details.inputs FROM tasks"
            " LEFT JOIN task_details AS details ON details.task = tasks.id WHERE tasks.id = ?",
            (number,),
        )
    if row is None:
        return {}
    local_id, params, inputs = row
    return {"id": local_id, "params": _decoded(params), "inputs": _decoded(inputs)}


def _decoded(document: str | None) -> dict[str, Any]:
    return {} if document is None else msgspec.json.decode(document, type=dict[str, Any])
