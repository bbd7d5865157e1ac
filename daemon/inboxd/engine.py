"""
A store, what schedules its tasks and what runs them: all of inboxd but the ways in and out.

The daemon is an engine with an inbox, a session of the Python API one in the caller's own process;
so there is one way of scheduling and running tasks, and both start and stop it in the same order:
locks, store, plugins, runner, scheduler (which recovers first), and back.
"""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from inboxd.clock import SystemClock
from inboxd.errors import StoreError
from inboxd.events import DrainBegan
from inboxd.names import escaped
from inboxd.plugged import check_settings, source_of
from inboxd.plugins.live_executors import LiveExecutors
from inboxd.plugins.manager import load_plugins
from inboxd.plugins.registered import registered_executors
from inboxd.running.leftovers import end_leftovers
from inboxd.running.runner import Runner
from inboxd.scheduling.scheduler import Scheduler
from inboxd.state_lock import StateLock, StoreLock
from inboxd.store.engine import database_path, open_writer
from inboxd.store.reader import StoreReader
from inboxd.store.schema import migrate
from inboxd.telling.ended_trees import EndedTrees
from inboxd.telling.hook_thread import HookThread
from inboxd.telling.missed_executors import MissedExecutors
from inboxd.telling.plugin_teller import PluginTeller
from inboxd.telling.teller import Teller

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from inboxd.clock import Clock
    from inboxd.config.settings import Settings
    from inboxd.events import Listener
    from inboxd.plugins.manager import Plugins
    from inboxd.scheduling.turn import TurnListener

__all__ = ["Engine"]

logger = logging.getLogger(__name__)

#: After the cut, what was killed has this long, beyond the grace, to be seen ended.
_CUT_SECONDS = 2.0


