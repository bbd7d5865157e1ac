"""
Trees and tasks as the control socket tells of them, as the views that the store's reader gives.

For users who may ask the daemon but not read its files. Internal numbers are positions here, so
that one task is told from another; what no page shows has its default.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.clock import micros
from inboxd.control.client import tree_path
from inboxd.store.tables import TaskState
from inboxd.store.views import AttemptView, Counts, EdgeView, TaskDetails, TaskView, TreeView
from inboxd.task import EdgeOn, RetryPolicy, TaskError, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inboxd.control.client import ControlClient

__all__ = [
    "attempt_views",
    "details_view",
    "edge_views",
    "raw_tasks",
    "task_view",
    "tree_documents",
    "tree_view",
]

#: Trees and tasks of one request.
_PAGE = 1_000

_STATES = {
    TaskStatus.PENDING: TaskState.READY,
    TaskStatus.IN_PROGRESS: TaskState.IN_PROGRESS,
    TaskStatus.COMPLETED: TaskState.COMPLETED,
    TaskStatus.FAILED: TaskState.FAILED,
    TaskStatus.CANCELLED: TaskState.CANCELLED,
    TaskStatus.SKIPPED: TaskState.SKIPPED,
}


def tree_documents(
    client: ControlClient, *, status: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return the newest trees, at most *limit*, as `list --json` has them."""
    found: list[dict[str, Any]] = []
    after: str | None = None
    while len(found) < limit:
        query = {"status": status, "limit": min(_PAGE, limit - len(found)), "after": after}
        page = client.get("/v1/trees", query)
        found += page["trees"]
        after = page["next"]
        if after is None:
            break
    return found


def raw_tasks(client: ControlClient, tree_id: str, limit: int) -> Iterator[dict[str, Any]]:
    """Yield the first *limit* tasks of a tree, as `tree --json` has them."""
    after: str | None = None
    left = limit
    while left > 0:
        query = {"limit": min(_PAGE, left), "after": after}
        page = client.get(tree_path(tree_id, "tasks"), query)
        yield from page["tasks"]
        left -= len(page["tasks"])
        after = page["next"]
        if after is None:
            break


def tree_view(document: Mapping[str, Any]) -> TreeView:
    """Return the view of a tree of `list --json`."""
    file = document["file"]
    return TreeView(
        number=0,
        id=document["tree_id"],
        name=document["name"],
        file_name=None if file is None else file.encode(),
        status=TaskStatus(document["status"]),
        counts=msgspec.convert(document["counts"], Counts),
        tolerated=0,
        strict_priority=False,
        user_id=document["user_id"],
        received_at=_micros(document["received_at"]) or 0,
        accepted_at=_micros(document["accepted_at"]) or 0,
        started_at=_micros(document["started_at"]),
        ended_at=_micros(document["ended_at"]),
        first_task=0,
    )


def task_view(document: Mapping[str, Any], position: int, parent: int | None = None) -> TaskView:
    """Return the view of a task of `tree --json` or of `show TREE/TASK --json`."""
    status = TaskStatus(document["status"])
    attempts = document["attempts"]
    retry = document.get("retry")
    return TaskView(
        number=position,
        tree=0,
        position=position,
        id=document["id"],
        name=document["name"],
        parent=parent,
        status=status,
        state=_STATES[status],
        executor=document["executor"],
        priority=document["priority"],
        due_at=_micros(document.get("due_at")) or 0,
        join_any=document.get("join") == "any",
        allow_failure=document.get("allow_failure", False),
        at_most_once=document.get("delivery") == "at_most_once",
        hold=document.get("hold", False),
        is_released=document.get("released", False),
        strict=False,
        has_dependants=bool(document.get("dependants")),
        unmet=0,
        retry=None if retry is None else RetryPolicy(limit=retry["limit"]),
        timeout_seconds=document.get("timeout"),
        attempts=attempts if isinstance(attempts, int) else len(attempts),
        failures=document.get("failures", 0),
        interruptions=document.get("interruptions", 0),
        start_seq=document.get("start_seq"),
        started_at=_micros(document["started_at"]),
        ended_at=_micros(document["ended_at"]),
        error=_error(document.get("error")),
    )


def details_view(document: Mapping[str, Any]) -> TaskDetails:
    """Return what only one reader of one task asks for."""
    other = {
        key: value
        for key, value in document.items()
        if value is not None
        and (
            key in ("description", "user_id", "metadata", "schemas", "not_before")
            or key.startswith("x-")
        )
    }
    return TaskDetails(
        inputs=_json(document["inputs"] or None),
        params=_json(document["params"] or None),
        other=_json(other or None),
        result=_json(document["result"]),
    )


def attempt_views(document: Mapping[str, Any]) -> list[AttemptView]:
    """Return the attempts of `show TREE/TASK --json`."""
    return [
        AttemptView(
            number=one["number"],
            start_seq=one["start_seq"],
            started_at=_micros(one["started_at"]) or 0,
            ended_at=_micros(one["ended_at"]),
            outcome=one["outcome"],
            error=_error(one["error"]),
        )
        for one in document["attempts"]
    ]


def edge_views(edges: list[dict[str, Any]]) -> list[EdgeView]:
    """Return the edges of `show TREE/TASK --json`."""
    return [
        EdgeView(
            number=0, id=one["id"], status=TaskStatus(one["status"]), on=EdgeOn(one["on"])
        )
        for one in edges
    ]  # fmt: skip


def _micros(text: str | None) -> int | None:
    return None if text is None else micros(datetime.fromisoformat(text))


def _error(document: dict[str, Any] | None) -> TaskError | None:
    return None if document is None else msgspec.convert(document, TaskError)


def _json(value: object) -> bytes | None:
    return None if value is None else msgspec.json.encode(value)
