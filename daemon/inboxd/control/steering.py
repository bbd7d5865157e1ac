"""What a person asks of the scheduler through the control socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.control.answers import Refused
from inboxd.control.routes import Action
from inboxd.store.json_documents import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from inboxd.scheduling.scheduler import Scheduler
    from inboxd.store.views import TaskView, TreeView


__all__ = ["priority_of", "steer"]

#: A turn takes a tenth of a second; the retry of a very large tree is found out in seconds.
_PATIENCE_SECONDS = 60.0

_MOST_PRIORITY = 999


def priority_of(fields: Mapping[str, object]) -> int:
    """
    Return the priority that a body gives.

    Raises:
        Refused: it gives none.
    """
    value = fields.get("priority")
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_PRIORITY:
        return value
    raise Refused(
        400,
        f"priority: must be a whole number from 0 to {_MOST_PRIORITY}",
        hint='send {"priority": 1}',
    )


async def steer(
    scheduler: Scheduler,
    action: Action,
    tree: TreeView | None,
    task: TaskView | None,
    fields: Mapping[str, object],
) -> bytes:
    """
    Do what is asked, and return what it did, once that is committed.

    Raises:
        Refused: the request is wrong, or it was not done in time.
        InboxdError: the scheduler refuses it.
    """
    future = _ask(scheduler, action, tree, task, fields)
    # What was asked for is not taken back when its answer takes long, or nobody waits for it.
    waiting = asyncio.wrap_future(future)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            did: msgspec.Struct = await asyncio.shield(waiting)
    except TimeoutError:
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise Refused(
            503,
            f"it was asked for, and not done within {_PATIENCE_SECONDS:.0f} s",
            hint="GET /healthz says how the daemon is",
        ) from None
    return encoded(
        {
            "format": 1,
            "action": action.name.lower(),
            "tree_id": None if tree is None else tree.id,
            "id": None if task is None else task.id,
            **msgspec.structs.asdict(did),
        }
    ) + b"\n"  # fmt: skip


def _ask(
    scheduler: Scheduler,
    action: Action,
    tree: TreeView | None,
    task: TaskView | None,
    fields: Mapping[str, object],
) -> Future[Any]:
    if task is not None:
        return _ask_of_task(scheduler, action, task.number, fields)
    if tree is not None:
        return _ask_of_tree(scheduler, action, tree.number, fields)
    return scheduler.pause() if action is Action.PAUSE else scheduler.resume()


def _ask_of_task(
    scheduler: Scheduler, action: Action, task: int, fields: Mapping[str, object]
) -> Future[Any]:
    match action:
        case Action.CANCEL:
            return scheduler.cancel_task(task)
        case Action.RETRY:
            return scheduler.retry_task(task)
        case Action.RELEASE:
            return scheduler.release_task(task)
        case Action.PRIORITY:
            return scheduler.set_task_priority(task, priority_of(fields))
        case _:
            raise AssertionError(action)  # no route has it


def _ask_of_tree(
    scheduler: Scheduler, action: Action, tree: int, fields: Mapping[str, object]
) -> Future[Any]:
    match action:
        case Action.CANCEL:
            return scheduler.cancel_tree(tree)
        case Action.RETRY:
            return scheduler.retry_tree(tree)
        case Action.PAUSE:
            return scheduler.pause_tree(tree)
        case Action.RESUME:
            return scheduler.resume_tree(tree)
        case Action.PRIORITY:
            return scheduler.set_tree_priority(tree, priority_of(fields))
        case _:
            raise AssertionError(action)  # no route has it
