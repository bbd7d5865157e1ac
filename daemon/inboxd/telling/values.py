"""What the hooks that tell are given, made of what the turns and the store know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.clock import from_micros
from inboxd.names import display_file_name
from inboxd.plugins.told import ToldAttempt, ToldOutcome, ToldTask, ToldTree
from inboxd.store.outcomes import RequeuedTask
from inboxd.store.result_document import write_result_document
from inboxd.store.tables import TaskState

if TYPE_CHECKING:
    from datetime import datetime
    from typing import BinaryIO, Literal

    from inboxd.running.attempt import Attempt
    from inboxd.store.outcomes import AttemptEnd
    from inboxd.store.reader import StoreReader
    from inboxd.store.trees import OpenTree
    from inboxd.store.views import TreeView

__all__ = ["told_attempt", "told_outcome", "told_task", "told_tree"]


def told_tree(reader: StoreReader, view: TreeView) -> ToldTree:
    """Return a tree as it is now."""
    owner, other = reader.owner_and_other(view.number)
    kept = {} if other is None else msgspec.json.decode(other, type=dict[str, Any])
    counts = view.counts

    def write_result(file: BinaryIO) -> None:
        write_result_document(reader, view, file.write)

    return ToldTree(
        tree_id=view.id,
        name=view.name,
        file=_file(view.file_name),
        user_id=view.user_id,
        owner=owner,
        metadata=kept.get("metadata", {}),
        status=view.status.value,
        task_count=counts.total,
        counts={
            name: count
            for name in ("pending", "in_progress", "completed", "failed", "cancelled", "skipped")
            if (count := getattr(counts, name))
        },
        accepted_at=from_micros(view.accepted_at),
        started_at=_time(view.started_at),
        ended_at=_time(view.ended_at),
        write_result=write_result,
    )


def told_task(attempt: Attempt, tree: OpenTree) -> ToldTask:
    """Return the task of an attempt."""
    return ToldTask(
        tree_id=attempt.tree_id,
        tree_name=tree.name,
        file=_file(tree.file_name),
        id=attempt.task_id,
        position=attempt.position,
        executor=attempt.executor,
    )


def told_attempt(attempt: Attempt) -> ToldAttempt:
    """Return an attempt."""
    return ToldAttempt(
        number=attempt.number,
        start_seq=attempt.start_seq,
        started_at=from_micros(attempt.started_at),
    )


def told_outcome(end: AttemptEnd | RequeuedTask, *, recorded_at: int) -> ToldOutcome:
    """
    Return how an attempt ended.

    Args:
        end: what became of its task.
        recorded_at: microseconds since 1970, UTC.
    """
    status: Literal["completed", "failed", "interrupted", "cancelled"] = "failed"
    retry_at: int | None = None
    ended_at = recorded_at
    if isinstance(end, RequeuedTask):
        retry_at = max(end.due_at, recorded_at) if end.error is None else end.due_at
        if end.error is None:
            status = "interrupted"
    else:
        ended_at = end.ended_at
        if end.state is TaskState.COMPLETED:
            status = "completed"
        elif end.state is TaskState.CANCELLED:
            status = "cancelled"
    result = end.result
    return ToldOutcome(
        status=status,
        ended_at=from_micros(ended_at),
        error=None if end.error is None else msgspec.json.decode(end.error),
        retry_at=_time(retry_at),
        result=lambda: None if result is None else msgspec.json.decode(result),
    )


def _file(name: bytes | None) -> str | None:
    return None if name is None else display_file_name(name)


def _time(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)
