"""What plugins find wrong with a tree that fits our own rules (`inboxd_validate_tree`)."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.array.problem import Problem, ProblemCode, pointer
from inboxd.names import escaped
from inboxd.plugins.candidate import CandidateTask, CandidateTree
from inboxd.plugins.limited import Overrun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.array.check import CheckedArray, RejectedArray
    from inboxd.plugins.hooks import Hooks
    from inboxd.task import TaskSpec

__all__ = ["checked_by_plugins"]

_HOOK = "inboxd_validate_tree"

#: A plugin's own text is cut after so many characters.
_LONGEST_TEXT = 1_000


def checked_by_plugins(
    checked: CheckedArray, hooks: Hooks, *, file: str | None, owner: int | None
) -> CheckedArray | RejectedArray:
    """
    Return the array, or what plugins find wrong with it; it costs nothing when none wants to look.

    Args:
        checked: fits our own rules.
        hooks: of the plugins that are loaded.
        file: the name of its file, fit to be shown.
        owner: the uid of the file's owner, if known.
    """
    if not hooks.has(_HOOK):
        return checked
    is_over = threading.Event()
    try:
        found = hooks.validate_tree(_candidate(checked, file, owner, is_over))
    finally:
        is_over.set()
    return checked.placed(map(_clean, found)) if found else checked


def _candidate(
    checked: CheckedArray, file: str | None, owner: int | None, is_over: threading.Event
) -> CandidateTree:
    other = _object(checked.other)
    ids = checked.ids
    path = checked.tasks_path

    def tasks() -> Iterator[CandidateTask]:
        for spec in checked.specs():
            if is_over.is_set():
                # A plugin that was given up goes no further than this.
                raise Overrun("the tree is not looked at any more")
            yield _task(spec, pointer((*path, spec.position)), ids)

    return CandidateTree(
        name=checked.name,
        file=file,
        user_id=checked.user_id,
        owner=owner,
        metadata=other.get("metadata", {}),
        strict_priority=checked.strict_priority,
        task_count=checked.task_count,
        tasks=tasks,
    )


def _task(spec: TaskSpec, where: str, ids: Any) -> CandidateTask:
    other = _object(spec.other)
    return CandidateTask(
        id=spec.id,
        name=spec.name,
        pointer=where,
        executor=spec.executor,
        priority=spec.priority,
        dependencies=tuple(dict.fromkeys(ids[edge.dependency] for edge in spec.edges)),
        parent_id=None if spec.parent is None else ids[spec.parent],
        user_id=other.get("user_id"),
        inputs=_object(spec.inputs),
        params=_object(spec.params),
        metadata=other.get("metadata", {}),
        timeout_seconds=spec.timeout_seconds,
        retry_limit=0 if spec.retry is None else spec.retry.limit,
    )


def _object(document: bytes | None) -> dict[str, Any]:
    return {} if document is None else msgspec.json.decode(document, type=dict[str, Any])


def _clean(found: tuple[str, Problem]) -> Problem:
    """Return a plugin's problem with texts that are safe to show; no part need be what it says."""
    plugin, problem = found
    code: Any = problem.code
    known = {one.value: one for one in ProblemCode}
    hint = None if problem.hint is None else _text(problem.hint)
    return replace(
        problem,
        code=known.get(str(code), ProblemCode.INVALID_VALUE),
        pointer=str(problem.pointer)[:_LONGEST_TEXT],
        line=None,
        column=None,
        message=_text(problem.message) or f"plugin {escaped(plugin)} says no word on what is wrong",
        hint=hint or f"this is a rule of plugin {escaped(plugin)}",
    )


def _text(text: object) -> str:
    return escaped(str(text)[:_LONGEST_TEXT])
