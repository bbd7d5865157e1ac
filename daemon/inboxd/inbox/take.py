"""
Take claimed files: read, check, commit, answer. Many small ones go together, a large one alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from inboxd.array.check import CheckedArray
from inboxd.events import FileRejected, FileTaken
from inboxd.failpoints import failpoint
from inboxd.ids import new_id
from inboxd.inbox.accept import (
    Rejection,
    accept_small,
    incoming_tree,
    reject,
)
from inboxd.inbox.large import store_large
from inboxd.inbox.read import Content, Gone, Refused, Unsettled, read_claimed
from inboxd.inbox.receipts import decode_problems, encode_problems
from inboxd.inbox.writer import WriteUnfinished, result_of
from inboxd.names import display_file_name
from inboxd.store.acceptance import SMALL_TREE

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from inboxd.array.catalog import Catalog
    from inboxd.array.limits import Limits
    from inboxd.array.problem import Problem
    from inboxd.clock import Clock
    from inboxd.events import Listener
    from inboxd.inbox.accept import Incoming
    from inboxd.inbox.claim import Claim
    from inboxd.inbox.directory import OpenInbox
    from inboxd.inbox.formats import Formats
    from inboxd.inbox.paying import ReceiptPayer
    from inboxd.inbox.read import ReadRules
    from inboxd.inbox.settle import Candidate
    from inboxd.inbox.writer import Writer
    from inboxd.store.intake import Connection, OwedReceipt

__all__ = ["FileTaker", "Taken"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: What is checked and not yet committed is held in memory: no more than this.
_MOST_TASKS_TOGETHER = SMALL_TREE
_MOST_BYTES_TOGETHER = 8 * 1024 * 1024

#: A work is given to the store's thread whole: some milliseconds for so many files of a few tasks.
_FILES_A_WORK = 64

#: A rejected file's first problems are told to whoever looks on.
_MOST_TOLD = 5


@dataclass(slots=True)
class Taken:
    """What became of the files of one round."""

    #: They must rest again, inside `.claimed/`.
    unsettled: list[Candidate] = field(default_factory=list["Candidate"])
    #: They could not be taken for a fault that is not theirs, and stay in `.claimed/`.
    failed: list[Claim] = field(default_factory=list["Claim"])
    #: How many drops were recorded and are still to be answered.
    unpaid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Small:
    """A file that one work records."""

    claim: Claim
    work: Callable[[Connection], OwedReceipt]
    tasks: int = 0
    size: int = 0


@dataclass(slots=True)
class _Together:
    """Files that are committed and answered together."""

    files: list[_Small] = field(default_factory=list[_Small])
    tasks: int = 0
    size: int = 0

    def add(self, file: _Small) -> None:
        self.files.append(file)
        self.tasks += file.tasks
        self.size += file.size

    @property
    def is_full(self) -> bool:
        return self.tasks >= _MOST_TASKS_TOGETHER or self.size >= _MOST_BYTES_TOGETHER


@dataclass(frozen=True, slots=True, kw_only=True)
class _Large:
    """An array whose tasks go into the store in turns of their own."""

    claim: Claim
    incoming: Incoming
    checked: CheckedArray


class FileTaker:
    """Takes files that were claimed, in their order."""

    def __init__(
        self,
        writer: Writer,
        *,
        payer: ReceiptPayer,
        formats: Formats,
        catalog: Catalog,
        clock: Clock,
        rules: ReadRules,
        limits: Limits,
        tell: Listener,
        results_owed: Callable[[], None],
        stopping: threading.Event,
    ) -> None:
        self._writer = writer
        self._payer = payer
        self._formats = formats
        self._catalog = catalog
        self._clock = clock
        self._rules = rules
        self._limits = limits
        self._tell = tell
        self._results_owed = results_owed
        self._reported: set[str] = set()
        self._stopping = stopping

    def take(self, opened: OpenInbox, claims: Sequence[Claim]) -> Taken:
        """
        Take *claims* in, in this order.

        Raises:
            OSError: an answer could not be written; it stays owed.
            WriteUnfinished: a stop came in between.
        """
        taken = Taken()
        together = _Together()
        for claim in claims:
            if self._stopping.is_set():
                break  # the next start finds it in .claimed
            prepared = self._prepare(opened, claim, taken)
            if isinstance(prepared, _Small):
                together.add(prepared)
            if isinstance(prepared, _Large) or together.is_full:
                self._take_together(opened, together.files, taken)
                together = _Together()
            if isinstance(prepared, _Large):
                self._take_large(opened, prepared, taken)
        self._take_together(opened, together.files, taken)
        return taken

    def _prepare(self, opened: OpenInbox, claim: Claim, taken: Taken) -> _Small | _Large | None:
        try:
            reading = read_claimed(opened.claimed, claim, self._rules)
            failpoint("after_read")
            match reading:
                case Content():
                    return self._check(claim, reading)
                case Refused():
                    return self._rejection(claim, None, [reading.problem])
                case Unsettled():
                    taken.unsettled.append(reading.found)
                case Gone():
                    logger.warning(
                        "somebody took a file out of .claimed; it is not taken",
                        extra={"event": "claim_gone", "file": display_file_name(claim.file_name)},
                    )
        except Exception as error:  # the door of one file: the others go on
            self._fail(claim, taken, error)
        return None

    def _check(self, claim: Claim, content: Content) -> _Small | _Large:
        checked = self._formats.check(
            claim.file_name,
            content.data,
            limits=self._limits,
            catalog=self._catalog,
            owner=content.owner,
        )
        if not isinstance(checked, CheckedArray):
            return self._rejection(claim, content.sha256, checked.problems)
        incoming = incoming_tree(
            claim, content, checked, tree_id=new_id(), received_at=self._clock.now_micros()
        )
        if checked.task_count > SMALL_TREE:
            return _Large(claim=claim, incoming=incoming, checked=checked)
        specs = [spec for batch in checked.batches(SMALL_TREE) for spec in batch]
        return _Small(
            claim=claim,
            work=lambda connection: accept_small(
                connection, incoming, specs, self._clock.now_micros()
            ),
            tasks=checked.task_count,
            size=len(content.data),
        )

    def _rejection(self, claim: Claim, sha256: str | None, problems: Sequence[Problem]) -> _Small:
        rejection = Rejection(
            claim=claim.key,
            file_name=claim.file_name,
            received_at=self._clock.now_micros(),
            sha256=sha256,
            problems=encode_problems(problems),
        )
        return _Small(claim=claim, work=lambda connection: reject(connection, rejection))

    def _take_together(self, opened: OpenInbox, files: Sequence[_Small], taken: Taken) -> None:
        if not files:
            return
        failpoint("before_commit")
        groups = [
            files[start : start + _FILES_A_WORK] for start in range(0, len(files), _FILES_A_WORK)
        ]
        futures = [(group, self._writer.write(_work_of(group))) for group in groups]
        owed: list[OwedReceipt] = []
        for group, future in futures:
            try:
                recorded: list[OwedReceipt] = result_of(future, self._stopping)
            except WriteUnfinished:
                raise
            except Exception:
                logger.debug("one of several files cannot be recorded", exc_info=True)
                recorded = self._record_singly(group, taken)
            owed.extend(recorded)
        failpoint("after_commit")
        self._answer(opened, owed, taken)

    def _record_singly(self, files: Sequence[_Small], taken: Taken) -> list[OwedReceipt]:
        """Record each of *files* by itself, since one of them spoils the work of all."""
        owed: list[OwedReceipt] = []
        for file in files:
            try:
                owed.append(self._write(file.work))
            except WriteUnfinished:
                raise
            except Exception as error:  # the door of one file: the others go on
                self._fail(file.claim, taken, error)
        return owed

    def _take_large(self, opened: OpenInbox, large: _Large, taken: Taken) -> None:
        try:
            owed = store_large(
                large.incoming,
                large.checked,
                writer=self._writer,
                clock=self._clock,
                stopping=self._stopping,
            )
        except WriteUnfinished:
            raise
        except Exception as error:  # the door of one file: the others go on
            self._fail(large.claim, taken, error)
            return
        failpoint("after_commit")
        self._answer(opened, [owed], taken)

    def _write(self, work: Callable[[Connection], T]) -> T:
        return result_of(self._writer.write(work), self._stopping)

    def _answer(self, opened: OpenInbox, owed: Sequence[OwedReceipt], taken: Taken) -> None:
        for debt in owed:
            self._tell(_event_of(debt))
        taken.unpaid += self._payer.pay(opened, owed)
        if any(debt.duplicate or debt.moves for debt in owed):
            self._results_owed()

    def _fail(self, claim: Claim, taken: Taken, error: Exception) -> None:
        taken.failed.append(claim)
        if claim.key in self._reported:
            return
        self._reported.add(claim.key)
        logger.error(
            "a file could not be taken; it stays in .claimed and is tried again",
            extra={
                "event": "file_not_taken",
                "file": display_file_name(claim.file_name),
                "claim": claim.key,
            },
            exc_info=error,
        )


def _work_of(files: Sequence[_Small]) -> Callable[[Connection], list[OwedReceipt]]:
    return lambda connection: [file.work(connection) for file in files]


def _event_of(debt: OwedReceipt) -> FileTaken | FileRejected:
    problems = decode_problems(debt.problems)
    if debt.tree_id is None:
        return FileRejected(
            file_name=debt.file_name,
            problems=tuple(str(problem) for problem in problems[:_MOST_TOLD]),
            problem_count=len(problems),
        )
    return FileTaken(
        file_name=debt.file_name,
        tree_id=debt.tree_id,
        tree_name=debt.tree_name,
        task_count=debt.task_count,
        duplicate=debt.duplicate,
        warnings=len(problems),
    )
