"""
Pay what a recorded drop owes: earlier answers moved aside, its receipt, its file beside that.

All of it may be done again after a crash. Only the moves aside may not, once newer answers lie
under the name; so that they are done is committed before any such answer is written.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from inboxd.failpoints import failpoint
from inboxd.inbox.answer_files import AnswerFiles, move_file
from inboxd.inbox.file_names import claimed_name, placed_name
from inboxd.inbox.making_way import make_way, make_way_for_result, move_aside
from inboxd.inbox.receipts import receipt_document, receipt_name
from inboxd.inbox.writer import result_of
from inboxd.names import display_file_name
from inboxd.store.intake import clear_moves, clear_receipts, owed_receipts

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from inboxd.inbox.directory import OpenInbox
    from inboxd.inbox.publishing import Publishing
    from inboxd.inbox.writer import Writer
    from inboxd.store.intake import OwedReceipt

__all__ = ["ReceiptPayer"]

logger = logging.getLogger(__name__)

#: What is wrong with the file system, and not with one name in it.
_FOR_ALL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})

#: Debts of one round after a crash: one commit and one sync of each directory for so many.
_ROUND = 256


class ReceiptPayer:
    """Writes receipts and moves files, many for one sync of their directories."""

    def __init__(
        self,
        writer: Writer,
        *,
        publishing: Publishing,
        stopping: threading.Event,
        answered: Callable[[Sequence[OwedReceipt]], None] | None = None,
    ) -> None:
        self._writer = writer
        self._answered = answered
        self._publishing = publishing
        self._stopping = stopping
        #: Commits that say something was paid; nobody need wait for them.
        self._clearing: deque[Future[None]] = deque()
        #: Why some receipt is not written; None when all are.
        self.problem: str | None = None
        #: Problems that were logged since all was well: each once.
        self._told: set[str] = set()

    @property
    def is_settled(self) -> bool:
        """Whether everything that was paid is known to be paid; for the intake's thread."""
        while self._clearing and self._clearing[0].done():
            self._clearing.popleft().result()
        return not self._clearing

    def pay_all(self, opened: OpenInbox) -> int:
        """
        Pay everything that the store says is owed, and return how many debts are left; see `pay`.

        Raises:
            Exception: the store could not be written.
        """
        self.problem = None
        unpaid = after = 0
        while owed := self._owed(after):
            unpaid += self.pay(opened, owed)
            after = owed[-1].id
        if not unpaid:
            self._told.clear()
        return unpaid

    def pay(self, opened: OpenInbox, owed: Sequence[OwedReceipt]) -> int:
        """
        Pay *owed*, in the order in which it was recorded, and return how many debts are left.

        A debt that cannot be paid for a reason of its own is told, stays owed, and keeps no other
        waiting.

        Raises:
            OSError: none can be paid now, or earlier answers cannot be moved aside; all stay owed.
            Exception: the store could not be written.
        """
        self._move_aside(opened, owed)
        owed = _with_names_of_now(owed)
        self._make_way(opened, owed)
        paid = [
            debt for debt in self._write_receipts(opened, owed) if self._move_file(opened, debt)
        ]
        for directory in (opened.accepted, opened.rejected, opened.claimed):
            os.fsync(directory)
        if not opened.is_current():
            return len(owed)  # moved away meanwhile: answered again where people look now
        if self._answered is not None:
            self._answered(paid)
        failpoint("before_paid")
        numbers = [debt.id for debt in paid]
        self._clearing.append(
            self._writer.write(lambda connection: clear_receipts(connection, numbers))
        )
        return len(owed) - len(paid)

    def _owed(self, after: int) -> list[OwedReceipt]:
        owed = self._writer.write(
            lambda connection: owed_receipts(connection, after=after, limit=_ROUND)
        )
        return result_of(owed, self._stopping)

    def _move_aside(self, opened: OpenInbox, owed: Sequence[OwedReceipt]) -> None:
        moving = [debt for debt in owed if debt.moves]
        if not moving:
            return
        if not self._publishing.wait_until_over():
            raise TimeoutError("a result file is being written and does not come to an end")
        failpoint("before_aside")
        for debt in moving:
            for old, new in debt.moves:
                move_aside(opened, old, new)
        for directory in (opened.accepted, opened.rejected, opened.results):
            os.fsync(directory)
        failpoint("after_aside")
        numbers = [debt.id for debt in moving]
        result_of(
            self._writer.write(lambda connection: clear_moves(connection, numbers)), self._stopping
        )
        failpoint("after_aside_commit")

    def _make_way(self, opened: OpenInbox, owed: Sequence[OwedReceipt]) -> None:
        """Move aside what the store does not know and the answers would replace."""
        moved = False
        for debt in owed:
            with self._telling(debt, _directory_of(opened, debt)):
                tree_id = None if debt.tree_id is None else debt.tree_id.encode()
                with self._publishing.naming:
                    moved |= make_way_for_result(opened.results, debt.answer_name, tree_id)
                moved |= make_way(opened, debt)
        if moved:
            for directory in (opened.accepted, opened.rejected, opened.results):
                os.fsync(directory)
            failpoint("after_way")

    def _write_receipts(self, opened: OpenInbox, owed: Sequence[OwedReceipt]) -> list[OwedReceipt]:
        """Write receipts; return the debts whose receipts have their names now."""
        with (
            AnswerFiles(opened.accepted, opened.group) as accepted,
            AnswerFiles(opened.rejected, opened.group) as rejected,
        ):
            added: list[tuple[OwedReceipt, AnswerFiles]] = []
            for debt in owed:
                failpoint("before_receipt")
                files = rejected if debt.tree_id is None else accepted
                with self._telling(debt, _directory_of(opened, debt)):
                    files.add(debt.claim, receipt_document(debt))
                    added.append((debt, files))
            failpoint("before_receipt_sync")
            accepted.sync()
            rejected.sync()
            finished: list[OwedReceipt] = []
            for debt, files in added:
                with self._telling(debt, _directory_of(opened, debt)):
                    files.finish(debt.claim, receipt_name(debt.answer_name))
                    finished.append(debt)
                failpoint("after_receipt")
            return finished

    def _move_file(self, opened: OpenInbox, debt: OwedReceipt) -> bool:
        """Move the file beside its receipt; return False when that is still to be done."""
        directory = opened.rejected if debt.tree_id is None else opened.accepted
        failpoint("before_move")
        is_done = False
        with self._telling(debt, _directory_of(opened, debt)):
            # It is not there when it was moved before a crash.
            move_file(
                opened.claimed,
                claimed_name(debt.claim, debt.file_name),
                directory,
                placed_name(debt.file_name, debt.answer_name),
            )
            is_done = True
        failpoint("after_move")
        return is_done

    @contextlib.contextmanager
    def _telling(self, debt: OwedReceipt, directory: Path) -> Generator[None]:
        """Tell what goes wrong with one debt; what would go wrong with every other is raised."""
        try:
            yield
        except OSError as error:
            if error.errno in _FOR_ALL:
                raise OSError(error.errno, error.strerror, str(directory)) from error
            self._tell(debt, directory, error)

    def _tell(self, debt: OwedReceipt, directory: Path, error: OSError) -> None:
        file = display_file_name(debt.file_name)
        problem = f"{file} cannot be answered: {directory}: {error.strerror}"
        if problem not in self._told:
            self._told.add(problem)
            logger.error(
                "a file was recorded, but cannot be answered; it is tried again",
                extra={
                    "event": "receipt_not_written",
                    "file": file,
                    "directory": str(directory),
                    "reason": error.strerror,
                },
            )
        self.problem = problem


def _with_names_of_now(owed: Sequence[OwedReceipt]) -> list[OwedReceipt]:
    """Return debts, in their order, with the names that later ones among them left to them."""
    if not any(debt.moves for debt in owed):
        return list(owed)
    names = [debt.answer_name for debt in owed]
    for position, debt in enumerate(owed):
        for old, new in debt.moves:
            names[:position] = [new if name == old else name for name in names[:position]]
    return [
        msgspec.structs.replace(debt, answer_name=name)
        for debt, name in zip(owed, names, strict=True)
    ]


def _directory_of(opened: OpenInbox, debt: OwedReceipt) -> Path:
    return opened.path / ("rejected" if debt.tree_id is None else "accepted")
