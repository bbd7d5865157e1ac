"""
inboxd: drop a task array in a directory; it runs. Or run it in a program of your own.

A daemon takes files from a directory, and keeps what came of them:

    $ inboxd run
    $ inboxd submit --wait tasks.json
    $ inboxd show @

A program runs tasks in its own process, without a daemon:

    import inboxd

    @inboxd.executor("greet")
    def greet(inputs, context):
        return f"Hello, {inputs['whom']}!"

    trees = inboxd.run_array([{"id": "hello", "executor": "greet", "inputs": {"whom": "world"}}])
    print(trees)
    print(trees.find("hello").task.result)

In a coroutine it is `create_session`, `TaskCreator` and `TaskManager`; `help(inboxd.TaskManager)`
says how. What stands in `__all__` is public. It is loaded when it is asked for, so that
`import inboxd`, which every command does, costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inboxd.api.creator import TaskCreator
    from inboxd.api.event_stream import TreeEvents
    from inboxd.api.events import (
        AttemptEnded,
        TaskEnded,
        TaskProgress,
        TaskStarted,
        TreeEnded,
        TreeEvent,
    )
    from inboxd.api.manager import TaskManager
    from inboxd.api.repository import TaskRepository
    from inboxd.api.run_array import run_array
    from inboxd.api.session import Session, create_session
    from inboxd.api.task import Task
    from inboxd.api.task_attempt import TaskAttempt
    from inboxd.api.task_page import TaskPage
    from inboxd.api.tree import TaskTreeNode, TaskTrees
    from inboxd.array.invalid import InvalidTaskArray
    from inboxd.array.problem import Problem, ProblemCode
    from inboxd.errors import (
        AmbiguousReference,
        AmbiguousTask,
        ConfigurationError,
        Conflict,
        InboxdError,
        InvalidInputs,
        NoRetry,
        NotFound,
        RetryLater,
        SessionClosed,
        StoreError,
        StoreInUse,
    )
    from inboxd.plugins.candidate import CandidateTask, CandidateTree
    from inboxd.plugins.decorator import executor
    from inboxd.plugins.hookspecs import hookimpl
    from inboxd.plugins.protocol import (
        CommandLine,
        Executor,
        HasPositions,
        InputProblem,
        Isolation,
        ParseProblem,
        PluginConfiguration,
        TaskContext,
    )
    from inboxd.plugins.told import ToldAttempt, ToldOutcome, ToldTask, ToldTree
    from inboxd.task import Delivery, Join, RetryPolicy, TaskError, TaskErrorCode, TaskStatus
    from inboxd.version import VERSION as __version__

__all__ = [
    "AmbiguousReference",
    "AmbiguousTask",
    "AttemptEnded",
    "CandidateTask",
    "CandidateTree",
    "CommandLine",
    "ConfigurationError",
    "Conflict",
    "Delivery",
    "Executor",
    "HasPositions",
    "InboxdError",
    "InputProblem",
    "InvalidInputs",
    "InvalidTaskArray",
    "Isolation",
    "Join",
    "NoRetry",
    "NotFound",
    "ParseProblem",
    "PluginConfiguration",
    "Problem",
    "ProblemCode",
    "RetryLater",
    "RetryPolicy",
    "Session",
    "SessionClosed",
    "StoreError",
    "StoreInUse",
    "Task",
    "TaskAttempt",
    "TaskContext",
    "TaskCreator",
    "TaskEnded",
    "TaskError",
    "TaskErrorCode",
    "TaskManager",
    "TaskPage",
    "TaskProgress",
    "TaskRepository",
    "TaskStarted",
    "TaskStatus",
    "TaskTreeNode",
    "TaskTrees",
    "ToldAttempt",
    "ToldOutcome",
    "ToldTask",
    "ToldTree",
    "TreeEnded",
    "TreeEvent",
    "TreeEvents",
    "__version__",
    "create_session",
    "executor",
    "hookimpl",
    "run_array",
]

#: The module of each public name; a test holds it against the imports above.
_MODULES = {
    "AmbiguousReference": "inboxd.errors",
    "AmbiguousTask": "inboxd.errors",
    "AttemptEnded": "inboxd.api.events",
    "CandidateTask": "inboxd.plugins.candidate",
    "CandidateTree": "inboxd.plugins.candidate",
    "CommandLine": "inboxd.plugins.protocol",
    "ConfigurationError": "inboxd.errors",
    "Conflict": "inboxd.errors",
    "Delivery": "inboxd.task",
    "Executor": "inboxd.plugins.protocol",
    "HasPositions": "inboxd.plugins.protocol",
    "InboxdError": "inboxd.errors",
    "InputProblem": "inboxd.plugins.protocol",
    "InvalidInputs": "inboxd.errors",
    "InvalidTaskArray": "inboxd.array.invalid",
    "Isolation": "inboxd.plugins.protocol",
    "Join": "inboxd.task",
    "NoRetry": "inboxd.errors",
    "NotFound": "inboxd.errors",
    "ParseProblem": "inboxd.plugins.protocol",
    "PluginConfiguration": "inboxd.plugins.protocol",
    "Problem": "inboxd.array.problem",
    "ProblemCode": "inboxd.array.problem",
    "RetryLater": "inboxd.errors",
    "RetryPolicy": "inboxd.task",
    "Session": "inboxd.api.session",
    "SessionClosed": "inboxd.errors",
    "StoreError": "inboxd.errors",
    "StoreInUse": "inboxd.errors",
    "Task": "inboxd.api.task",
    "TaskAttempt": "inboxd.api.task_attempt",
    "TaskContext": "inboxd.plugins.protocol",
    "TaskCreator": "inboxd.api.creator",
    "TaskEnded": "inboxd.api.events",
    "TaskError": "inboxd.task",
    "TaskErrorCode": "inboxd.task",
    "TaskManager": "inboxd.api.manager",
    "TaskPage": "inboxd.api.task_page",
    "TaskProgress": "inboxd.api.events",
    "TaskRepository": "inboxd.api.repository",
    "TaskStarted": "inboxd.api.events",
    "TaskStatus": "inboxd.task",
    "TaskTreeNode": "inboxd.api.tree",
    "TaskTrees": "inboxd.api.tree",
    "ToldAttempt": "inboxd.plugins.told",
    "ToldOutcome": "inboxd.plugins.told",
    "ToldTask": "inboxd.plugins.told",
    "ToldTree": "inboxd.plugins.told",
    "TreeEnded": "inboxd.api.events",
    "TreeEvent": "inboxd.api.events",
    "TreeEvents": "inboxd.api.event_stream",
    "create_session": "inboxd.api.session",
    "executor": "inboxd.plugins.decorator",
    "hookimpl": "inboxd.plugins.hookspecs",
    "run_array": "inboxd.api.run_array",
}


def __getattr__(name: str) -> Any:
    """Load a public name (PEP 562); it is asked for once."""
    if name == "__version__":
        value: Any = import_module("inboxd.version").VERSION
    elif name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
