"""
What starts and stops, and in which order; nothing else decides it.

Start: lock, store, plugins, runner, scheduler (which recovers first), answers, intake, hooks. Stop:
intake first, then no new starts, the drain, the cut, the answers that are owed, what plugins are to
hear, and everything closed.
"""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from inboxd.clock import SystemClock
from inboxd.errors import StoreError
from inboxd.events import DrainBegan
from inboxd.inbox.answers import Answers
from inboxd.inbox.current import CurrentInbox
from inboxd.inbox.formats import Formats
from inboxd.inbox.intake import Intake
from inboxd.inbox.publishing import Publishing
from inboxd.instances import register
from inboxd.names import escaped
from inboxd.plugged import check_settings, let_log, source_of
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.failure_file import FailureFile
from inboxd.plugins.live_executors import LiveExecutors
from inboxd.plugins.manager import load_plugins
from inboxd.running.leftovers import end_leftovers
from inboxd.running.runner import Runner
from inboxd.scheduling.scheduler import Scheduler
from inboxd.state_lock import StateLock
from inboxd.store.driver import sqlite_version
from inboxd.store.engine import database_path, open_writer
from inboxd.store.reader import StoreReader
from inboxd.store.schema import migrate
from inboxd.telling.ended_trees import EndedTrees
from inboxd.telling.hook_thread import HookThread
from inboxd.telling.missed_executors import MissedExecutors
from inboxd.telling.plugin_teller import PluginTeller
from inboxd.telling.teller import Teller
from inboxd.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from inboxd.clock import Clock
    from inboxd.config.settings import Settings
    from inboxd.events import Listener
    from inboxd.plugins.hooks import Hooks
    from inboxd.plugins.manager import Plugins

__all__ = ["Daemon"]

logger = logging.getLogger(__name__)

#: After the cut, what was killed has this long, beyond the grace, to be seen ended.
_CUT_SECONDS = 2.0

#: Results of trees that ended have this long to be written in a stop; the rest is owed.
_ANSWER_SECONDS = 5.0

#: Plugins have this long in a stop to hear what happened; what they must hear stays owed.
_HOOK_SECONDS = 5.0


