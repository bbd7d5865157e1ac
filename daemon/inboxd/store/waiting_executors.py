"""The tasks that wait for an executor that nobody offers, by the executor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.store.statements import fetch, fetch_one

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["task_waiting_for", "waiting_executors"]

#: So many names are returned; no plugin makes more executors than that.
_MOST_NAMES = 1_000


def waiting_executors(connection: Connection) -> list[str]:
    """Return the names of executors that tasks wait for; some of them, if there are very many."""
    names: list[str] = []
    # One look-up a name: DISTINCT would pass over all the tasks that wait.
    while len(names) < _MOST_NAMES and (
        row := fetch_one(
            connection,
            "SELECT executor FROM tasks INDEXED BY tasks_without_executor"
            " WHERE state = 4 AND executor > ? ORDER BY executor LIMIT 1",
            (names[-1] if names else "",),
        )
    ):
        names.append(row[0])
    return names


def task_waiting_for(connection: Connection, executor: str) -> dict[str, Any] | None:
    """Return `id`, `params` and `inputs` of one task that waits for this executor, or None."""
    rows = fetch(
        connection,
        "SELECT tasks.local_id, details.params, details.inputs"
        " FROM tasks INDEXED BY tasks_without_executor"
        " LEFT JOIN task_details AS details ON details.task = tasks.id"
        " WHERE state = 4 AND executor = ? LIMIT 1",
        (executor,),
    )
    for local_id, params, inputs in rows:
        return {"id": local_id, "params": _decoded(params), "inputs": _decoded(inputs)}
    return None


def _decoded(document: str | None) -> dict[str, Any]:
    return {} if document is None else msgspec.json.decode(document, type=dict[str, Any])
