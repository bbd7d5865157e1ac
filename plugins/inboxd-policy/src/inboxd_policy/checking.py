"""Pure: what rules find wrong with a tree."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from inboxd import Problem, ProblemCode
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd import CandidateTask, CandidateTree
    from inboxd_policy.rules import Rules

__all__ = ["problems_of"]

_WHO = "an operator decides in [plugins.policy]"


def problems_of(tree: CandidateTree, rules: Rules) -> Iterator[Problem]:
    """Yield what is wrong, the file's own problems first, then those of its tasks in order."""
    if rules.max_tasks is not None and tree.task_count > rules.max_tasks:
        yield Problem(
            code=ProblemCode.TOO_MANY_TASKS,
            message=f"the file has {tree.task_count:,} tasks, and {rules.max_tasks:,} are allowed",
            hint=f"split it, or ask: {_WHO}",
        )
        return  # who drops so many by mistake learns nothing from a hundred more
    for key in rules.require_metadata:
        if tree.metadata.get(key) in (None, ""):
            yield Problem(
                code=ProblemCode.MISSING_FIELD,
                pointer="/metadata",
                message=f'the file must say "{escaped(key)}" in its metadata',
                hint=f'write {{"metadata": {{"{escaped(key)}": "…"}}, "tasks": […]}}',
            )
    for task in tree.tasks():
        yield from _task_problems(task, rules)


def _task_problems(task: CandidateTask, rules: Rules) -> Iterator[Problem]:
    if not any(fnmatchcase(task.executor, pattern) for pattern in rules.executors):
        yield Problem(
            pointer=f"{task.pointer}/executor",
            message=f'executor "{escaped(task.executor)}" is not allowed here',
            hint=f"allowed are: {', '.join(map(escaped, rules.executors)) or 'none'}; {_WHO}",
        )
    if task.priority < rules.least_priority:
        yield Problem(
            code=ProblemCode.OUT_OF_RANGE,
            pointer=f"{task.pointer}/priority",
            message=f"priority {task.priority} is more urgent than is allowed here",
            hint=f"say {rules.least_priority} or more; {_WHO}",
        )
    if rules.max_timeout is None:
        return
    if task.timeout_seconds is None:
        yield Problem(
            code=ProblemCode.MISSING_FIELD,
            pointer=task.pointer,
            message="the task has no timeout, and needs one here",
            hint=f'say "timeout", {rules.max_timeout:g} seconds at most; {_WHO}',
        )
    elif task.timeout_seconds > rules.max_timeout:
        yield Problem(
            code=ProblemCode.OUT_OF_RANGE,
            pointer=f"{task.pointer}/timeout",
            message=f"a timeout of {task.timeout_seconds:g} seconds is longer than is allowed here",
            hint=f"say {rules.max_timeout:g} seconds or less; {_WHO}",
        )
