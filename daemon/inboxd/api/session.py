"""`Session`: a store with what runs its tasks, as the Python API sees it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import UNSET, UnsetType

from inboxd.api.acceptance import accept
from inboxd.api.checking import fits_the_plugins, fits_the_rules
from inboxd.api.drafts import Drafts
from inboxd.api.entry import Place, TaskEntry
from inboxd.api.lifetime import Lifetime, let_go
from inboxd.api.misuse import must_be
from inboxd.api.private_directory import remove_directory
from inboxd.api.session_catalog import SessionCatalog
from inboxd.api.session_settings import private_settings, settings_of_store
from inboxd.api.steering import Steering
from inboxd.api.stored_tasks import StoredTasks
from inboxd.api.unheard import heard_by_default
from inboxd.api.watch import Watch
from inboxd.engine import Engine
from inboxd.errors import Conflict, SessionClosed
from inboxd.names import escaped
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.scheduling.mailbox import StoreClosed
from inboxd.store.acceptance import TreeHeader

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path
    from types import TracebackType

    from inboxd.array.check import CheckedArray
    from inboxd.config.settings import Settings
    from inboxd.store.views import TaskDetails, TaskView
    from inboxd.task import EdgeOn

__all__ = ["Session", "create_session"]

logger = logging.getLogger(__name__)

heard_by_default()


class Session:
    """
    A store and what runs its tasks, in this process; made by `create_session`.

    It is closed by `close`, by leaving a `with` or `async with` block, when nobody has it any more,
    or at the exit of the process; what runs then is ended.

    Any number of trees run at once, of one session and of several, with the places of each session
    shared by its trees. A session may be used by several threads, each with an event loop of its
    own, and by several loops one after the other; one tree is for one of them at a time. A forked
    child cannot use it (`SessionClosed`), and must make its own; what is spawned has none.
    """

    def __init__(self, settings: Settings, *, private: Path | None) -> None:
        """
        Args:
            settings: all of them.
            private: the directory that is removed in the end; None: the store is kept.
        """
        #: Hears of every commit.
        self.watch = Watch()
        self._engine = Engine(
            settings,
            tell=self.watch.tell,
            watch=self.watch,
            is_durable=private is None,
            owns_process=False,
        )
        self._is_private = private is not None
        self._shown = "private" if private is not None else escaped(settings.store.url)
        self._lock = threading.Lock()
        #: Drafts on their way into the store.
        self._accepting: set[TaskEntry] = set()
        self.drafts = Drafts(self)
        self._engine.open()
        try:
            self._reader = self._engine.open_reader()
            #: What is asked of the trees in the store.
            self.steering = Steering(self, self._engine.scheduler, self.watch, self._reader)
            #: Those of its tasks that are in the store.
            self.stored = StoredTasks(self, self._reader, self._engine.scheduler)
            self._engine.start(run_left_over=False)
            self._engine.hook_thread.start()
        except BaseException:
            self._engine.close()
            raise
        self._lifetime = Lifetime(self._engine, self.watch, private=private)
        # What is open at exit is closed by `lifetime`, whether or not a session is left.
        weakref.finalize(self, let_go, self._lifetime).atexit = False

    def __repr__(self) -> str:
        return f"<Session {self._shown} {'closed' if self.is_closed else 'open'}>"

    # What the handles read ------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """Whether it was closed: nothing is read or run any more."""
        return self._lifetime.ended_by is not None

    @property
    def version(self) -> int:
        """A number that changes whenever the store does; the same once it is closed."""
        return -2 if self.is_closed else self._engine.scheduler.commit_count

    def refresh(self, entries: Sequence[TaskEntry]) -> None:
        """Read all of these that are in the store, whole pages at a time; none when closed."""
        if not self.is_closed:
            self.stored.refresh(entries, self.version)

    def read_edges(self, entries: Sequence[TaskEntry]) -> dict[TaskEntry, list[tuple[str, EdgeOn]]]:
        """
        Return the edges of tasks in the store: each (id of the dependency, on), by position.

        All else of these tasks is known then too. None when closed.
        """
        if self.is_closed:
            return {}
        self.refresh(entries)
        self.stored.read_details(entries)
        return self.stored.read_edges(entries)

    def read_details(self, view: TaskView) -> TaskDetails | None:
        """Return what lies beside the row of a task; None: the session is closed."""
        return None if self.is_closed else self._reader.task_details(view)

    def read_result(self, place: Place) -> bytes | UnsetType | None:
        """Return the result of a task as JSON; None: it has none; UNSET: the session is closed."""
        return UNSET if self.is_closed else self.stored.read_result(place)

    def progress_of(self, view: TaskView) -> float | None:
        """Return how far the attempt says it is that is in progress, 0.0 to 1.0; None: nothing."""
        newest = self._engine.runner.board.newest_of(view.number, view.attempts)
        return None if newest is None else newest.fraction

    def parent_of(self, entry: TaskEntry) -> str | None:
        """Return the id of the parent of a task."""
        return entry.parent_id()

    # Accepting and waiting -----------------------------------------------------------------------

    async def accept(
        self,
        entries: Sequence[TaskEntry],
        documents: Sequence[Mapping[str, Any]],
        *,
        tree_id: str,
        strict_priority: bool,
        name: str | None = None,
        user_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Accept drafts as one tree, in one transaction; they know their places then.

        Args:
            entries: the drafts, in the order of the array.
            documents: of each, as a task array has it.
            tree_id: its public id, a new one.
            strict_priority: a task also waits while a more urgent one of the tree is active.
            name: what the tree is called; checked before, as the two below.
            user_id: whose tree it is.
            metadata: a JSON object.

        Raises:
            InvalidTaskArray: they break a rule; nothing of them is in the store.
            Conflict: some are being accepted already.
            StoreError: the store was removed or replaced while it was in use.
            SessionClosed: the session is closed, or was before the tree was in the store.
        """
        catalog = self.catalog()
        self.check_store()

        def check() -> CheckedArray:
            checked = fits_the_rules(documents, catalog)
            # As an envelope would have said it: plugins look at it.
            checked.name, checked.user_id = name, user_id
            checked.other = msgspec.json.encode({"metadata": metadata}) if metadata else None
            checked.strict_priority = strict_priority
            return fits_the_plugins(checked, self._engine.plugins.hooks)

        with self._accepting_only(entries):
            checked = await asyncio.to_thread(catalog.watched, check)
            header = TreeHeader(
                public_id=tree_id,
                task_count=checked.task_count,
                received_at=self._engine.clock.now_micros(),
                owner=os.getuid(),
                name=checked.name,
                user_id=checked.user_id,
                other=checked.other,
                strict_priority=strict_priority,
            )
            try:
                await accept(self._engine.scheduler, header, checked, clock=self._engine.clock)
            except StoreClosed as error:
                raise SessionClosed(
                    "the session was closed before the tree was in the store"
                ) from error
            except asyncio.CancelledError:
                # What could not be taken back shows its tasks cancelled.
                self._settle(entries, tree_id)
                raise
            self.check_open()
            self._settle(entries, tree_id)

    def _settle(self, entries: Sequence[TaskEntry], tree_id: str) -> None:
        """Have drafts know their places, if they are in the store."""
        tree = None if self.is_closed else self._reader.tree(tree_id)
        if tree is not None:
            for position, entry in enumerate(entries):
                entry.place = Place(tree.id, tree.number, tree.first_task + position)
            self.drafts.forget(entries)

    def is_accepting(self, entry: TaskEntry) -> bool:
        """Return whether a draft is on its way into the store."""
        with self._lock:
            return entry in self._accepting

    @contextmanager
    def _accepting_only(self, entries: Sequence[TaskEntry]) -> Generator[None]:
        """Keep others from accepting these drafts meanwhile, in another thread or coroutine."""
        with self._lock:
            if any(not entry.is_draft or entry in self._accepting for entry in entries):
                raise Conflict("this tree is being distributed already")
            self._accepting.update(entries)
        try:
            yield
        finally:
            with self._lock:
                self._accepting.difference_update(entries)

    def catalog(self) -> ExecutorCatalog:
        """Return the executors as they are now, those that `@executor` made among them."""
        self.check_open()
        return SessionCatalog(self._engine.executors)

    # The end -------------------------------------------------------------------------------------

    def check_open(self) -> None:
        """
        Make sure that the session can be used.

        Raises:
            SessionClosed: it is closed, or this process was forked from the one that has it.
        """
        self._lifetime.check()

    def check_store(self) -> None:
        """
        Make sure that the store is still the one that was opened.

        Raises:
            StoreError: it was removed or replaced, so nobody finds again what is written.
            SessionClosed: the session is closed.
        """
        self.check_open()
        self._engine.check()

    def close(self) -> None:
        """
        End what runs, and let the store go; return when all is over.

        It may be called again, and from any thread. What runs has `drain_timeout` to end by itself
        (0 s unless that is set), then `grace` between SIGTERM and SIGKILL; attempts that are cut
        so count as never made, and their tasks are pending again in a store that is kept. Whoever
        waits for a tree gets `SessionClosed`. Drafts that were never distributed are gone.
        """
        if not self.is_closed and not self._is_private and (count := len(self.drafts)):
            logger.warning(
                "the session is closed with %d drafts that were never distributed",
                count,
                extra={"event": "drafts_dropped"},
            )
        # What handles show from now on is what is known at the end.
        self._lifetime.close(lambda: self.stored.remember(self.version))

    async def aclose(self) -> None:
        """Close it as `close` does, while the event loop goes on."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def create_session(
    url: str | None = None,
    *,
    places: int | None = None,
    async_places: int | None = None,
    grace: float | str | None = None,
    default_timeout: float | str | None = None,
    max_output_bytes: int | str | None = None,
    max_result_bytes: int | str | None = None,
    environment: Iterable[str] | None = None,
    drain_timeout: float | str | None = None,
    max_interruptions: int | None = None,
    settings: Mapping[str, object] | None = None,
) -> Session:
    """
    Open a store, and start what runs its tasks in this process.

    A setting that is not given comes from the environment (`INBOXD_RUN__PLACES`,
    `INBOXD_EXECUTORS__NAME__KEY`), else it has the daemon's default, but for `drain_timeout`. No
    configuration file is read, and what is about the daemon's own places (`INBOXD_STATE__PATH`,
    `INBOXD_STORE__URL`, `INBOXD_INBOX__…`) does not count.

    Args:
        url: None: a private store, removed when the session is closed, at the latest at the exit
            of the process (after a `kill -9`, by the next session of the same user).
            `sqlite:///x.db`: a file that is kept, made where there is none, relative to the current
            directory; beside it are `x.db.lock` and the directory `x.db.state`. What an earlier
            process left unfinished in it does not run until its tree is retried.
        places: how many commands, threads and worker processes run at once.
        async_places: how many executors on the event loop run at once.
        grace: between SIGTERM and SIGKILL; seconds, or a text such as `"90s"`, as all durations.
        default_timeout: of attempts whose task has no `timeout`; `"none"`: no limit.
        max_output_bytes: what is kept of the output of an attempt; bytes, or a text: `"16MiB"`.
        max_result_bytes: the largest result of a task; likewise.
        environment: names of variables (`LANG`), or `NAME=value`, that commands get besides.
        drain_timeout: how long `close` lets what runs go on; 0 s when nobody says.
        max_interruptions: how often an attempt that a crash cut is made again.
        settings: others, by `section.key` (`"notify.argv"`), `executors.NAME.key` or
            `plugins.NAME.key`, with the values that a configuration file would give. NAME is of a
            plugin that is installed, or of an executor that `@executor` made before.

    Raises:
        ConfigurationError: the URL or a setting is unknown or cannot be used; `problems` has one
            sentence for each.
        TypeError: `settings` is no mapping by name.
        StoreInUse: another process, or another session of this one, has the store.
        StoreError: the store cannot be used as it is.
    """
    _check_names(settings)
    keywords: dict[str, object] = {
        "places": places,
        "async_places": async_places,
        "grace": grace,
        "default_timeout": default_timeout,
        "max_output_bytes": max_output_bytes,
        "max_result_bytes": max_result_bytes,
        "environment": None if environment is None else _listed(environment),
        "drain_timeout": drain_timeout,
        "max_interruptions": max_interruptions,
    }
    if url is not None:
        return Session(settings_of_store(url, keywords, settings), private=None)
    all_settings, directory = private_settings(keywords, settings)
    try:
        return Session(all_settings, private=directory)
    except BaseException:
        remove_directory(directory)
        raise


def _listed(values: Iterable[str]) -> object:
    """Return a list; of a single value itself, which the check refuses or takes apart."""
    is_several = isinstance(cast("object", values), Iterable) and not isinstance(values, str)
    return list(values) if is_several else values


def _check_names(settings: object) -> None:
    if settings is None:
        return
    wanted = 'settings is a dict by name, as {"run.places": 8}'
    must_be(settings, Mapping, wanted)
    for name in cast("Mapping[object, object]", settings):
        must_be(name, str, f"{wanted}: a name is text")
