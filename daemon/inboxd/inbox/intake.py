"""
The intake: one thread that looks into the inbox and does what is needed.

A look is safe to repeat, and happens at start, on an event, when a file may have rested, and every
`scan_interval`. Nothing that fails ends the thread: it is told once, and tried again.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxd.array.limits import Limits
from inboxd.errors import ConfigurationError, InboxdError
from inboxd.inbox.formats import Formats
from inboxd.inbox.look import RETRY_SECONDS, Looker
from inboxd.inbox.owners import owner_numbers
from inboxd.inbox.paying import ReceiptPayer
from inboxd.inbox.read import ReadRules
from inboxd.inbox.take import FileTaker
from inboxd.inbox.watcher import Watcher
from inboxd.inbox.writer import Writer, WriteUnfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inboxd.array.catalog import Catalog
    from inboxd.clock import Clock
    from inboxd.config.settings import InboxSettings
    from inboxd.events import Listener
    from inboxd.inbox.current import CurrentInbox
    from inboxd.inbox.directory import OpenInbox
    from inboxd.inbox.look import Looked
    from inboxd.inbox.publishing import Publishing
    from inboxd.store.intake import OwedReceipt

__all__ = ["Intake", "IntakeHealth", "Writer"]

logger = logging.getLogger(__name__)

#: Between two looks that took nothing: as long as a look takes, at most this, so that a crowd of
#: resting files and a stream of events do not eat a CPU.
_LONGEST_BREATH_SECONDS = 0.25

_RETRIES_OF_A_PROBLEM = 3

#: How long `stop` waits; a write that is under way has ten seconds of that.
_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeHealth:
    """How the intake is."""

    #: Why files are not taken, or not all of them; None when all is well.
    problem: str | None
    #: Why events do not come, so that files are found later; None when they come.
    watch_problem: str | None
    is_alive: bool
    #: Microseconds since 1970 of the last look through the inbox; None: there was none yet.
    last_look_at: int | None = None


class Intake:
    """Takes what is dropped into the inbox; see the module."""

    def __init__(
        self,
        settings: InboxSettings,
        *,
        inbox: CurrentInbox,
        writer: Writer,
        catalog: Catalog,
        clock: Clock,
        tell: Listener,
        publishing: Publishing,
        results_owed: Callable[[], None],
        formats: Formats | None = None,
        answered: Callable[[Sequence[OwedReceipt]], None] | None = None,
    ) -> None:
        """
        Args:
            settings: `[inbox]`.
            inbox: shared with the results' thread.
            writer: the scheduler's thread, which must run before `start` and until `stop` is done.
            catalog: the executors.
            clock: the time.
            tell: is told of every file that was taken or rejected, on the intake's thread.
            publishing: shared with the results' thread.
            results_owed: called when a result file is owed for a tree that has ended already.
            formats: which files are taken, and who reads them; None: JSON alone.
            answered: is told of drops whose receipts are on disk, on the intake's thread.

        Raises:
            ConfigurationError: `allowed_owners` names a user that does not exist.
        """
        formats = formats or Formats()
        suffixes = formats.suffixes
        self._settings = settings
        self._inbox = inbox
        self._clock = clock
        self._results_owed = results_owed
        self._wake = threading.Event()
        inbox.look_wanted = self._wake.set
        self._stopping = threading.Event()
        self._watcher = Watcher(self._wake, suffixes)
        payer = ReceiptPayer(
            writer, publishing=publishing, stopping=self._stopping, answered=answered
        )
        self._looker = Looker(
            settings,
            writer=writer,
            payer=payer,
            taker=FileTaker(
                writer,
                payer=payer,
                formats=formats,
                catalog=catalog,
                clock=clock,
                rules=ReadRules(
                    max_bytes=settings.max_file_bytes,
                    owners=owner_numbers(settings.allowed_owners),
                    suffixes=suffixes,
                ),
                limits=Limits(
                    max_bytes=settings.max_file_bytes,
                    max_depth=settings.max_depth,
                    max_tasks=settings.max_tasks,
                ),
                tell=tell,
                results_owed=results_owed,
                stopping=self._stopping,
            ),
            watcher=self._watcher,
            clock=clock,
            suffixes=suffixes,
            stopping=self._stopping,
        )
        self._thread: threading.Thread | None = None
        self._problem: str | None = None
        #: Monotonic seconds: since when there has been some problem.
        self._problem_since: float | None = None
        self._rests = False
        #: Files could not be taken, and nothing was taken since.
        self._is_refused = False
        self._looked = threading.Condition()
        self._looks_wanted = 0
        self._last_look_at: int | None = None
        self._looks_done = 0
        self._was_idle = False

    def open(self) -> OpenInbox:
        """
        Open the inbox, so that whoever may not use it is told before anything is run.

        Raises:
            ConfigurationError: the inbox is not safe to use, or cannot be reached.
            InboxInUse: another daemon takes files from it.
        """
        try:
            return self._inbox.open(make=True)[0]
        except OSError as error:
            raise ConfigurationError([self._sentence(error)]) from error

    def start(self) -> None:
        """
        Begin to look; may be called twice.

        Raises:
            ConfigurationError, InboxInUse: see `open`.
        """
        if self._thread is not None:
            return
        self._watcher.watch(self.open().inbox)
        self._results_owed()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more; the inbox stays open, for the results. May be called twice."""
        self._stopping.set()
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        thread.join(_STOP_SECONDS)
        if thread.is_alive():
            logger.error("the intake does not end", extra={"event": "intake_hangs"})
        self._watcher.stop()

    def is_idle(self, timeout_seconds: float = 1.0) -> bool:
        """
        Look, and return whether there is nothing to take, nothing that rests, no receipt owed.

        Args:
            timeout_seconds: a look that takes longer means no.
        """
        with self._looked:
            self._looks_wanted += 1
            wanted = self._looks_wanted
        self._wake.set()
        with self._looked:
            is_done = self._looked.wait_for(lambda: self._looks_done >= wanted, timeout_seconds)
            return is_done and self._was_idle

    def lasting_problem(self) -> str | None:
        """
        Return the problem that keeps the intake from being idle, and will not pass by itself.

        None: there is none, or it has not lasted for three retries, or files still rest that may be
        taken all the same. From any thread; as of the last look.
        """
        since = self._problem_since
        if since is None or self._rests:
            return None
        has_lasted = self._clock.monotonic() - since >= _RETRIES_OF_A_PROBLEM * RETRY_SECONDS
        return self._problem if has_lasted else None

    def health(self) -> IntakeHealth:
        """Return how the intake is; from any thread."""
        thread = self._thread
        return IntakeHealth(
            problem=self._problem,
            watch_problem=self._watcher.problem,
            is_alive=thread is not None and thread.is_alive(),
            last_look_at=self._last_look_at,
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            with self._looked:
                wanted = self._looks_wanted
            begun = self._clock.monotonic()
            try:
                looked = self._look()
            except WriteUnfinished:
                return
            except Exception as error:  # the thread's outer door: told once, tried again
                self._fail(error)
                looked = None
            self._announce(wanted, looked)
            self._rest(begun, looked)

    def _look(self) -> Looked:
        opened, is_new = self._inbox.open()
        if is_new:
            self._looker.begin_anew()
            self._watcher.stop()
            self._results_owed()  # those that had no directory to go to
        if not self._watcher.is_watching():
            self._watcher.watch(opened.inbox)
        looked = self._looker.look(opened)
        if looked.problem is None and self._problem is not None:
            self._note_recovery(looked)
        if looked.taken:
            self._is_refused = False
        self._is_refused |= looked.is_refused
        self._set_problem(looked.problem)
        self._rests = looked.rests or looked.taken > 0
        return looked

    def _note_recovery(self, looked: Looked) -> None:
        # When its owner took away what could not be taken, nothing is known to work.
        if not self._is_refused or looked.taken:
            logger.info("the intake works again", extra={"event": "intake_recovered"})

    def _set_problem(self, problem: str | None) -> None:
        if problem is None:
            self._problem_since = None
        elif self._problem_since is None:
            self._problem_since = self._clock.monotonic()
        self._problem = problem

    def _fail(self, error: Exception) -> None:
        self._looker.recover_after(RETRY_SECONDS)
        problem = self._sentence(error)
        if problem != self._problem:
            is_foreseen = isinstance(error, (OSError, InboxdError))
            logger.error(
                "the intake cannot go on; it is tried again",
                extra={"event": "intake_degraded", "reason": problem},
                exc_info=None if is_foreseen else error,
            )
        self._set_problem(problem)
        self._rests = False

    def _announce(self, wanted: int, looked: Looked | None) -> None:
        if looked is not None:
            self._last_look_at = self._clock.now_micros()
        with self._looked:
            self._looks_done = wanted
            self._was_idle = looked is not None and looked.is_idle
            self._looked.notify_all()

    def _rest(self, begun: float, looked: Looked | None) -> None:
        now = self._clock.monotonic()
        if looked is None:
            self._stopping.wait(RETRY_SECONDS)
            return
        if looked.taken == 0:
            self._stopping.wait(min(now - begun, _LONGEST_BREATH_SECONDS))
        pause = self._settings.scan_interval_seconds
        if not self._watcher.is_watching():
            pause = min(pause, RETRY_SECONDS)
        if looked.again_at is not None:
            pause = min(pause, looked.again_at - now)
        self._wait(now + pause)

    def _wait(self, until: float) -> None:
        """Wait for an event; also make sure that the inbox is there, since none tells of that."""
        while (left := until - self._clock.monotonic()) > 0:
            if self._wake.wait(min(left, RETRY_SECONDS)) or not self._inbox.is_current():
                return

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, OSError):
            path = str(self._settings.path)
            where = str(error.filename) if str(error.filename).startswith(f"{path}/") else path
            return (
                f"{where}: {error.strerror or error}; it must be a directory"
                " that the daemon's user may read and write"
            )
        return str(error) if isinstance(error, InboxdError) else f"{type(error).__name__}: {error}"
