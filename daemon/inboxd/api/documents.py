"""
The canonical document of a task: what a task array says of it, each thing in one form.

Its `id` always, fields at their defaults left out, dependencies as ids (`{"id", "on"}` where `on`
is not `success`), durations as seconds, times in UTC. Equal tasks have equal documents, whether
they are drafts, specs of an array that was checked, or rows of a store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from inboxd.api.references import references_among
from inboxd.api.task import entry_of
from inboxd.api.walk import walk
from inboxd.array.records import CheckedTask, Edge
from inboxd.array.task_values import retry_policy
from inboxd.array.values import time_micros
from inboxd.clock import rfc3339_micros
from inboxd.durations import duration_seconds
from inboxd.errors import SessionClosed
from inboxd.task import Delivery, EdgeOn, Join, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from inboxd.api.entry import TaskEntry
    from inboxd.api.tree import TaskTreeNode
    from inboxd.store.views import TaskDetails, TaskView
    from inboxd.task import TaskSpec

__all__ = ["array_of", "document_of_draft", "document_of_row", "document_of_spec"]

_STANDARD = RetryPolicy()
_DEFAULT_PRIORITY = 2
_KEPT = ("schemas", "metadata")


def document_of_spec(spec: TaskSpec, ids: Sequence[str]) -> dict[str, Any]:
    """
    Return the document of a task that was checked.

    Args:
        spec: as `CheckedArray.specs` gives it.
        ids: of all tasks of its array, by position.
    """
    return _document(
        spec.id,
        name=spec.name,
        executor=spec.executor,
        priority=spec.priority,
        parent_id=None if spec.parent is None else ids[spec.parent],
        edges=[
            (ids[edge.dependency], edge.on)
            for edge in sorted(spec.edges, key=lambda edge: (edge.dependency, _rank(edge.on)))
        ],
        join_any=spec.join is Join.ANY,
        allow_failure=spec.allow_failure,
        retry=spec.retry,
        timeout=spec.timeout_seconds,
        not_before=spec.not_before_micros,
        hold=spec.hold,
        at_most_once=spec.delivery is Delivery.AT_MOST_ONCE,
        inputs=_object(spec.inputs),
        params=_object(spec.params),
        other=_object(spec.other),
    )


def document_of_row(
    view: TaskView,
    details: TaskDetails,
    *,
    parent_id: str | None,
    edges: Iterable[tuple[str, EdgeOn]],
) -> dict[str, Any]:
    """
    Return the document of a task as the store has it.

    Args:
        view: its row.
        details: what lies beside that.
        parent_id: the id of its parent.
        edges: each (id of the dependency, on), in the order of their positions.
    """
    other = _object(details.other)
    not_before = other.get("not_before")
    return _document(
        view.id,
        name=view.name,
        executor=view.executor,
        priority=view.priority,
        parent_id=parent_id,
        edges=edges,
        join_any=view.join_any,
        allow_failure=view.allow_failure,
        retry=view.retry,
        timeout=view.timeout_seconds,
        not_before=time_micros(not_before) if isinstance(not_before, str) else None,
        hold=view.hold,
        at_most_once=view.at_most_once,
        inputs=_object(details.inputs),
        params=_object(details.params),
        other=other,
    )


def document_of_draft(
    task_id: str,
    document: Mapping[str, Any],
    *,
    parent_id: str | None = None,
    find: Callable[[str], str] = str,
    position: Callable[[str], int] = lambda _: 0,
) -> dict[str, Any]:
    """
    Return the document of a draft.

    Args:
        task_id: its id.
        document: its fields, each fit to stand in a task array; the caller's own stays as it is.
        parent_id: the id of its parent.
        find: gives the id that a reference stands for.
        position: gives the place of a task in the array, by id: the order of edges.
    """
    other = {key: value for key, value in document.items() if key.startswith("x-")}
    fields = {key: value for key, value in document.items() if key not in other}
    task = msgspec.convert(fields, CheckedTask)
    other.update(
        (key, document[key]) for key in (*_KEPT, "description", "user_id") if key in fields
    )
    edges = {_edge(written, find): None for written in task.dependencies or ()}
    name = task_id if task.name is UNSET else task.name
    inputs = {} if task.inputs is UNSET else task.inputs
    params = {} if task.params is UNSET else task.params
    return _copy(
        _document(
            task_id,
            name=name,
            executor=_implied_executor(name, params, other) if task.executor is UNSET
            else task.executor,
            priority=_DEFAULT_PRIORITY if task.priority is UNSET else task.priority,
            parent_id=parent_id,
            edges=sorted(edges, key=lambda edge: (position(edge[0]), _rank(edge[1]))),
            join_any=task.join == "any",
            allow_failure=task.allow_failure is True,
            retry=retry_policy(task.retry),
            timeout=None if task.timeout is UNSET or task.timeout is None
            else duration_seconds(task.timeout),
            not_before=None if task.not_before is UNSET else time_micros(task.not_before),
            hold=task.hold is True,
            at_most_once=task.delivery == "at_most_once",
            inputs=inputs,
            params=params,
            other=other,
        )
    )  # fmt: skip


def array_of(roots: Sequence[TaskTreeNode]) -> list[dict[str, Any]]:
    """Return the documents of all tasks of a tree in its order (see `TaskTreeNode.to_array`)."""
    above: dict[TaskEntry, str | None] = {}
    for step in walk(roots):
        above[entry_of(step.node.task)] = None if step.parent is None else step.parent.task.id
    entries = sorted(above, key=_place_in_tree)
    places = {entry.id: place for place, entry in enumerate(entries)}
    find = references_among(entries)
    edges: dict[TaskEntry, list[tuple[str, EdgeOn]]] = {}
    for session in {entry.session for entry in entries if _is_read(entry)}:
        edges |= session.read_edges([entry for entry in entries if entry.session is session])
    documents: list[dict[str, Any]] = []
    for entry in entries:
        parent = above[entry] or _own_parent(entry, find)
        if entry in edges:
            documents.append(_stored(entry, parent, edges[entry]))
            continue
        if entry.place is not None and not entry.document:
            raise SessionClosed(f"task {entry.called()}: the session was closed before it was read")
        documents.append(
            document_of_draft(
                entry.id,
                {key: value for key, value in entry.document.items() if key != "parent_id"},
                parent_id=parent,
                find=lambda reference: find(reference) or reference,
                position=lambda task_id: places.get(task_id, len(places)),
            )
        )
    return documents


def _is_read(entry: TaskEntry) -> bool:
    return entry.place is not None and not entry.session.is_closed


def _stored(
    entry: TaskEntry, parent_id: str | None, edges: Iterable[tuple[str, EdgeOn]]
) -> dict[str, Any]:
    view, details = entry.view(), entry.details()
    assert view is not None  # noqa: S101 - it was read just now
    assert details is not None  # noqa: S101 - as above
    return document_of_row(view, details, parent_id=parent_id, edges=edges)


def _own_parent(entry: TaskEntry, find: Callable[[str], str | None]) -> str | None:
    """Return the id of the parent that a task itself names, where its node is below no other."""
    document = entry.document
    parent = document.get("parent_id") if document else entry.session.parent_of(entry)
    return find(parent) if isinstance(parent, str) else None


def _place_in_tree(entry: TaskEntry) -> int:
    return entry.order if entry.place is None else entry.place.task


def _document(
    task_id: str,
    *,
    name: str,
    executor: str,
    priority: int,
    parent_id: str | None,
    edges: Iterable[tuple[str, EdgeOn]],
    join_any: bool,
    allow_failure: bool,
    retry: RetryPolicy | None,
    timeout: float | None,
    not_before: int | None,
    hold: bool,
    at_most_once: bool,
    inputs: dict[str, Any],
    params: dict[str, Any],
    other: dict[str, Any],
) -> dict[str, Any]:
    document: dict[str, Any] = {"id": task_id}
    if name != task_id:
        document["name"] = name
    for key in ("description", "user_id"):
        if other.get(key) is not None:
            document[key] = other[key]
    if parent_id is not None:
        document["parent_id"] = parent_id
    if executor != _implied_executor(name, params, other):
        document["executor"] = executor
    if priority != _DEFAULT_PRIORITY:
        document["priority"] = priority
    dependencies = [
        before if on is EdgeOn.SUCCESS else {"id": before, "on": on.value} for before, on in edges
    ]
    if dependencies:
        document["dependencies"] = dependencies
    if join_any:
        document["join"] = Join.ANY.value
    if allow_failure:
        document["allow_failure"] = True
    if inputs:
        document["inputs"] = inputs
    if params:
        document["params"] = params
    if retry is not None:
        document["retry"] = _retry(retry)
    if timeout is not None:
        document["timeout"] = _seconds(timeout)
    if not_before is not None:
        document["not_before"] = rfc3339_micros(not_before)
    if hold:
        document["hold"] = True
    if at_most_once:
        document["delivery"] = Delivery.AT_MOST_ONCE.value
    for key, value in other.items():
        if key.startswith("x-") or (key in _KEPT and value):
            document[key] = value
    return document


def _implied_executor(name: str, params: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return who executes a task that has no `executor`."""
    schemas: dict[str, Any] = other.get("schemas") or {}
    named: str | None = params.get("executor_id") or schemas.get("method")
    return named or name


