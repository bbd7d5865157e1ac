"""A small builder of stores: rows as the daemon leaves them, without a daemon."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, insert

from inboxd.ids import new_id
from inboxd.store.engine import open_writer
from inboxd.store.tables import (
    APPLICATION_ID,
    TaskState,
    attempts,
    edges,
    metadata,
    task_details,
    tasks,
    trees,
)
from inboxd.task import EdgeOn, PlaceKind

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NOON", "StoreBuilder", "TaskRow"]

#: 2026-11-24T12:00:00Z.
NOON = 1_795_521_600_000_000

_OPEN = {state for state in TaskState if state < TaskState.COMPLETED}


@dataclass(kw_only=True)
class TaskRow:
    """One task to insert; `parent` and the edges name positions in the same tree."""

    id: str
    name: str | None = None
    state: TaskState = TaskState.COMPLETED
    parent: int | None = None
    edges: list[tuple[int, EdgeOn]] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)
    flags: int = 0
    columns: dict[str, Any] = field(default_factory=dict)


class StoreBuilder:
    """A store under a directory; `url` opens it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "inboxd.db"
        self.url = f"sqlite:///{self.path}"
        self._engine: Engine = open_writer(self.url)
        self._next_task = 1
        self._next_tree = 1
        with self._engine.begin() as connection:
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")

    def close(self) -> None:
        """Close the writer."""
        self._engine.dispose()

    def add_tree(self, rows: list[TaskRow], *, accepted: bool = True, **columns: Any) -> str:
        """Insert a tree with its tasks and return its public id; *columns* override its row."""
        number, first = self._next_tree, self._next_task
        self._next_tree += 1
        self._next_task += len(rows)
        states = [row.state for row in rows]
        open_tasks = sum(state in _OPEN for state in states)
        tree: dict[str, Any] = {
            "id": number,
            "public_id": new_id(),
            "first_task": first,
            "task_count": len(rows),
            "received_at": NOON,
            "accepted_at": NOON + 1_000 if accepted else None,
            "acceptance": number if accepted else None,
            "status": "in_progress" if open_tasks else "completed",
            "open": open_tasks,
            "completed": states.count(TaskState.COMPLETED),
            "failed": states.count(TaskState.FAILED),
            "cancelled": states.count(TaskState.CANCELLED),
            "skipped": states.count(TaskState.SKIPPED),
            **columns,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(trees), [tree])
            connection.execute(
                insert(tasks),
                [_task(row, number, first, position) for position, row in enumerate(rows)],
            )
            edge_rows = [
                {"dependency": first + dependency, "dependant": first + position,
                 "holds_on": list(EdgeOn).index(on)}
                for position, row in enumerate(rows)
                for dependency, on in row.edges
            ]  # fmt: skip
            if edge_rows:
                connection.execute(insert(edges), edge_rows)
            for position, row in enumerate(rows):
                if row.details:
                    values = {"task": first + position, **row.details}
                    connection.execute(insert(task_details), [values])
        return str(tree["public_id"])

    def execute(self, statement: str) -> None:
        """Run one statement as it is."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def add_attempt(self, **columns: Any) -> None:
        """Insert one row of `attempts`."""
        with self._engine.begin() as connection:
            connection.execute(insert(attempts), [columns])


def _task(row: TaskRow, tree: int, first: int, position: int) -> dict[str, Any]:
    started = row.state >= TaskState.IN_PROGRESS and row.state not in (
        TaskState.SKIPPED,
        TaskState.CANCELLED,
    )
    ended = row.state >= TaskState.COMPLETED
    return {
        "id": first + position,
        "tree": tree,
        "local_id": row.id,
        "name": row.name,
        "parent": None if row.parent is None else first + row.parent,
        "state": row.state,
        "kind": PlaceKind.ASYNC,
        "priority": 2,
        "due_at": NOON,
        "acceptance": tree,
        "flags": row.flags,
        "executor": "noop",
        "unmet": len(row.edges) if row.state is TaskState.BLOCKED else 0,
        "undecided": 0,
        "retry": None,
        "timeout": None,
        "attempt": 1 if started else 0,
        "start_seq": first + position if started else None,
        "started_at": NOON + 10_000 if started else None,
        "ended_at": NOON + 1_510_000 if ended else None,
        "result": None,
        "error": None,
        **row.columns,
    }
