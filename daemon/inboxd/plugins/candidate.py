"""A tree at intake, as `inboxd_validate_tree` sees it: checked by our own rules, not yet stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["CandidateTask", "CandidateTree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateTask:
    """A task of a tree that may be accepted; defaults are merged in."""

    id: str
    name: str
    #: RFC 6901 pointer of the task in its file, where a problem's pointer begins: `/tasks/3`.
    pointer: str
    executor: str
    priority: int
    #: Ids of the tasks it depends on, each once.
    dependencies: tuple[str, ...]
    parent_id: str | None
    user_id: str | None
    inputs: Mapping[str, Any]
    params: Mapping[str, Any]
    metadata: Mapping[str, Any]
    timeout_seconds: float | None
    retry_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateTree:
    """A tree that may be accepted."""

    name: str | None
    #: The name of its file, fit to be shown; None when it comes another way.
    file: str | None
    user_id: str | None
    #: The uid of the file's owner; None when it is not known, as in `inboxd validate`.
    owner: int | None
    metadata: Mapping[str, Any]
    strict_priority: bool
    task_count: int
    #: Yields the tasks in the order of the file; may be called again. Up to a million of them:
    #: look at one after the other, and keep none. Only while the hook runs.
    tasks: Callable[[], Iterator[CandidateTask]] = field(repr=False, compare=False)
