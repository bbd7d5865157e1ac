"""Executors for the tests of `inboxd.testing`: good ones, and one for each rule that breaks it."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from inboxd import NoRetry, RetryLater, executor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd import TaskContext


@dataclass
class Wait:
    seconds: float = 0.0
    fails: bool = False
    later: float | None = None


@executor("on-loop")
async def on_loop(inputs: Wait, context: TaskContext) -> dict[str, Any]:
    """Waits on the loop."""
    await asyncio.sleep(inputs.seconds)
    if inputs.later is not None and context.attempt == 1:
        raise RetryLater(inputs.later, "not yet")
    if inputs.fails:
        raise NoRetry("it was to fail")
    return {"attempt": context.attempt, "key": context.idempotency_key}


@executor("in-thread")
def in_thread(inputs: Wait, context: TaskContext) -> dict[str, Any]:
    """Waits in a thread, and looks whether it is to end."""
    pause = threading.Event()
    steps = int(inputs.seconds / 0.01)
    while steps > 0 and not context.cancelled:
        pause.wait(0.01)
        steps -= 1
    if inputs.fails:
        raise ValueError("it was to fail")
    return {"attempt": context.attempt, "directory": context.directory.name}


@executor("deaf")
def deaf(inputs: Wait, context: TaskContext) -> None:
    """Never looks at context.cancelled."""
    threading.Event().wait(inputs.seconds)


@executor("stubborn")
async def stubborn(inputs: Wait, context: TaskContext) -> None:
    """Ignores its cancellation for a while."""
    for _ in range(2):
        try:
            await asyncio.sleep(inputs.seconds)
        except asyncio.CancelledError:
            continue


@executor("no-json")
async def no_json(inputs: dict[str, Any], context: TaskContext) -> object:
    """Returns what JSON cannot hold."""
    return object()


@executor("silent")
async def silent(inputs: Wait, context: TaskContext) -> None:
    """Completes where it is to fail."""


@executor("takes-all", inputs_schema={"type": "object", "additionalProperties": False})
async def takes_none(inputs: dict[str, Any], context: TaskContext) -> None:
    """Takes no inputs."""


class Once:
    """Works once in a process."""

    name = "once"
    description = "Works once."
    inputs_schema: ClassVar[Mapping[str, Any] | None] = None
    isolation = "async"

    def __init__(self) -> None:
        self.was_run = False

    async def execute(self, inputs: dict[str, Any], context: TaskContext) -> None:
        if self.was_run:
            raise NoRetry("a second time does not work")
        self.was_run = True


class Leaves:
    """Leaves a thread, a process or a descriptor behind."""

    name = "leaves"
    description = "Leaves something behind."
    inputs_schema: Mapping[str, Any] | None = None
    isolation = "thread"

    def __init__(self, what: str) -> None:
        self.what = what
        self.left: list[Any] = []
        self.end = threading.Event()

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> None:
        match self.what:
            case "thread":
                thread = threading.Thread(target=self.end.wait, daemon=True)
                thread.start()
            case "child process":
                self.left.append(subprocess.Popen(["sleep", "600"]))
            case _:
                self.left.append((context.directory / "kept").open("wb"))

    def clear(self) -> None:
        self.end.set()
        for one in self.left:
            if isinstance(one, subprocess.Popen):
                one.kill()
                one.wait()
            else:
                one.close()