class Daemon:
    """One instance: an inbox, a state directory, and all that runs between them."""

    def __init__(
        self,
        settings: Settings,
        *,
        tell: Listener | None = None,
        clock: Clock | None = None,
        installed: Iterable[EntryPoint] | None = None,
        is_listed: bool = True,
    ) -> None:
        """
        Args:
            settings: all of them.
            tell: is told events, from several threads.
            clock: the time.
            installed: the entry points of plugins; by default those that are installed.
            is_listed: False: the commands of a terminal do not find it by themselves.
        """
        self._settings = settings
        self._installed = installed
        self._is_listed = is_listed
        self._clock: Clock = clock or SystemClock()
        self._tell: Listener = tell or _nobody
        self._teller = Teller(self._tell, state=settings.state.path)
        self._exit = ExitStack()
        self._cut = threading.Event()
        self._lock: StateLock | None = None
        #: (device, inode) of the database's file.
        self._database: tuple[int, int] | None = None
        self._runner: Runner | None = None
        self._scheduler: Scheduler | None = None
        self._answers: Answers | None = None
        self._hook_thread: HookThread | None = None
        self._intake: Intake | None = None
        self._failures: FailureFile | None = None
        self.plugins: Plugins | None = None

    @property
    def teller(self) -> Teller:
        """Counts of what ended in this run."""
        return self._teller

    @property
    def runner(self) -> Runner:
        """What runs now; only between `start` and `stop`."""
        assert self._runner is not None  # noqa: S101 - for the type checker
        return self._runner

    def start(self) -> None:
        """
        Start everything; returns when files are taken and tasks run.

        Raises:
            InboxdError: it cannot run as it is configured; nothing is left running.
        """
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise

    def _start(self) -> None:
        settings = self._settings
        lock = self._lock = StateLock.acquire(settings.state.path)
        self._exit.callback(lock.release)
        engine = open_writer(settings.store.url)
        self._exit.callback(engine.dispose)
        try:
            migrate(engine)
        except StoreError as error:
            raise StoreError(f"{escaped(settings.store.url)}: {error}") from error
        self._database = _identity(database_path(settings.store.url))
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
        let_log(plugins)
        self._failures = FailureFile(settings.state.path, plugins.hooks, clock=self._clock)
        executors = LiveExecutors(plugins, settings)
        check_settings(settings, plugins, executors)
        results = StoreReader(settings.store.url)
        self._exit.callback(results.close)
        scheduler: Scheduler
        runner = self._runner = Runner(
            executors=executors.by_name,
            settings=settings.run,
            state=settings.state.path,
            reader=results,
            on_outcomes=lambda ended: scheduler.add_outcomes(ended),
            on_places_kept=lambda kind, change: scheduler.keep_places(kind, change),
            on_progress=self._teller.tell_progress,
            source_of=lambda name: source_of(name, executors, settings),
            checks=executors.checks,
            clock=self._clock,
        )
        scheduler = self._scheduler = Scheduler(
            engine,
            clock=self._clock,
            settings=settings.run,
            executors=executors.reads_inputs,
            listener=self._teller,
            hand_over=runner.run,
        )
        runner.start()
        self._exit.callback(runner.stop)
        self._exit.callback(scheduler.stop)
        publishing = Publishing()
        inbox = CurrentInbox(settings.inbox)
        self._exit.callback(inbox.close)
        reader = StoreReader(settings.store.url)
        self._exit.callback(reader.close)
        answers = self._answers = Answers(
            inbox=inbox, writer=scheduler, reader=reader, publishing=publishing
        )
        self._teller.results_owed = answers.wake
        tell_plugins = self._prepare_hooks(plugins.hooks, scheduler)
        answers.written = tell_plugins.results_written
        missed = MissedExecutors(executors, reader)
        missed.ask_for_all()
        self._teller.executors_wanted = missed.want
        executors.on_added = scheduler.restore
        intake = self._intake = Intake(
            settings.inbox,
            inbox=inbox,
            writer=scheduler,
            catalog=ExecutorCatalog(executors),
            clock=self._clock,
            tell=self._teller.tell_file,
            publishing=publishing,
            results_owed=answers.wake,
            formats=Formats(plugins.hooks),
            answered=tell_plugins.receipts_written,
        )
        intake.open()
        scheduler.start(
            lambda attempts: end_leftovers(
                settings.state.path, attempts, grace_seconds=settings.run.grace_seconds
            )
        )
        answers.start()
        self._exit.callback(answers.stop)
        intake.start()
        self._exit.callback(intake.stop)
        if self._hook_thread is not None:
            self._hook_thread.start()
        if self._is_listed:
            self._register()
        logger.info(
            "inboxd %s runs: drop task files into %s",
            VERSION,
            settings.inbox.path,
            extra={
                "event": "daemon_started",
                "inbox": str(settings.inbox.path),
                "state": str(settings.state.path),
                "places": settings.run.places,
                "executors": ",".join(sorted(executors)),
                "sqlite": sqlite_version(),
            },
        )

    def _prepare_hooks(self, hooks: Hooks, scheduler: Scheduler) -> PluginTeller:
        """Make the hooks' thread, which starts when everything runs."""
        stopping = threading.Event()
        reader = StoreReader(self._settings.store.url)
        self._exit.callback(reader.close)
        self._exit.callback(stopping.set)
        owed = EndedTrees(hooks, reader=reader, writer=scheduler, stopping=stopping)
        thread = self._hook_thread = HookThread(hooks, owed=owed, clock=self._clock)
        self._exit.callback(thread.stop)
        teller = PluginTeller(hooks, thread=thread, reader=reader, clock=self._clock)
        self._teller.tell_plugins(teller)
        return teller

    def _register(self) -> None:
        registration = register(self._settings, version=VERSION)
        self._exit.callback(registration.remove)
        if registration.problem:
            logger.warning(
                "not registered, so --state must say which instance is meant: %s",
                registration.problem,
                extra={"event": "not_registered"},
            )

    def wake(self) -> None:
        """Look at the clock again, which somebody moved."""
        if self._scheduler is not None:
            self._scheduler.wake()

    def note_failures(self) -> None:
        """Note for `inboxd doctor` what plugins did wrong; called again and again."""
        if self._failures is not None:
            self._failures.look()

    def check_state(self) -> None:
        """
        Make sure that the state directory and the database are still the ones that were opened.

        Raises:
            StoreError: they were removed or replaced; nothing more is started or taken, since it
                would be written where nobody finds it.
        """
        lock = self._lock
        database = database_path(self._settings.store.url)
        if lock is None or (lock.is_current() and _identity(database) == self._database):
            return
        self._cut.set()
        raise StoreError(
            f"{escaped(str(self._settings.state.path))} or {escaped(str(database))} was removed or"
            " replaced while the daemon ran; it stops, since nothing that it writes would be"
            " found again: put back what was there, or start it anew"
        )

    def is_idle(self) -> bool:
        """
        Look whether nothing is left that could happen without a person or a new file.

        The order of the questions matters: files become tasks, tasks become answers, and each is
        asked for again after the next, so that nothing slips by in between.
        """
        intake, scheduler, answers = self._intake, self._scheduler, self._answers
        hooks = self._hook_thread
        if intake is None or scheduler is None or answers is None or hooks is None:
            return False
        told = hooks.made  # what is told may drop a file, or end what waits
        return (
            hooks.is_idle
            and all(one.is_idle for one in (self.plugins.working if self.plugins else ()))
            and scheduler.is_idle
            and intake.is_idle()
            and scheduler.is_idle
            and answers.is_idle
            and scheduler.is_idle
            and hooks.is_idle
            and hooks.made == told
        )

    def lasting_problem(self) -> str | None:
        """Return what keeps files from being taken, once nothing else is left; None: nothing."""
        intake, scheduler, answers = self._intake, self._scheduler, self._answers
        if intake is None or scheduler is None or answers is None:
            return None
        problem = intake.lasting_problem()
        return problem if scheduler.is_idle and answers.is_idle and scheduler.is_idle else None

    def cut(self) -> None:
        """End a drain at once: what runs is ended now. From any thread, also before the drain."""
        self._cut.set()

    def stop(self) -> None:
        """Drain, cut what is left, write what is owed, close everything; may be called twice."""
        scheduler, runner = self._scheduler, self._runner
        if self._intake is not None:
            self._intake.stop()
        if scheduler is not None and runner is not None:
            self._drain(scheduler, runner)
        if self._answers is not None:
            self._answers.wait_until_idle(_ANSWER_SECONDS)
        if self._hook_thread is not None:
            self._hook_thread.finish(_HOOK_SECONDS)
        self._exit.close()
        self._scheduler = self._runner = self._answers = self._intake = None
        self._hook_thread = None

    def _drain(self, scheduler: Scheduler, runner: Runner) -> None:
        settings = self._settings.run
        scheduler.stop_claiming()
        running = scheduler.running_count
        if running:
            self._tell(DrainBegan(running=running, seconds=settings.drain_timeout_seconds))
            logger.info(
                "stopping: what runs has %g s to end",
                settings.drain_timeout_seconds,
                extra={"event": "drain_began", "running": running},
            )
        deadline = self._clock.monotonic() + settings.drain_timeout_seconds
        while scheduler.running_count and not self._cut.is_set():
            left = deadline - self._clock.monotonic()
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
            runner.cut()
            scheduler.wait_for_turn(
                lambda: not scheduler.running_count, settings.grace_seconds + _CUT_SECONDS
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _nobody(event: object) -> None:
    """Take an event that nobody wants."""
