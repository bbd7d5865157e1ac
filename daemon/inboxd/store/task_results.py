"""What an attempt reads of the tasks before it: their results, by reference and by dependency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inboxd.store.statements import fetch, fetch_one
from inboxd.store.tables import STATUS_OF_STATE, TaskState

if TYPE_CHECKING:
    from collections.abc import Container

    from inboxd.store.reader import StoreReader
    from inboxd.task import TaskStatus

__all__ = ["Dependency", "EndedTask", "Reads", "dependencies_of", "ended_task", "reads_of"]

_READS = "SELECT reads, other FROM task_details WHERE task = ?"
_TASK = "SELECT state, start_seq, error FROM tasks WHERE id = ?"
_RESULT = "SELECT result FROM tasks WHERE id = ?"
#: The same task may be a dependency by several edges.
_DEPENDENCIES = (
    "SELECT DISTINCT tasks.id, tasks.local_id, tasks.name"
    " FROM edges INDEXED BY edges_by_dependant JOIN tasks ON tasks.id = edges.dependency"
    " WHERE edges.dependant = ? ORDER BY tasks.id"
)


class Reads(msgspec.Struct, frozen=True, kw_only=True):
    """What the inputs of a task refer to, and what else is needed to check them filled in."""

    #: By reference, as it is written: the position in the file of the task that it names.
    positions: dict[str, int]
    #: JSON object: what is kept of the task and never read but for `schemas`; None: nothing.
    other: bytes | None


class EndedTask(msgspec.Struct, frozen=True, kw_only=True):
    """How a task stands; one that others refer to has ended, unless they need not wait for it."""

    status: TaskStatus
    #: JSON; None for null, for a task that did not complete, and where it is known.
    result: bytes | None
    #: TaskError as JSON; None: there is none.
    error: bytes | None
    #: Of its newest attempt; 0: it never started.
    start_seq: int
    #: It completed, and its result was not read because the caller has it.
    is_result_known: bool = False


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """A task that another one depends on."""

    #: Internal.
    number: int
    id: str
    #: None where it is the id.
    name: str | None


def reads_of(reader: StoreReader, task: int) -> Reads:
    """Return what the task of this internal number refers to."""
    with reader.transaction() as connection:
        row = fetch_one(connection, _READS, (task,))
    if row is None:
        return Reads(positions={}, other=None)
    return Reads(
        positions={} if row[0] is None else msgspec.json.decode(row[0], type=dict[str, int]),
        other=None if row[1] is None else row[1].encode(),
    )


def ended_task(reader: StoreReader, task: int, *, known_results: Container[int] = ()) -> EndedTask:
    """
    Return how a task stands.

    Args:
        reader: of the store.
        task: its internal number; it exists.
        known_results: the `start_seq` of attempts whose results need not be read.
    """
    result: str | None = None
    with reader.transaction() as connection:
        row = fetch_one(connection, _TASK, (task,))
        assert row is not None  # noqa: S101 - tasks of a tree that runs are not deleted
        state, start_seq, error = row
        # A task that failed may have kept a result beside its error: that is for people.
        is_completed = state == TaskState.COMPLETED
        is_known = is_completed and start_seq in known_results
        if is_completed and not is_known:
            found = fetch_one(connection, _RESULT, (task,))
            result = None if found is None else found[0]
    return EndedTask(
        status=STATUS_OF_STATE[state],
        result=None if result is None else result.encode(),
        error=None if error is None else error.encode(),
        start_seq=start_seq or 0,
        is_result_known=is_known,
    )


def dependencies_of(reader: StoreReader, task: int) -> list[Dependency]:
    """Return the direct dependencies of a task, each once, in order of position."""
    with reader.transaction() as connection:
        rows = fetch(connection, _DEPENDENCIES, (task,))
    return [Dependency(number=row[0], id=row[1], name=row[2]) for row in rows]
