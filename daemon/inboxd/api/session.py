"""`Session`: a store with what runs its tasks, as the Python API sees it."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import weakref
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.api.acceptance import accept
from inboxd.api.drafts import Drafts
from inboxd.api.entry import Place, TaskEntry
from inboxd.api.private_directory import make_private_directory, remove_directory
from inboxd.api.watch import Watch
from inboxd.array.check import CheckedArray, RejectedArray
from inboxd.array.document import check_document
from inboxd.array.invalid import InvalidTaskArray
from inboxd.array.limits import Limits
from inboxd.config.load import settings_of_file
from inboxd.engine import Engine
from inboxd.errors import SessionClosed
from inboxd.ids import new_id
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.importable import offer_registered
from inboxd.plugins.tree_check import checked_by_plugins
from inboxd.store.acceptance import TreeHeader
from inboxd.store.engine import database_path
from inboxd.store.read_edges import edges_of_tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from inboxd.config.settings import Settings
    from inboxd.store.views import TaskDetails, TaskView
    from inboxd.task import EdgeOn

__all__ = ["Session", "create_session"]

logger = logging.getLogger(__name__)

#: What a caller of the API configures is the session's, not the daemon's own places.
_NOT_OURS = ("INBOXD_STATE__", "INBOXD_STORE__", "INBOXD_INBOX__", "INBOXD_CONTROL__")

#: What plugins are owed of the trees that ended is told within this, when a session is closed.
_HOOK_SECONDS = 5.0


class Session:
    """
    A store and what runs its tasks, in this process; made by `create_session`.

    It is closed by `close`, by leaving a `with` block, or at the exit of the process; what runs
    then is ended. Its methods are for the event loop or thread that made it, `close` for any.
    """

    def __init__(self, settings: Settings, *, private: Path | None) -> None:
        """
        Args:
            settings: all of them.
            private: the directory that is removed in the end; None: the store is kept.
        """
        self._settings = settings
        self._private = private
        self._watch = Watch()
        self._engine = Engine(
            settings, watch=self._watch, is_durable=private is None, owns_process=False
        )
        self._is_closed = False
        self.drafts = Drafts(self)
        self._engine.open()
        try:
            self._reader = self._engine.open_reader()
            self._engine.start(run_left_over=False)
            self._engine.hook_thread.start()
        except BaseException:
            self._engine.close()
            raise
        #: In the process that made it only: a forked child has none of the threads.
        self._owner = os.getpid()
        self._at_exit = weakref.WeakMethod(self.close)
        atexit.register(_close, self._at_exit)

    # What the handles read ------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """Whether it was closed: nothing is read or run any more."""
        return self._is_closed

    @property
    def version(self) -> int:
        """A number that changes whenever the store does; the same once it is closed."""
        return -2 if self._is_closed else self._engine.scheduler.turn_count

    def read_task(self, place: Place) -> TaskView | None:
        """Return a task as the store has it now; None: it is not there, or the session closed."""
        if self._is_closed:
            return None
        tree = self._reader.tree_by_number(place.tree)
        if tree is None:
            return None
        return self._reader.tasks_by_number(tree, [place.task]).get(place.task)

    def refresh(self, entries: Sequence[TaskEntry]) -> None:
        """Read all of these that are in the store, whole pages at a time; none when closed."""
        if self._is_closed:
            return
        version = self.version
        by_tree: dict[int, dict[int, TaskEntry]] = {}
        for entry in entries:
            if entry.place is not None:
                by_tree.setdefault(entry.place.tree, {})[entry.place.task] = entry
        for number, rows in by_tree.items():
            tree = self._reader.tree_by_number(number)
            if tree is not None:
                for task, view in self._reader.tasks_by_number(tree, list(rows)).items():
                    rows[task].know(view, version)

    def read_edges(self, entries: Sequence[TaskEntry]) -> dict[TaskEntry, list[tuple[str, EdgeOn]]]:
        """Return the edges of tasks in the store: each (id of the dependency, on), by position."""
        self.refresh(entries)
        by_number = {entry.place.task: entry for entry in entries if entry.place is not None}
        found: dict[TaskEntry, list[tuple[str, EdgeOn]]] = {
            entry: [] for entry in by_number.values()
        }
        for number, before, on in edges_of_tasks(self._reader, list(by_number)):
            found[by_number[number]].append((before, on))
        return found

    def read_details(self, view: TaskView) -> TaskDetails | None:
        """Return what lies beside the row of a task; None: the session is closed."""
        return None if self._is_closed else self._reader.task_details(view)

    def parent_of(self, entry: TaskEntry) -> str | None:
        """Return the id of the parent of a task that is in the store."""
        parent = entry.document.get("parent_id")
        return parent if isinstance(parent, str) else None

    def dependencies_of(self, entry: TaskEntry) -> list[dict[str, Any]]:
        """Return the edges of a task."""
        return list(entry.document.get("dependencies", ()))

    # Accepting and waiting -----------------------------------------------------------------------

    async def accept(
        self,
        entries: Sequence[TaskEntry],
        documents: Sequence[Mapping[str, Any]],
        *,
        strict_priority: bool,
        name: str | None = None,
        user_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """
        Accept drafts as one tree, in one transaction; return its public id.

        Args:
            entries: the drafts, in the order of the array.
            documents: of each, as a task array has it.
            strict_priority: a task also waits while a more urgent one of the tree is active.
            name: what the tree is called; checked before, as the two below.
            user_id: whose tree it is.
            metadata: a JSON object.

        Raises:
            InvalidTaskArray: they break a rule; nothing of them is in the store.
        """
        catalog = self.catalog()

        def check() -> CheckedArray:
            checked = _fits_the_rules(documents, catalog)
            # As an envelope would have said it: plugins look at it.
            checked.name, checked.user_id = name, user_id
            checked.other = msgspec.json.encode({"metadata": metadata}) if metadata else None
            checked.strict_priority = strict_priority
            hooks = self._engine.plugins.hooks
            return _accepted(checked_by_plugins(checked, hooks, file=None, owner=os.getuid()))

        checked = await asyncio.to_thread(catalog.watched, check)
        header = TreeHeader(
            public_id=new_id(),
            task_count=checked.task_count,
            received_at=self._engine.clock.now_micros(),
            owner=os.getuid(),
            name=checked.name,
            user_id=checked.user_id,
            other=checked.other,
            strict_priority=strict_priority,
        )
        await accept(self._engine.scheduler, header, checked, clock=self._engine.clock)
        tree = self._reader.tree(header.public_id)
        assert tree is not None  # noqa: S101 - it was committed just now
        for position, entry in enumerate(entries):
            entry.place = Place(tree.id, tree.number, tree.first_task + position)
        self.drafts.forget(entries)
        return tree.id

    def catalog(self) -> ExecutorCatalog:
        """Return the executors as they are now, those that `@executor` made among them."""
        offer_registered(self._engine.executors)
        return ExecutorCatalog(self._engine.executors, checks=self._engine.executors.checks())

    async def end_of(self, tree_id: str) -> str:
        """Wait until a tree has ended; return its status."""
        future = self._watch.end_of(tree_id)
        tree = self._reader.tree(tree_id)
        if tree is not None and tree.ended_at is not None:
            future.cancel()
            return tree.status.value
        return await asyncio.wrap_future(future)

    # The end -------------------------------------------------------------------------------------

    def close(self) -> None:
        """End what runs, and let the store go; may be called twice, and from any thread."""
        if self._is_closed or os.getpid() != self._owner:
            return
        if len(self.drafts) and self._private is None:
            logger.warning("closed with %d drafts that were never distributed", len(self.drafts))
        engine = self._engine
        engine.cut()
        engine.drain(0.0)
        engine.hook_thread.finish(_HOOK_SECONDS)
        self._is_closed = True
        engine.close()
        self._watch.close(SessionClosed("the session was closed while its tree ran"))
        atexit.unregister(_close)
        if self._private is not None:
            remove_directory(self._private)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def create_session(url: str | None = None, **settings: object) -> Session:
    """Open a session."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
    private = None
    if url is None:
        private = state = make_private_directory()
        url = f"sqlite:///{state / 'inboxd.db'}"
    else:
        database = database_path(url)
        state = database.with_name(f"{database.name}.state")
    overrides = {
        "state.path": str(state),
        "store.url": url,
        "inbox.path": str(state / "inbox"),
        **{f"run.{name}": str(value) for name, value in settings.items()},
    }
    try:
        return Session(
            settings_of_file(None, overrides=overrides, environ=environ, cwd=state.parent),
            private=private,
        )
    except BaseException:
        if private is not None:
            remove_directory(private)
        raise


def _close(method: weakref.WeakMethod[Any]) -> None:
    close = method()
    if close is not None:
        close()


def _fits_the_rules(
    documents: Sequence[Mapping[str, Any]], catalog: ExecutorCatalog
) -> CheckedArray:
    limits = Limits()
    return _accepted(
        check_document(
            list(documents),
            # There is no file, whose size would bound the values: the limits do.
            size=limits.max_bytes,
            limits=limits,
            catalog=catalog,
            positions=_nowhere,
        )
    )


def _accepted(found: CheckedArray | RejectedArray) -> CheckedArray:
    if isinstance(found, CheckedArray):
        return found
    raise InvalidTaskArray(found.problems, has_more=found.has_more)


def _nowhere(path: object, *, at_key: bool) -> None:
    """A value that was never in a file has no place in one."""
