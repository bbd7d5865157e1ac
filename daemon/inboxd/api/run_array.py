"""`run_array`: a task array run to its end by a script that has no event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypedDict

from inboxd.api.creator import TaskCreator
from inboxd.api.manager import TaskManager
from inboxd.api.misuse import must_be_bool
from inboxd.api.reading import refreshed
from inboxd.api.session import create_session
from inboxd.api.task import entry_of
from inboxd.names import did_you_mean, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Unpack

    from inboxd.api.tree import TaskTrees

__all__ = ["SessionSettings", "run_array"]


class SessionSettings(TypedDict, total=False):
    """The keywords of `create_session`; a test holds the two together."""

    places: int | None
    async_places: int | None
    grace: float | str | None
    default_timeout: float | str | None
    max_output_bytes: int | str | None
    max_result_bytes: int | str | None
    environment: Iterable[str] | None
    drain_timeout: float | str | None
    max_interruptions: int | None
    settings: Mapping[str, object] | None


def run_array(
    tasks: Sequence[Mapping[str, Any]],
    *,
    strict_priority: bool = False,
    name: str | None = None,
    user_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    url: str | None = None,
    **settings: Unpack[SessionSettings],
) -> TaskTrees:
    """
    Run a task array to its end, in this process, and return its trees.

    It is `create_session`, `create_task_trees_from_array` and `distribute_task_tree` in an event
    loop of its own. The session is closed when it returns; the tasks still show how they ended.
    Ctrl-C cancels the tree, ends what runs, and raises `KeyboardInterrupt`.

    Args:
        tasks: each a dict with the fields of a task.
        strict_priority: a task also waits while a more urgent one is active.
        name: what the tree is called.
        user_id: whose tree it is.
        metadata: kept and shown, never read.
        defaults: what every task has that does not say otherwise.
        url: a store that is kept, as for `create_session`; None: a private one, removed in the end.
        **settings: of the session, as `create_session` takes them, such as `places=8`.

    Raises:
        InvalidTaskArray: the tasks break a rule; nothing ran.
        RuntimeError: an event loop runs in this thread: await `distribute_task_tree` there.
        ConfigurationError: a setting cannot be used.
        StoreInUse: another process has the store.
        TypeError: a keyword is none of these, or `strict_priority` no bool.
    """
    must_be_bool(strict_priority, "strict_priority")
    _refuse_unknown(settings)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(
            "run_array was called where an event loop runs (a coroutine, a notebook):"
            " await TaskManager(session).distribute_task_tree(tree) there"
        )

    async def run() -> TaskTrees:
        with create_session(url, **settings) as session:
            trees = await TaskCreator(session).create_task_trees_from_array(
                tasks, name=name, user_id=user_id, metadata=metadata, defaults=defaults
            )
            await TaskManager(session).distribute_task_tree(trees, strict_priority)
            # What is known now is what the handles show when the store is gone.
            for task in refreshed(trees.tasks()):
                entry_of(task).details()
            return trees

    return asyncio.run(run())


_OWN = ("strict_priority", "name", "user_id", "metadata", "defaults", "url")


def _refuse_unknown(settings: Iterable[str]) -> None:
    known = [*_OWN, *SessionSettings.__annotations__]
    for keyword in settings:
        if keyword not in known:
            hint = did_you_mean(keyword, known) or f"there are: {', '.join(known)}"
            raise TypeError(f'run_array() has no keyword "{escaped(keyword)}"; {hint}')
