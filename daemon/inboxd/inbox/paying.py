"""
Pay what a recorded drop owes: earlier answers moved aside, its receipt, its file beside that.

All of it may be done again after a crash. Only the moves aside may not, once newer answers lie
under the name; so that they are done is committed before any such answer is written.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from typing import TYPE_CHECKING

from inboxd.failpoints import failpoint
from inboxd.inbox.answer_files import AnswerFiles, move_aside, move_file
from inboxd.inbox.file_names import claimed_name, placed_name
from inboxd.inbox.receipts import receipt_document, receipt_name
from inboxd.inbox.writer import result_of
from inboxd.names import display_file_name
from inboxd.store.intake import clear_moves, clear_receipts, owed_receipts

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from concurrent.futures import Future

    from inboxd.inbox.directory import OpenInbox
    from inboxd.inbox.publishing import Publishing
    from inboxd.inbox.writer import Writer
    from inboxd.store.intake import OwedReceipt

__all__ = ["ReceiptPayer"]

logger = logging.getLogger(__name__)

#: Debts of one round after a crash: one commit and one sync of each directory for so many.
_ROUND = 256


class ReceiptPayer:
    """Writes receipts and moves files, many for one sync of their directories."""

    def __init__(
        self, writer: Writer, *, publishing: Publishing, stopping: threading.Event
    ) -> None:
        self._writer = writer
        self._publishing = publishing
        self._stopping = stopping
        #: Commits that say something was paid; nobody need wait for them.
        self._clearing: deque[Future[None]] = deque()

    @property
    def is_settled(self) -> bool:
        """Whether everything that was paid is known to be paid; for the intake's thread."""
        while self._clearing and self._clearing[0].done():
            self._clearing.popleft().result()
        return not self._clearing

    def pay_all(self, opened: OpenInbox) -> None:
        """
        Pay everything that the store says is owed.

        Raises:
            OSError: something could not be paid; it stays owed.
            Exception: the store could not be written.
        """
        while True:
            owed = result_of(
                self._writer.write(lambda connection: owed_receipts(connection, _ROUND)),
                self._stopping,
            )
            if not owed:
                return
            self.pay(opened, owed)

    def pay(self, opened: OpenInbox, owed: Sequence[OwedReceipt]) -> None:
        """
        Pay *owed*, in the order in which it was recorded.

        Raises:
            OSError: something could not be paid; it and what came after it stay owed.
            Exception: the store could not be written.
        """
        self._move_aside(opened, owed)
        self._write_receipts(opened, owed)
        for debt in owed:
            self._move_file(opened, debt)
        for directory in (opened.accepted, opened.rejected, opened.claimed):
            os.fsync(directory)
        failpoint("before_paid")
        numbers = [debt.id for debt in owed]
        self._clearing.append(
            self._writer.write(lambda connection: clear_receipts(connection, numbers))
        )

    def _write_receipts(self, opened: OpenInbox, owed: Sequence[OwedReceipt]) -> None:
        with (
            AnswerFiles(opened.accepted, opened.group) as accepted,
            AnswerFiles(opened.rejected, opened.group) as rejected,
        ):
            for debt in owed:
                failpoint("before_receipt")
                files = rejected if debt.tree_id is None else accepted
                files.add(debt.claim, receipt_document(debt))
            failpoint("before_receipt_sync")
            accepted.sync()
            rejected.sync()
            for debt in owed:
                files = rejected if debt.tree_id is None else accepted
                files.finish(debt.claim, receipt_name(debt.answer_name))
                failpoint("after_receipt")

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

    def _move_file(self, opened: OpenInbox, debt: OwedReceipt) -> None:
        directory = opened.rejected if debt.tree_id is None else opened.accepted
        failpoint("before_move")
        moved = move_file(
            opened.claimed,
            claimed_name(debt.claim, debt.file_name),
            directory,
            placed_name(debt.file_name, debt.answer_name),
        )
        failpoint("after_move")
        if not moved:
            logger.debug(
                "the file of a drop is not in .claimed any more",
                extra={
                    "event": "claimed_file_gone",
                    "file": display_file_name(debt.file_name),
                    "claim": debt.claim,
                },
            )
