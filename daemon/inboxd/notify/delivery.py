"""
The thread that delivers notifications, one after the other, the earliest due first.

It is the plugin's own, so that a program that takes its time delays nothing else.
"""

from __future__ import annotations

import atexit
import logging
import threading
from typing import TYPE_CHECKING

import msgspec

from inboxd.clock import SystemClock, rfc3339_micros
from inboxd.notify.program import CUT_GRACE_SECONDS, run_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.clock import Clock
    from inboxd.notify.spool import Notification, Spool

__all__ = ["Delivery"]

logger = logging.getLogger(__name__)

#: Before the second try, and what each further delay is multiplied by.
FIRST_DELAY_SECONDS = 5.0
_BACKOFF = 3.0
_MOST_DELAY_SECONDS = 3_600.0
#: After so many tries, some four hours, it is given up.
MOST_TRIES = 10
#: When the spool itself cannot be written.
_AFTER_ERROR_SECONDS = 5.0
#: Beyond the grace, to see that a program ended, and to record it.
_RECORD_SECONDS = 0.5


class Delivery:
    """Runs the program for what is in the spool."""

    def __init__(
        self,
        argv: Sequence[str],
        spool: Spool,
        *,
        clock: Clock | None = None,
        first_delay_seconds: float = FIRST_DELAY_SECONDS,
    ) -> None:
        self._argv = tuple(argv)
        self._spool = spool
        self._clock: Clock = clock or SystemClock()
        self._first_delay_seconds = first_delay_seconds
        self._changed = threading.Condition()
        #: By their ids; `_changed` guards it.
        self._pending: dict[str, Notification] = {}
        self._busy = False
        self._stopping = False
        self._cut = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin with what an earlier daemon left; may be called twice."""
        if self._thread is not None:
            return
        for one in self._spool.load():
            self._pending[one.id] = one
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
        self._thread.start()
        # A plugin that hangs may keep the stop from us; no program is to outlive the daemon.
        atexit.register(self.stop, 0.0)

    def add(self, notification: Notification) -> None:
        """Deliver what has just come into the spool; from any thread, returns at once."""
        with self._changed:
            self._pending[notification.id] = notification
            self._changed.notify_all()

    @property
    def is_idle(self) -> bool:
        """Whether all that is due now was tried; what waits for its next try does not count."""
        with self._changed:
            return not self._busy and self._next()[0] is None

    def stop(self, seconds: float) -> None:
        """
        Try what is due now for so many seconds, then end; the rest stays in the spool.

        A program that runs longer is ended, and its try is counted and recorded as one that failed.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._busy and self._next()[0] is None, seconds)
        self._cut.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(CUT_GRACE_SECONDS + _RECORD_SECONDS)
        atexit.unregister(self.stop)

    def _next(self) -> tuple[Notification | None, float | None]:
        """Return what is due first, if it is due now, and otherwise in how many seconds it is."""
        if not self._pending:
            return None, None
        first = min(self._pending.values(), key=lambda one: (one.due_at, one.id))
        wait = (first.due_at - self._clock.now_micros()) / 1_000_000
        return (first, 0.0) if wait <= 0 else (None, wait)

    def _run(self) -> None:
        while True:
            with self._changed:
                one, wait = self._next()
                while one is None and not self._stopping:
                    self._changed.wait(wait)
                    one, wait = self._next()
                if one is None or self._cut.is_set():
                    return
                self._busy = True
            try:
                self._deliver(one)
            except Exception:  # the thread's outer door
                logger.exception(
                    "a notification could not be handled; it is tried again",
                    extra={"event": "notify_error", "notification": one.id},
                )
                self._put_off(one)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _put_off(self, one: Notification) -> None:
        """Try again in some seconds, or in the next daemon, what the spool cannot note."""
        due_at = self._clock.now_micros() + int(_AFTER_ERROR_SECONDS * 1_000_000)
        with self._changed:
            if one.id in self._pending:
                self._pending[one.id] = msgspec.structs.replace(
                    self._pending[one.id], due_at=due_at
                )

    def _deliver(self, one: Notification) -> None:
        reason = run_program(
            self._argv,
            self._spool.document(one),
            {
                "INBOXD_NOTIFY_ID": one.id,
                "INBOXD_NOTIFY_EVENT": one.event,
                "INBOXD_NOTIFY_TREE_ID": one.tree_id or "",
                "INBOXD_NOTIFY_FILE": one.file or "",
            },
            cut=self._cut,
        )
        now = self._clock.now_micros()
        if reason is None:
            self._tell(one, "delivered", now, None)
            self._forget(one)
            return
        tries = one.tries + 1
        if tries >= MOST_TRIES:
            self._tell(one, "given_up", now, reason)
            self._forget(one)
            return
        delay = min(self._first_delay_seconds * _BACKOFF**one.tries, _MOST_DELAY_SECONDS)
        if self._cut.is_set():
            delay = 0.0  # the next daemon begins with it
        later = msgspec.structs.replace(one, tries=tries, due_at=now + int(delay * 1_000_000))
        self._tell(one, "failed", now, reason, later.due_at)
        self._spool.postpone(later)
        with self._changed:
            self._pending[one.id] = later

    def _forget(self, one: Notification) -> None:
        self._spool.remove(one)
        with self._changed:
            self._pending.pop(one.id, None)

    def _tell(
        self,
        one: Notification,
        outcome: str,
        now: int,
        reason: str | None,
        next_at: int | None = None,
    ) -> None:
        facts: dict[str, object] = {
            "event": f"notification_{outcome}",
            "notification": one.id,
            "about": one.event,
            "try": one.tries + 1,
        }
        if one.tree_id is not None:
            facts["tree"] = one.tree_id
        if one.file is not None:
            facts["file"] = one.file
        if reason is not None:
            facts["reason"] = reason
        if next_at is not None:
            facts["next_at"] = rfc3339_micros(next_at)
        levels = {"delivered": logging.INFO, "failed": logging.WARNING}
        words = {
            "delivered": "notified",
            "failed": "the program of [notify] failed; it is tried again",
            "given_up": "the program of [notify] failed too often: this is not told",
        }
        logger.log(levels.get(outcome, logging.ERROR), words[outcome], extra=facts)
        try:
            self._spool.note(one, outcome, now, reason)
        except OSError as error:
            # No reason to tell again what was told.
            logger.error(  # noqa: TRY400 - the disk is to blame, not a line of ours
                "what became of a notification cannot be recorded: %s",
                error,
                extra={"event": "notify_unrecorded", "notification": one.id},
            )
