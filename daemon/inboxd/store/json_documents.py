"""
Trees, tasks and attempts as JSON, as the command line and the control socket give them.

`docs/reference/json-output.md` says what may be relied on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.clock import rfc3339_micros
from inboxd.store.result_document import tree_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inboxd.store.views import AttemptView, EdgeView, TaskDetails, TaskView, TreeView

__all__ = ["attempt_fields", "edge_fields", "encoded", "task_document", "task_line", "tree_fields"]

encoded = msgspec.json.encode


def tree_fields(tree: TreeView) -> dict[str, Any]:
    """Return a tree as `list` shows it."""
    header = tree_header(tree)
    del header["format"]
    return {
        "tree_id": header.pop("tree_id"),
        **header,
        "user_id": tree.user_id,
        "received_at": rfc3339_micros(tree.received_at),
        "accepted_at": rfc3339_micros(tree.accepted_at),
    }


def task_line(task: TaskView, *, parent_id: str | None, reason: str | None) -> bytes:
    """Return one task of the document of `tree`."""
    return encoded(
        {
            "id": task.id,
            "name": task.name,
            "parent_id": parent_id,
            "status": task.status,
            "reason": reason,
            "executor": task.executor,
            "priority": task.priority,
            "attempts": task.attempts,
            "started_at": rfc3339_micros(task.started_at),
            "ended_at": rfc3339_micros(task.ended_at),
        }
    )


def task_document(
    tree: TreeView,
    task: TaskView,
    *,
    parent_id: str | None,
    reason: str | None,
    details: TaskDetails,
    attempts: Sequence[AttemptView],
    dependencies: Sequence[EdgeView],
    dependants: Sequence[EdgeView],
) -> bytes:
    """Return everything that is known of one task; what was stored as JSON is copied as it is."""
    other: Mapping[str, msgspec.Raw] = (
        {} if details.other is None
        else msgspec.json.decode(details.other, type=dict[str, msgspec.Raw])
    )  # fmt: skip
    document: dict[str, Any] = {
        "format": 1,
        "tree_id": tree.id,
        "id": task.id,
        "name": task.name,
        "description": None,
        "user_id": None,
        "metadata": None,
        "schemas": None,
        "not_before": None,
        **other,
        "parent_id": parent_id,
        "status": task.status,
        "reason": reason,
        "priority": task.priority,
        "dependencies": [edge_fields(edge) for edge in dependencies],
        "dependants": [edge_fields(edge) for edge in dependants],
        "join": "any" if task.join_any else "all",
        "allow_failure": task.allow_failure,
        "executor": task.executor,
        "inputs": _raw(details.inputs, b"{}"),
        "params": _raw(details.params, b"{}"),
        "retry": None
        if task.retry is None
        else {
            "limit": task.retry.limit,
            "delay": task.retry.delay_seconds,
            "backoff": task.retry.backoff,
            "max_delay": task.retry.max_delay_seconds,
            "jitter": task.retry.jitter,
        },
        "timeout": task.timeout_seconds,
        "hold": task.hold,
        "released": task.is_released,
        "delivery": "at_most_once" if task.at_most_once else "at_least_once",
        "due_at": rfc3339_micros(task.due_at or None),
        "result": _raw(details.result, b"null"),
        "error": task.error,
        "failures": task.failures,
        "interruptions": task.interruptions,
        "start_seq": task.start_seq,
        "started_at": rfc3339_micros(task.started_at),
        "ended_at": rfc3339_micros(task.ended_at),
        "attempts": [attempt_fields(attempt) for attempt in attempts],
    }
    return encoded(document)


def edge_fields(edge: EdgeView) -> dict[str, Any]:
    """Return an edge of a task."""
    return {"id": edge.id, "on": edge.on, "status": edge.status}


def attempt_fields(attempt: AttemptView) -> dict[str, Any]:
    """Return one attempt of a task."""
    return {
        "number": attempt.number,
        "start_seq": attempt.start_seq,
        "started_at": rfc3339_micros(attempt.started_at),
        "ended_at": rfc3339_micros(attempt.ended_at),
        "outcome": attempt.outcome,
        "error": attempt.error,
    }


def _raw(document: bytes | None, empty: bytes) -> msgspec.Raw:
    return msgspec.Raw(empty if document is None else document)
