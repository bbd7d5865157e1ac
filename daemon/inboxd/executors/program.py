"""
The executors that are programs, in any language: one JSON document on stdin, JSON lines on stdout.

The protocol is docs/reference/executor-protocol.md; what it was compared with, ADR 0020.
This says what is to be run and what it reads; the daemon does the rest, as for every command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.clock import rfc3339
from inboxd.plugins.protocol import CommandLine, Isolation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inboxd.plugins.protocol import TaskContext

__all__ = ["PROTOCOL", "Program"]

#: The version of the document; a member that is added does not change it.
PROTOCOL = 1


class Program:
    """An executor that runs one program for each attempt."""

    isolation: str = Isolation.COMMAND

    def __init__(
        self,
        *,
        name: str,
        argv: tuple[str, ...],
        description: str,
        inputs_schema: Mapping[str, Any] | None = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        """
        Args:
            name: what a task names.
            argv: the program and its arguments.
            description: one sentence.
            inputs_schema: JSON Schema of `inputs`; None takes any object.
            cwd: absolute; None is the tree's own directory.
            env: added to the environment that every command gets.
            check: called before each attempt; raises when the program must not be run any more.
        """
        self.name = name
        self.description = description
        self.inputs_schema = inputs_schema
        self._argv = argv
        self._cwd = cwd
        self._env = dict(env or {})
        self._check = check

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> CommandLine:
        """Return what is to be run, and what it reads."""
        if self._check is not None:
            self._check()
        return CommandLine(
            argv=self._argv,
            cwd=self._cwd,
            env=self._env,
            stdin=msgspec.json.encode(_document(inputs, context)) + b"\n",
            stdout="lines",
        )


def _document(inputs: dict[str, Any], context: TaskContext) -> dict[str, Any]:
    deadline = context.deadline
    return {
        "inboxd": PROTOCOL,
        "inputs": inputs,
        "params": dict(context.params),
        "context": {
            "tree_id": context.tree_id,
            "task_id": context.task_id,
            "attempt": context.attempt,
            "idempotency_key": context.idempotency_key,
            "deadline": None if deadline is None else rfc3339(deadline),
            "directory": str(context.directory),
            "dependencies": dict(context.dependencies),
        },
    }
