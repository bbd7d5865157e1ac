"""
The results' thread: writes the result file of every tree that ended, for each of its drops.

What is owed is a column of the store, cleared once the files are on disk; so a crash costs nothing.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, TypeVar

from inboxd.errors import InboxdError
from inboxd.failpoints import failpoint
from inboxd.inbox.answer_files import AnswerFiles, unfinished_name
from inboxd.inbox.file_names import RESULT_SUFFIX
from inboxd.inbox.look import RETRY_SECONDS
from inboxd.inbox.making_way import make_way_for_result, tree_of_result
from inboxd.inbox.writer import WriteUnfinished, result_of
from inboxd.store.intake import clear_results, owed_results, trees_owing_results
from inboxd.store.result_document import small_result_documents, write_result_document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inboxd.inbox.current import CurrentInbox, ResultsDirectory
    from inboxd.inbox.publishing import Publishing
    from inboxd.inbox.writer import Writer
    from inboxd.store.intake import Connection, OwedResult
    from inboxd.store.reader import StoreReader
    from inboxd.store.views import TreeView

__all__ = ["Answers"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Trees of one round: one sync of the directory and one commit for so many.
_ROUND = 256

_STOP_SECONDS = 15.0


class Answers:
    """Writes result files; see the module."""

    def __init__(
        self,
        *,
        inbox: CurrentInbox,
        writer: Writer,
        reader: StoreReader,
        publishing: Publishing,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """
        Args:
            inbox: shared with the intake.
            writer: the scheduler's thread, which must run before `start` and until `stop` is done.
            reader: used by this thread only.
            publishing: shared with the intake.
            retry_seconds: before something that failed is tried again.
        """
        self._inbox = inbox
        self._writer = writer
        self._reader = reader
        self._publishing = publishing
        self._retry_seconds = retry_seconds
        #: Called when results are on disk, and the store knows it; on this thread.
        self.written: Callable[[], None] = _nothing
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._problem: str | None = None
        #: Problems that were logged since all was well: each once.
        self._told: set[str] = set()
        self._state = threading.Condition()
        self._is_idle = False

    def start(self) -> None:
        """Begin with what an earlier daemon left owed; may be called twice."""
        if self._thread is not None:
            return
        self._wake.set()
        self._thread = threading.Thread(target=self._run, name="results", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Pay nothing more; what is owed stays owed. May be called twice."""
        self._stopping.set()
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_STOP_SECONDS)
            if thread.is_alive():
                logger.error("the results' thread does not end", extra={"event": "results_hang"})

    def wake(self) -> None:
        """Say that a tree ended, or that a result is owed for another reason; from any thread."""
        with self._state:
            self._is_idle = False
            self._wake.set()

    @property
    def is_idle(self) -> bool:
        """Whether every result that was owed is on disk."""
        with self._state:
            return self._is_idle

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Wait until every result that was owed is on disk; return whether that came in time."""
        with self._state:
            return self._state.wait_for(lambda: self._is_idle, timeout_seconds)

    @property
    def problem(self) -> str | None:
        """Why results are not written; None when all is well."""
        return self._problem

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                is_all_paid = self._pay_all()
            except WriteUnfinished:
                return
            except Exception as error:  # the thread's outer door: told once, tried again
                self._fail(error)
                self._stopping.wait(self._retry_seconds)
                self._wake.set()
                continue
            if not is_all_paid:
                self._wake.wait(self._retry_seconds)
                self._wake.set()
                continue
            self._problem = None
            self._told.clear()
            with self._state:
                self._is_idle = not self._wake.is_set()
                self._state.notify_all()

    def _pay_all(self) -> bool:
        """Write what is owed and can be written; return whether nothing stays owed."""
        with self._inbox.results() as results:
            if results is None:
                return False
            after = 0
            while trees := self._owing(after, _ROUND):
                if self._stopping.is_set() or not results.is_current():
                    return False
                self._pay(results, trees)
                after = trees[-1]
        return not self._owing(0, 1)

    def _owing(self, after: int, limit: int) -> list[int]:
        with self._reader.transaction() as connection:
            return trees_owing_results(connection, after=after, limit=limit)

    def _pay(self, results: ResultsDirectory, trees: Sequence[int]) -> None:
        """Write the results of some trees; what cannot be written now stays owed."""
        failpoint("before_result")
        with AnswerFiles(results.descriptor, results.group) as files:
            written = self._write_unfinished(files, trees)
            files.sync()
        failpoint("after_result_sync")
        named: list[OwedResult] = []
        try:
            # The names are read where they may change: between this and the renames nobody
            # moves earlier answers aside.
            for result in self._write(lambda connection: self._read_names(connection, trees)):
                if result.id in written and self._finish(results.descriptor, files, result):
                    named.append(result)
                    failpoint("after_result")
        finally:
            self._publishing.end()
        os.fsync(results.descriptor)
        if not results.is_current():
            return  # moved away meanwhile: they are written again where people look now
        failpoint("before_results_paid")
        self._write(lambda connection: clear_results(connection, named, trees))
        self.written()

    def _write_unfinished(self, files: AnswerFiles, trees: Sequence[int]) -> set[int]:
        """Write each result under a name of its own for now; return the drops they are for."""
        with self._reader.transaction() as connection:
            owed = owed_results(connection, trees)
        views = self._reader.trees_by_number(trees)
        documents = small_result_documents(self._reader, views.values())
        written: set[int] = set()
        for result in owed:
            view = views.get(result.tree)
            if view is None or view.ended_at is None:
                continue  # it was made to run again meanwhile
            try:
                self._write_one(files, result, view, documents.get(result.tree))
            except (OSError, InboxdError) as error:  # the others are written all the same
                self._fail(error)
                continue
            written.add(result.id)
            failpoint("after_result_written")
        return written

    def _write_one(
        self, files: AnswerFiles, result: OwedResult, view: TreeView, document: bytes | None
    ) -> None:
        if document is not None:
            files.add(result.claim, document)
            return
        with files.adding(result.claim) as write:
            write_result_document(self._reader, view, write)

    def _finish(self, directory: int, files: AnswerFiles, result: OwedResult) -> bool:
        try:
            with self._publishing.naming:
                tree_id = tree_of_result(directory, unfinished_name(result.claim))
                if make_way_for_result(directory, result.answer_name, tree_id):
                    os.fsync(directory)
                files.finish(result.claim, result.answer_name + RESULT_SUFFIX)
        except OSError as error:  # the others are finished all the same
            self._fail(error)
            return False
        return True

    def _read_names(self, connection: Connection, trees: Sequence[int]) -> list[OwedResult]:
        names = owed_results(connection, trees)
        self._publishing.begin()
        return names

    def _write(self, work: Callable[[Connection], T]) -> T:
        return result_of(self._writer.write(work), self._stopping)

    def _fail(self, error: Exception) -> None:
        is_foreseen = isinstance(error, (OSError, InboxdError))
        problem = str(error) if is_foreseen else f"{type(error).__name__}: {error}"
        if problem not in self._told:
            self._told.add(problem)
            logger.error(
                "result files cannot be written; it is tried again",
                extra={"event": "results_degraded", "reason": problem},
                exc_info=None if is_foreseen else error,
            )
        self._problem = problem


def _nothing() -> None:
    """Stand in where nobody is told."""
