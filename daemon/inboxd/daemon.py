"""
The daemon: an engine, and an inbox whose files it takes and answers.

Start: engine, answers, intake, hooks. Stop: intake first, then no new starts, the drain, the cut,
the answers that are owed, what plugins are to hear, and everything closed.
"""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from inboxd.control.feed import Feed
from inboxd.control.parts import Parts
from inboxd.control.peers import Permissions
from inboxd.control.server import ControlServer
from inboxd.control.socket import ControlSocket, socket_path
from inboxd.engine import Engine
from inboxd.errors import ConfigurationError
from inboxd.inbox.answers import Answers
from inboxd.inbox.current import CurrentInbox
from inboxd.inbox.formats import Formats
from inboxd.inbox.intake import Intake
from inboxd.inbox.publishing import Publishing
from inboxd.instances import register
from inboxd.plugged import let_log
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.failure_file import FailureFile
from inboxd.store.driver import sqlite_version
from inboxd.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

    from inboxd.clock import Clock
    from inboxd.config.settings import Settings
    from inboxd.events import Event, Listener
    from inboxd.plugins.manager import Plugins
    from inboxd.running.runner import Runner
    from inboxd.telling.teller import Teller

__all__ = ["Daemon"]

logger = logging.getLogger(__name__)

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
        self._is_listed = is_listed
        self._exit = ExitStack()
        #: What readers of events read from.
        feed = self.feed = Feed(clock)

        def tell_all(event: Event) -> None:
            feed.tell(event)
            if tell is not None:
                tell(event)

        self._engine = Engine(settings, tell=tell_all, clock=clock, installed=installed, watch=feed)
        self._socket: ControlSocket | None = None
        self._answers: Answers | None = None
        self._intake: Intake | None = None
        self._failures: FailureFile | None = None
        self._is_running = False

    @property
    def teller(self) -> Teller:
        """Counts of what ended in this run."""
        return self._engine.teller

    @property
    def plugins(self) -> Plugins:
        """What was loaded; only between `start` and `stop`."""
        return self._engine.plugins

    @property
    def runner(self) -> Runner:
        """What runs now; only between `start` and `stop`."""
        return self._engine.runner

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
        self._is_running = True

    def _start(self) -> None:
        settings, engine = self._settings, self._engine
        self._exit.callback(engine.close)
        engine.open()
        plugins, scheduler, executors = engine.plugins, engine.scheduler, engine.executors
        let_log(plugins)
        permissions = Permissions(settings.control)
        self._socket = self._make_socket()
        self._failures = FailureFile(settings.state.path, plugins.hooks, clock=engine.clock)
        publishing = Publishing()
        inbox = CurrentInbox(settings.inbox)
        self._exit.callback(inbox.close)
        reader = engine.open_reader()
        answers = self._answers = Answers(
            inbox=inbox, writer=scheduler, reader=reader, publishing=publishing
        )
        engine.teller.results_owed = answers.wake
        answers.written = engine.tell_plugins.results_written
        intake = self._intake = Intake(
            settings.inbox,
            inbox=inbox,
            writer=scheduler,
            catalog=ExecutorCatalog(executors),
            clock=engine.clock,
            tell=engine.teller.tell_file,
            publishing=publishing,
            results_owed=answers.wake,
            formats=Formats(plugins.hooks),
            answered=engine.tell_plugins.receipts_written,
        )
        intake.open()
        engine.start()
        answers.start()
        self._exit.callback(answers.stop)
        intake.start()
        self._exit.callback(intake.stop)
        engine.hook_thread.start()
        if self._socket is not None:
            parts = Parts(
                settings=settings,
                permissions=permissions,
                scheduler=scheduler,
                feed=self.feed,
                intake_health=intake.health,
                clock=engine.clock,
            )
            server = ControlServer(parts, self._socket)
            server.start()
            self._exit.callback(server.stop)
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

    def _make_socket(self) -> ControlSocket | None:
        """
        Make the control socket; None: there is none, which the log tells.

        Raises:
            ConfigurationError: it cannot be where the settings say.
        """
        control = self._settings.control
        if control.socket == "auto" and not self._is_listed:
            return None
        path = socket_path(self._settings, os.environ)
        try:
            made = ControlSocket.make(path, control)
        except ConfigurationError as error:
            if control.socket != "auto":
                raise
            logger.warning(
                "no control socket, so that nobody can steer this daemon: %s",
                error,
                extra={"event": "no_control_socket"},
            )
            return None
        self._exit.callback(made.close)
        if control.socket == "auto":
            ControlSocket.remove_left(path.parent)
        return made

    def _register(self) -> None:
        socket = None if self._socket is None else self._socket.path
        registration = register(self._settings, version=VERSION, socket=socket)
        self._exit.callback(registration.remove)
        if registration.problem:
            logger.warning(
                "not registered, so --state must say which instance is meant: %s",
                registration.problem,
                extra={"event": "not_registered"},
            )

    def wake(self) -> None:
        """Look at the clock again, which somebody moved."""
        if self._is_running:
            self._engine.scheduler.wake()

    def note_failures(self) -> None:
        """Note for `inboxd doctor` what plugins did wrong; called again and again."""
        if self._failures is not None:
            self._failures.look()

    def check_state(self) -> None:
        """
        Make sure that the state directory and the database are still the ones that were opened.

        Raises:
            StoreError: they were removed or replaced (see `Engine.check`).
        """
        self._engine.check()

    def is_idle(self) -> bool:
        """
        Look whether nothing is left that could happen without a person or a new file.

        The order of the questions matters: files become tasks, tasks become answers, and each is
        asked for again after the next, so that nothing slips by in between.
        """
        intake, answers = self._intake, self._answers
        if intake is None or answers is None or not self._is_running:
            return False
        scheduler, hooks = self._engine.scheduler, self._engine.hook_thread
        told = hooks.made  # what is told may drop a file, or end what waits
        return (
            hooks.is_idle
            and all(one.is_idle for one in self._engine.plugins.working)
            and scheduler.is_idle
            and self._engine.missed.is_idle
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
        intake, answers = self._intake, self._answers
        if intake is None or answers is None or not self._is_running:
            return None
        scheduler = self._engine.scheduler
        problem = intake.lasting_problem()
        return problem if scheduler.is_idle and answers.is_idle and scheduler.is_idle else None

    def cut(self) -> None:
        """End a drain at once: what runs is ended now. From any thread, also before the drain."""
        self._engine.cut()

    def stop(self) -> None:
        """Drain, cut what is left, write what is owed, close everything; may be called twice."""
        if self._intake is not None:
            self._intake.stop()
        if self._is_running:
            self._engine.drain(self._settings.run.drain_timeout_seconds)
        if self._answers is not None:
            self._answers.wait_until_idle(_ANSWER_SECONDS)
        if self._is_running:
            self._engine.hook_thread.finish(_HOOK_SECONDS)
        self._is_running = False
        self._exit.close()
        self._answers = self._intake = None
