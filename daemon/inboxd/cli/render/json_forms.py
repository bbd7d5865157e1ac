"""The JSON that the verbs print; `docs/reference/json-output.md` says what may be relied on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.clock import rfc3339_micros
from inboxd.names import escaped
from inboxd.store.result_document import tree_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from inboxd.store.views import AttemptView, EdgeView, TaskDetails, TaskView, TreeView

__all__ = [
    "encoded",
    "for_terminal",
    "task_document",
    "task_line",
    "to_stdout",
    "tree_fields",
    "write_tree_document",
]

encoded = msgspec.json.encode


def to_stdout() -> Callable[[bytes], object]:
    """
    Return what writes pieces of a JSON document to stdout.

    On a terminal the characters that could act on it are written as JSON's own escapes: outside of
    ASCII they stand in strings only, so the document stays the same.
    """
    stdout = sys.stdout
    if not stdout.isatty():
        return stdout.buffer.write
    return lambda piece: stdout.buffer.write(for_terminal(piece))


def for_terminal(piece: bytes) -> bytes:
    if piece.isascii():
        return piece.replace(b"\x7f", b"\\u007f")
    text = "".join(
        character if character == "\n" or escaped(character) == character else _escape(character)
        for character in piece.decode("utf-8", "replace")
    )
    return text.encode()


def _escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))


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


def write_tree_document(
    tree: TreeView,
    lines: Iterable[bytes],
    write: Callable[[bytes], object],
    *,
    other: bytes | None,
) -> None:
    """
    Write the document of `tree`: the header of a result document, what else the envelope says,
    then *lines* as `tasks`. *other* is the envelope's `metadata` and `x-…`, as a JSON object.
    """
    kept = {} if other is None else msgspec.json.decode(other, type=dict[str, msgspec.Raw])
    header = {**tree_header(tree), "user_id": tree.user_id, "metadata": None, **kept}
    write(encoded(header)[:-1] + b',"tasks":[')
    separator = b"\n"
    for line in lines:
        write(separator + line)
        separator = b",\n"
    write(b"\n]}\n")


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
        "dependencies": [_edge(edge) for edge in dependencies],
        "dependants": [_edge(edge) for edge in dependants],
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
        "delivery": "at_most_once" if task.at_most_once else "at_least_once",
        "due_at": rfc3339_micros(task.due_at or None),
        "result": _raw(details.result, b"null"),
        "error": task.error,
        "failures": task.failures,
        "interruptions": task.interruptions,
        "start_seq": task.start_seq,
        "started_at": rfc3339_micros(task.started_at),
        "ended_at": rfc3339_micros(task.ended_at),
        "attempts": [_attempt(attempt) for attempt in attempts],
    }
    return encoded(document)


def _edge(edge: EdgeView) -> dict[str, Any]:
    return {"id": edge.id, "on": edge.on, "status": edge.status}


def _attempt(attempt: AttemptView) -> dict[str, Any]:
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
