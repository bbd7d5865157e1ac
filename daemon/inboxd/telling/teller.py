"""From what a turn committed to what is told of it: log records, events, counts, hooks."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import msgspec

from inboxd.clock import rfc3339_micros
from inboxd.events import FileRejected, FileTaken, TaskFailed, TreeEnded
from inboxd.running.paths import remove_tree_directory_if_empty
from inboxd.scheduling.turn import TurnListener
from inboxd.store.outcomes import RequeuedTask
from inboxd.task import TaskError, TaskErrorCode, TaskStatus
from inboxd.telling.progress_log import ProgressLog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from inboxd.events import Event, Listener, TaskProgress
    from inboxd.running.attempt import Attempt
    from inboxd.scheduling.turn import EndedTree
    from inboxd.store.outcomes import AttemptEnd
    from inboxd.store.trees import OpenTree
    from inboxd.telling.plugin_teller import PluginTeller

__all__ = ["Teller"]

logger = logging.getLogger(__name__)


class Teller(TurnListener):
    """Tells what was committed; on the scheduler's thread, and on the intake's for files."""

    def __init__(self, tell: Listener, *, state: Path, watch: TurnListener | None = None) -> None:
        """
        Args:
            tell: gets the events; it must return at once and never raise.
            state: the state directory, where trees have their own directories.
            watch: is told all that is committed as it is, after everybody else.
        """
        self._watch = watch
        self.wants_starts = watch is not None and watch.wants_starts
        self._tell = tell
        self._state = state
        self._lock = threading.Lock()
        #: Tells the plugins that want to hear something; None until there are any.
        self._plugins: PluginTeller | None = None
        self._has_ends = False
        self._has_starts = False
        #: Called with executors that tasks name and nobody offers.
        self.executors_wanted: Callable[[Collection[str]], None] = _nobody
        #: Called when trees ended whose result files are owed.
        self.results_owed: Callable[[], None] = _nothing
        self._progress_log = ProgressLog()
        #: In this run: trees that failed or were cancelled, and files that were rejected.
        self.bad_endings = 0

    def tell_plugins(self, plugins: PluginTeller) -> None:
        """Tell plugins too; called once, before there is anything to tell."""
        self._plugins = plugins
        self._has_ends = plugins.wants_ends
        self.wants_starts = self.wants_starts or plugins.wants_starts
        self._has_starts = plugins.wants_starts
        self.owed_plugins = plugins.owed_plugins

    def attempts_started(self, attempts: Sequence[Attempt], trees: Sequence[OpenTree]) -> None:
        """Tell plugins of starts."""
        if self._plugins is not None and self._has_starts:
            self._plugins.attempts_started(attempts, trees)
        if self._watch is not None:
            self._watch.attempts_started(attempts, trees)

    def trees_accepted(self, trees: Sequence[OpenTree]) -> None:
        """Tell plugins of trees; people are told of the files."""
        if self._plugins is not None:
            self._plugins.trees_accepted(trees)
        if self._watch is not None:
            self._watch.trees_accepted(trees)

    def executors_missed(self, executors: Collection[str]) -> None:
        """Have it asked whether a plugin makes these executors."""
        self.executors_wanted(executors)

    def tell_progress(self, event: TaskProgress) -> None:
        """Tell what a running attempt says of its progress; from any thread."""
        self._progress_log.note(event)
        self._tell(event)

    def tell_file(self, event: Event) -> None:
        """Tell of a file that was taken or rejected."""
        match event:
            case FileRejected():
                with self._lock:
                    self.bad_endings += 1
                logger.warning(
                    "file rejected: %s",
                    event.problems[0] if event.problems else "see its receipt",
                    extra={
                        "event": "file_rejected",
                        "file": event.file_name,
                        "errors": event.problem_count,
                    },
                )
            case FileTaken():
                logger.info(
                    "file accepted",
                    extra={
                        "event": "file_accepted",
                        "file": event.file_name,
                        "tree": event.tree_id,
                        "tasks": event.task_count,
                        **({"duplicate": True} if event.duplicate else {}),
                    },
                )
            case _:
                pass
        self._tell(event)

    def attempt_ended(
        self, attempt: Attempt, end: AttemptEnd | RequeuedTask, tree: OpenTree
    ) -> None:
        """Log the attempt's line, and tell of a failure."""
        error: TaskError | None = None
        if end.error is not None:
            error = msgspec.json.decode(end.error, type=TaskError)
        level = logging.DEBUG if error is None else logging.INFO
        if logger.isEnabledFor(level):
            _log_attempt(level, attempt, end, error)
        if self._has_ends and self._plugins is not None:
            self._plugins.attempt_ended(attempt, end, tree)
        if error is not None and error.code is not TaskErrorCode.CANCELLED:
            self._tell(
                TaskFailed(
                    tree_id=attempt.tree_id,
                    tree_name=tree.name,
                    file_name=tree.file_name,
                    task_id=attempt.task_id,
                    position=attempt.position,
                    attempt=attempt.number,
                    code=error.code,
                    message=error.message,
                    retry_at=end.due_at if isinstance(end, RequeuedTask) else None,
                )
            )
        if self._watch is not None:
            self._watch.attempt_ended(attempt, end, tree)

    def trees_ended(self, trees: Sequence[EndedTree]) -> None:
        """Log each tree's line, tell of it, and have its result written."""
        for ended in trees:
            tree = ended.tree
            remove_tree_directory_if_empty(self._state, tree.public_id)
            is_bad = ended.status in (TaskStatus.FAILED, TaskStatus.CANCELLED)
            if is_bad:
                with self._lock:
                    self.bad_endings += 1
            seconds = 0.0
            if tree.started_at is not None:
                seconds = (ended.ended_at - tree.started_at) / 1_000_000
            logger.log(
                logging.WARNING if is_bad else logging.INFO,
                "tree %s",
                ended.status,
                extra={
                    "event": "tree_ended",
                    "tree": tree.public_id,
                    "file": tree.file_name,
                    "tasks": tree.task_count,
                    "seconds": round(seconds, 6),
                    **({} if tree.name is None else {"tree_name": tree.name}),
                },
            )
            self._tell(
                TreeEnded(
                    tree_id=tree.public_id,
                    tree_name=tree.name,
                    file_name=tree.file_name,
                    status=TaskStatus(ended.status),
                    seconds=seconds,
                    task_count=tree.task_count,
                    failed=tree.failed,
                )
            )
        self.results_owed()
        if self._plugins is not None:
            self._plugins.trees_ended(trees)
        if self._watch is not None:
            self._watch.trees_ended(trees)


def _log_attempt(
    level: int, attempt: Attempt, end: AttemptEnd | RequeuedTask, error: TaskError | None
) -> None:
    """Write the one line of an attempt with everything in it."""
    again = isinstance(end, RequeuedTask)
    outcome = "failed" if error else "interrupted" if again else "completed"
    if error is not None and error.code is TaskErrorCode.CANCELLED:
        outcome = "cancelled"
    facts: dict[str, object] = {
        "event": "attempt_ended",
        "tree": attempt.tree_id,
        "task": attempt.task_id,
        "attempt": attempt.number,
        "executor": attempt.executor,
        "outcome": outcome,
        "start_seq": attempt.start_seq,
        "started_at": rfc3339_micros(attempt.started_at),
    }
    if error is not None:
        facts |= {"code": error.code.value, "error": error.message}
    if isinstance(end, RequeuedTask):
        facts["next_due_at"] = rfc3339_micros(end.due_at)
    suffix = ", another follows" if again else ""
    logger.log(level, "attempt %s%s", outcome, suffix, extra=facts)


def _nobody(executors: Collection[str]) -> None:
    """Stand in where no plugin makes executors."""


def _nothing() -> None:
    """Stand in until the answers' thread is there."""