def _edge(written: str | Edge, find: Callable[[str], str]) -> tuple[str, EdgeOn]:
    if isinstance(written, str):
        return find(written), EdgeOn.SUCCESS
    reference = written.name if written.id is UNSET else written.id
    if written.on is not UNSET:
        on = EdgeOn(written.on)
    else:
        on = EdgeOn.END if written.required is False else EdgeOn.SUCCESS
    return find("" if reference is UNSET else reference), on


def _retry(policy: RetryPolicy) -> int | dict[str, Any]:
    """Return a number where the rest is as usual, else an object without what is as usual."""
    fields: dict[str, Any] = {"limit": policy.limit}
    if policy.delay_seconds != _STANDARD.delay_seconds:
        fields["delay"] = _seconds(policy.delay_seconds)
    if policy.backoff != _STANDARD.backoff:
        fields["backoff"] = _seconds(policy.backoff)
    # As `retry_policy` fills it in.
    if policy.max_delay_seconds != max(policy.delay_seconds, _STANDARD.max_delay_seconds):
        fields["max_delay"] = _seconds(policy.max_delay_seconds)
    if policy.jitter != _STANDARD.jitter:
        fields["jitter"] = policy.jitter
    return policy.limit if len(fields) == 1 else fields


def _seconds(value: float) -> int | float:
    return int(value) if value.is_integer() else value


def _rank(on: EdgeOn) -> int:
    return _RANKS[on]


_RANKS = {on: rank for rank, on in enumerate(EdgeOn)}


def _object(document: bytes | None) -> dict[str, Any]:
    return {} if document is None else msgspec.json.decode(document, type=dict[str, Any])


def _copy(document: dict[str, Any]) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(document), type=dict[str, Any])