class Engine:
    """One store and all that works on it; `open`, then `start`, then `drain` and `close`."""

    plugins: Plugins
    executors: LiveExecutors
    runner: Runner
    scheduler: Scheduler
    #: Has executors made that tasks in the store wait for.
    missed: MissedExecutors
    #: Of the thread that calls hooks, and of whoever else takes turns with it.
    hook_thread: HookThread
    tell_plugins: PluginTeller

    def __init__(
        self,
        settings: Settings,
        *,
        tell: Listener | None = None,
        clock: Clock | None = None,
        installed: Iterable[EntryPoint] | None = None,
        watch: TurnListener | None = None,
        is_durable: bool = True,
        owns_process: bool = True,
    ) -> None:
        """
        Args:
            settings: all of them.
            tell: is told events, from several threads.
            clock: the time.
            installed: the entry points of plugins; by default those that are installed.
            watch: is told all that is committed, after everybody else.
            is_durable: False: the store is removed in the end, so nothing is synced to the disk.
            owns_process: False: the process is a user's, and has children of its own.
        """
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self._tell: Listener = tell or _nobody
        self.teller = Teller(self._tell, state=settings.state.path, watch=watch)
        self._installed = installed
        self._is_durable = is_durable
        self._owns_process = owns_process
        self._exit = ExitStack()
        self._cut = threading.Event()
        self._lock: StateLock | None = None
        #: (device, inode) of the database's file.
        self._database: tuple[int, int] | None = None
        self._is_open = False

    def open(self) -> None:
        """
        Take the store, and make everything ready; nothing runs yet.

        Raises:
            InboxdError: it cannot run as it is configured; nothing is left open.
        """
        try:
            self._open()
        except BaseException:
            self._exit.close()
            raise
        self._is_open = True

    def _open(self) -> None:
        settings = self.settings
        url = settings.store.url
        self._take_locks()
        writer = open_writer(url, is_durable=self._is_durable)
        self._exit.callback(writer.dispose)
        try:
            migrate(writer)
        except StoreError as error:
            raise StoreError(f"{escaped(url)}: {error}") from error
        self._database = _identity(database_path(url))
        plugins = self.plugins = load_plugins(settings, installed=self._installed)
        for broken in plugins.broken:
            logger.error(
                "%splugin %s (%s) is not used: %s",
                "a part of " if broken.is_part else "",
                broken.name,
                broken.distribution,
                broken.reason,
                extra={"event": "plugin_broken", "plugin": broken.name},
                exc_info=broken.exc_info,
            )
        executors = self.executors = LiveExecutors(plugins, settings)
        own = () if self._owns_process else registered_executors()
        check_settings(settings, plugins, executors, own=own)
        results = self.open_reader()
        scheduler: Scheduler
        runner = self.runner = Runner(
            executors=executors.by_name,
            settings=settings.run,
            state=settings.state.path,
            reader=results,
            on_outcomes=lambda ended: scheduler.add_outcomes(ended),
            on_places_kept=lambda kind, change: scheduler.keep_places(kind, change),
            on_progress=self.teller.tell_progress,
            source_of=lambda name: source_of(name, executors, settings),
            checks=executors.checks,
            clock=self.clock,
            owns_process=self._owns_process,
        )
        scheduler = self.scheduler = Scheduler(
            writer,
            clock=self.clock,
            settings=settings.run,
            executors=executors.reads_inputs,
            listener=self.teller,
            hand_over=runner.run,
            end_attempts=lambda cut: runner.end([(one.task, one.number) for one in cut]),
        )

        def added(name: str) -> None:
            runner.forget(name)
            scheduler.restore(name)

        executors.on_added = added
        runner.start()
        self._exit.callback(runner.stop)
        self._exit.callback(scheduler.stop)
        self._prepare_hooks()

    def _take_locks(self) -> None:
        """Lock state directory and database; first what the engine is known by, for the error."""
        settings = self.settings
        if not self._owns_process:
            self._lock_store()
        lock = self._lock = StateLock.acquire(settings.state.path)
        self._exit.callback(lock.release)
        if self._owns_process:
            self._lock_store()

    def _lock_store(self) -> None:
        lock = StoreLock.acquire(database_path(self.settings.store.url))
        self._exit.callback(lock.release)

    def _prepare_hooks(self) -> None:
        """Make the hooks' thread, which starts when everything runs."""
        hooks = self.plugins.hooks
        stopping = threading.Event()
        reader = self._reader = self.open_reader()
        self._exit.callback(stopping.set)
        owed = EndedTrees(hooks, reader=reader, writer=self.scheduler, stopping=stopping)
        thread = self.hook_thread = HookThread(hooks, owed=owed, clock=self.clock)
        self._exit.callback(thread.stop)
        self.tell_plugins = PluginTeller(hooks, thread=thread, reader=reader, clock=self.clock)
        self.teller.tell_plugins(self.tell_plugins)

    def open_reader(self) -> StoreReader:
        """Return a reader of the store, which is closed with the engine."""
        reader = StoreReader(self.settings.store.url)
        self._exit.callback(reader.close)
        return reader

    def start(self, *, run_left_over: bool = True) -> None:
        """
        Recover what an earlier process left, and begin to run tasks.

        Args:
            run_left_over: False: what that did not finish waits for a person's retry.
        """
        settings = self.settings
        missed = self.missed = MissedExecutors(self.executors, self._reader)
        missed.ask_for_all()
        self.teller.executors_wanted = missed.want
        self.scheduler.start(
            lambda attempts: end_leftovers(
                settings.state.path, attempts, grace_seconds=settings.run.grace_seconds
            ),
            run_left_over=run_left_over,
        )

    def check(self) -> None:
        """
        Make sure that the state directory and the database are still the ones that were opened.

        Raises:
            StoreError: they were removed or replaced; nothing more is started or taken, since it
                would be written where nobody finds it.
        """
        lock = self._lock
        state = self.settings.state.path
        database = database_path(self.settings.store.url)
        if lock is None or (lock.is_current() and _identity(database) == self._database):
            return
        self._cut.set()
        raise StoreError(
            f"{escaped(str(state))} or {escaped(str(database))} was removed or"
            " replaced while it was in use; nothing more is run, since nothing that is written"
            " would be found again: put back what was there, or start anew"
        )

    def cut(self) -> None:
        """End a drain at once: what runs is ended now. From any thread, also before the drain."""
        self._cut.set()

    def drain(self, seconds: float) -> None:
        """
        Start nothing more, let what runs end, and cut what does not in time.

        Args:
            seconds: what runs has so long to end by itself.
        """
        if not self._is_open:
            return
        scheduler, grace = self.scheduler, self.settings.run.grace_seconds
        scheduler.stop_claiming()
        running = scheduler.running_count
        if running:
            self._tell(DrainBegan(running=running, seconds=seconds))
            logger.info(
                "stopping: what runs has %g s to end",
                seconds,
                extra={"event": "drain_began", "running": running},
            )
        deadline = self.clock.monotonic() + seconds
        while scheduler.running_count and not self._cut.is_set():
            left = deadline - self.clock.monotonic()
            if left <= 0:
                break
            scheduler.wait_for_turn(
                lambda: not scheduler.running_count or self._cut.is_set(), min(left, 0.2)
            )
        if scheduler.running_count:
            logger.warning(
                "cutting what still runs",
                extra={"event": "drain_over", "running": scheduler.running_count},
            )
            self._tell(DrainBegan(running=scheduler.running_count, seconds=None))
            self.runner.cut()
            scheduler.wait_for_turn(lambda: not scheduler.running_count, grace + _CUT_SECONDS)

    def close(self) -> None:
        """Close everything, cutting what still runs; may be called twice."""
        self._is_open = False
        self._exit.close()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _nobody(event: object) -> None:
    """Take an event that nobody wants."""
