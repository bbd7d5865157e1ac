"""One look into the inbox: find what may be taken, take it, pay what is owed."""

from __future__ import annotations

import logging
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxd.failpoints import failpoint
from inboxd.inbox.claim import claim_files, claim_of
from inboxd.inbox.scan import scan_claimed, scan_inbox
from inboxd.inbox.settle import Sighting, settle
from inboxd.inbox.writer import result_of
from inboxd.names import display_file_name
from inboxd.store.intake import reopen_claims

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping, Sequence

    from inboxd.clock import Clock
    from inboxd.config.settings import InboxSettings
    from inboxd.inbox.claim import Claim
    from inboxd.inbox.directory import OpenInbox
    from inboxd.inbox.paying import ReceiptPayer
    from inboxd.inbox.settle import Candidate, Decision, Hint
    from inboxd.inbox.take import FileTaker
    from inboxd.inbox.watcher import Watcher
    from inboxd.inbox.writer import Writer

__all__ = ["RETRY_SECONDS", "Looked", "Looker"]

logger = logging.getLogger(__name__)

#: Before something that failed is tried again.
RETRY_SECONDS = 2.0

#: Files of one round: claimed, committed and answered with one sync of each directory.
_ROUND = 256

#: Claims of one question to the store.
_CLAIMS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one look came to."""

    #: Files that were taken out of the inbox or of `.claimed/`.
    taken: int
    #: Monotonic seconds: when something may be ready, or is tried again; None: on the next event.
    again_at: float | None
    #: Nothing is there to be taken, nothing rests, nothing is owed.
    is_idle: bool
    #: Why some file cannot be taken.
    problem: str | None
    #: Some file could not be taken out of the inbox.
    is_refused: bool
    #: Files rest that will be taken by and by.
    rests: bool


class Looker:
    """Looks into the inbox, and remembers between looks what rests there."""

    def __init__(
        self,
        settings: InboxSettings,
        *,
        writer: Writer,
        taker: FileTaker,
        payer: ReceiptPayer,
        watcher: Watcher,
        clock: Clock,
        suffixes: Sequence[bytes],
        stopping: threading.Event,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._taker = taker
        self._payer = payer
        self._watcher = watcher
        self._clock = clock
        self._suffixes = tuple(suffixes)
        self._stopping = stopping
        #: Names that were told of: each once.
        self._told: set[bytes] = set()
        #: Those of `_stuck` that were told of.
        self._told_stuck: set[bytes] = set()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what lay in another directory: this one is looked into for the first time."""
        #: What rests, in the inbox and in `.claimed/`.
        self._seen: dict[bytes, Sighting] = {}
        self._claimed: dict[bytes, Sighting] = {}
        #: Names that could not be taken out of the inbox.
        self._stuck: set[bytes] = set()
        #: Hints about names that the last scan did not find yet.
        self._early_hints: dict[bytes, Hint] = {}
        self._is_first_look = True
        #: Monotonic seconds: when `.claimed/` is looked through and all debts are paid; None:
        #: nothing can be left over.
        self._recover_at: float | None = self._clock.monotonic()

    def recover_after(self, seconds: float) -> None:
        """Something failed, so that claims or debts may be left over: look for them then."""
        at = self._clock.monotonic() + seconds
        self._recover_at = at if self._recover_at is None else min(at, self._recover_at)

    def look(self, opened: OpenInbox) -> Looked:
        """
        Do what is needed in the inbox.

        Raises:
            OSError: the file system failed.
            WriteUnfinished: a stop came in between.
            Exception: the store failed.
        """
        is_settled = self._payer.is_settled
        if self._recover_at is not None and self._clock.monotonic() >= self._recover_at:
            claimed, claimed_at = self._recover(opened)
        else:
            claimed, claimed_at = self._take_claimed(opened)
        dropped, dropped_at, problem = self._take_dropped(opened)
        rests = [at for at in (claimed_at, dropped_at, self._recover_at) if at is not None]
        return Looked(
            taken=claimed + dropped,
            again_at=min(rests, default=None),
            is_idle=not rests and claimed + dropped == 0 and is_settled,
            problem=problem or self._payer.problem,
            is_refused=bool(self._stuck),
            rests=claimed_at is not None or bool(self._seen.keys() - self._stuck),
        )

    def _recover(self, opened: OpenInbox) -> tuple[int, float | None]:
        """Pay all debts, then take what lies in `.claimed/` and has not been recorded."""
        failpoint("before_recovery")
        self._recover_at = None
        found = scan_claimed(opened.claimed)
        recorded: set[str] = set()
        for start in range(0, len(found), _CLAIMS_AT_ONCE):
            recorded |= self._reopen(found[start : start + _CLAIMS_AT_ONCE])
        if self._payer.pay_all(opened):
            self.recover_after(RETRY_SECONDS)
        failpoint("after_recovery")
        now_ns = opened.file_system_now_ns()
        left = [candidate for candidate in found if claim_of(candidate).key not in recorded]
        return self._settle_claimed(opened, left, now_ns)

    def _reopen(self, found: Sequence[Candidate]) -> set[str]:
        claims = [claim_of(candidate).key for candidate in found]
        reopened = self._writer.write(lambda connection: reopen_claims(connection, claims))
        return result_of(reopened, self._stopping)

    def _take_claimed(self, opened: OpenInbox) -> tuple[int, float | None]:
        """Take what had to rest again in `.claimed/`, and has."""
        if not self._claimed:
            return 0, None
        found = [one for one in scan_claimed(opened.claimed) if one.name in self._claimed]
        return self._settle_claimed(opened, found, None)

    def _settle_claimed(
        self, opened: OpenInbox, found: Iterable[Candidate], file_system_now_ns: int | None
    ) -> tuple[int, float | None]:
        decision = self._settle(found, self._claimed, {}, file_system_now_ns)
        self._claimed = decision.waiting
        claims = sorted((claim_of(candidate) for candidate in decision.taken), key=_drop_order)
        for start in range(0, len(claims), _ROUND):
            self._take(opened, claims[start : start + _ROUND])
        return len(claims), decision.look_again_at

    def _take_dropped(self, opened: OpenInbox) -> tuple[int, float | None, str | None]:
        """Take what may be taken out of the inbox; also why some of it could not be."""
        now_ns = opened.file_system_now_ns() if self._is_first_look else None
        scan = scan_inbox(opened.inbox, self._suffixes)
        # After the scan: a file that changes while we look is then told apart by its facts.
        hints = self._watcher.take()
        decision = self._settle(scan.candidates, self._seen, self._early_hints | hints, now_ns)
        found = {candidate.name for candidate in scan.candidates}
        self._early_hints = {name: hint for name, hint in hints.items() if name not in found}
        self._seen = decision.waiting
        self._is_first_look = False
        self._tell_misplaced(scan.misplaced)
        again_at = decision.look_again_at
        problem: str | None = None
        stuck: set[bytes] = set()
        taken = 0
        for start in range(0, len(decision.taken), _ROUND):
            if self._stopping.is_set():
                break
            claims = claim_files(opened, decision.taken[start : start + _ROUND])
            self._take(opened, claims.claims)
            taken += len(claims.claims)
            for candidate, error in claims.failures:
                problem = self._tell_unclaimable(opened, candidate, error)
                stuck.add(candidate.name)
                # It has rested, and is tried again at each look for as long as nobody touches it.
                self._seen[candidate.name] = Sighting(
                    facts=candidate.facts, since=-math.inf, is_whole=False
                )
        self._told_stuck &= stuck
        self._stuck = stuck
        if problem is not None:
            again_at = _earlier(again_at, self._clock.monotonic() + RETRY_SECONDS)
        return taken, again_at, problem

    def _take(self, opened: OpenInbox, claims: Sequence[Claim]) -> None:
        taken = self._taker.take(opened, claims)
        now = self._clock.monotonic()
        for candidate in taken.unsettled:
            self._claimed[candidate.name] = Sighting(
                facts=candidate.facts, since=now, is_whole=False
            )
        if taken.unpaid:
            self.recover_after(RETRY_SECONDS)
        if taken.failed:
            self.recover_after(self._settings.scan_interval_seconds)

    def _settle(
        self,
        candidates: Iterable[Candidate],
        seen: Mapping[bytes, Sighting],
        hints: Mapping[bytes, Hint],
        file_system_now_ns: int | None,
    ) -> Decision:
        return settle(
            candidates,
            seen=seen,
            hints=hints,
            now=self._clock.monotonic(),
            settle_seconds=self._settings.settle_seconds,
            max_bytes=self._settings.max_file_bytes,
            file_system_now_ns=file_system_now_ns,
        )

    def _tell_misplaced(self, misplaced: Iterable[tuple[bytes, str]]) -> None:
        for name, reason in misplaced:
            if name not in self._told:
                self._told.add(name)
                logger.warning(
                    "this is never taken from the inbox: %s",
                    reason,
                    extra={
                        "event": "file_misplaced",
                        "file": display_file_name(name),
                        "reason": reason,
                    },
                )

    def _tell_unclaimable(self, opened: OpenInbox, candidate: Candidate, error: OSError) -> str:
        file = display_file_name(candidate.name)
        where = opened.path
        if not os.access(".claimed", os.W_OK | os.X_OK, dir_fd=opened.inbox):
            where /= ".claimed"
        if candidate.name not in self._told_stuck:
            self._told_stuck.add(candidate.name)
            logger.warning(
                "a file cannot be taken out of the inbox: the daemon's user must be able to write"
                " to the directory, and to own it where its sticky bit is set",
                extra={
                    "event": "file_not_claimed",
                    "file": file,
                    "directory": str(where),
                    "reason": error.strerror,
                },
            )
        return f"{file} cannot be taken out of the inbox: {where}: {error.strerror}"


def _drop_order(claim: Claim) -> tuple[int, bytes, str]:
    """The order of a scan; a name in `.claimed/` begins with a uuid, which says nothing of it."""
    return claim.settled.facts.mtime_ns, claim.file_name, claim.key


def _earlier(one: float | None, other: float) -> float:
    return other if one is None else min(one, other)
