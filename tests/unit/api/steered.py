"""Executors and helpers for the tests of events, cancellations and retries."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from inboxd import NoRetry, TaskCreator, TaskStarted, executor

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd import Session, TaskTrees, TreeEvent
    from inboxd.api.event_stream import TreeEvents

#: Set by tests, by the word in `inputs.gate`.
gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
#: Set by attempts when they run, by their task's id in `inputs.gate`.
reached: defaultdict[str, threading.Event] = defaultdict(threading.Event)
#: Words of `inputs.key` for which `steered_fails` does not.
mended: set[str] = set()

LIMIT = 60.0


@executor("steered_gate")
def steered_gate(inputs: dict[str, Any], context: Any) -> str:
    """Run until the gate is open, or the attempt is cancelled."""
    reached[inputs["gate"]].set()
    while not context.cancelled:
        if gates[inputs["gate"]].wait(0.01):
            return "through"
    return "cancelled"


@executor("steered_async")
async def steered_async(inputs: dict[str, Any], context: Any) -> None:
    """Run until the attempt is cancelled."""
    reached[inputs["gate"]].set()
    await asyncio.Event().wait()


@executor("steered_fails")
def steered_fails(inputs: dict[str, Any], context: Any) -> int:
    """Fail for good, unless it was mended; give the attempt's number."""
    if inputs.get("key") not in mended:
        raise NoRetry("broken")
    number: int = context.attempt
    return number


@executor("steered_flaky")
def steered_flaky(inputs: dict[str, Any], context: Any) -> int:
    """Fail so often, then say how far it is."""
    if context.attempt <= inputs["failures"]:
        raise ValueError("not yet")
    context.progress(0.5, "half")
    number: int = context.attempt
    return number


@executor("steered_says")
def steered_says(inputs: dict[str, Any], context: Any) -> None:
    """Say at once and much how far it is, then wait for the gate."""
    context.progress(0.25, "begun")
    steered_gate(inputs, context)


async def trees_of(session: Session, *tasks: dict[str, Any]) -> TaskTrees:
    """Return drafts of an array."""
    return await TaskCreator(session).create_task_trees_from_array(list(tasks))


def noops(count: int) -> list[dict[str, Any]]:
    """Return an array of no-ops."""
    return [{"id": f"t{number}", "executor": "noop"} for number in range(count)]


async def is_reached(gate: str) -> None:
    """Return when an attempt is at its gate."""
    assert await asyncio.to_thread(reached[gate].wait, LIMIT)


async def eventually(session: Session, is_so: Callable[[], bool]) -> None:
    """Return when it is so, after some commit of the session."""
    wait_for_turn = session._engine.scheduler.wait_for_turn
    assert await asyncio.to_thread(wait_for_turn, is_so, LIMIT)


async def all_of(events: TreeEvents) -> list[TreeEvent]:
    """Read all events."""
    async with asyncio.timeout(LIMIT):
        return [event async for event in events]


async def first_start(events: TreeEvents) -> TaskStarted:
    """Read up to the first start."""
    async with asyncio.timeout(LIMIT):
        async for event in events:
            if isinstance(event, TaskStarted):
                return event
    raise AssertionError("nothing started")


def words(events: list[TreeEvent]) -> list[str]:
    """Return the kinds of events, with the ids of their tasks."""
    return [
        f"{type(event).__name__} {event.task.id}" if hasattr(event, "task") else "TreeEnded"
        for event in events
    ]
