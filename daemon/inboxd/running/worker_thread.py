"""
The thread that has a worker: it hands it attempts, answers it, and waits for what comes.

What must be ended (a time limit, a worker that died or that something was left in) is the
supervisor's, from then on until nothing of it lives; so an attempt that failed is reported only
then, while the thread takes the next attempt with a new worker.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from inboxd.errors import InboxdError
from inboxd.names import escaped
from inboxd.running.command_end import bound_outputs
from inboxd.running.dependencies import dependencies_json, dependency_names
from inboxd.running.environment import attempt_variables
from inboxd.running.outcomes import CUT, duration_text, failed_to_start
from inboxd.running.paths import attempt_files, tree_directory
from inboxd.running.spawn import kill_at_once
from inboxd.running.worker_messages import (
    Begin,
    Dependencies,
    Ended,
    MessageError,
    Progress,
    Ready,
    WantsDependencies,
)
from inboxd.running.worker_process import outcome_of_end, start_worker
from inboxd.task import Completed, Failed, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.running.attempt import Attempt
    from inboxd.running.paths import AttemptFiles
    from inboxd.running.worker_process import RunningWorker
    from inboxd.running.worker_surroundings import WorkerSurroundings
    from inboxd.task import Outcome

__all__ = ["WorkerThread"]

logger = logging.getLogger(__name__)

#: A plugin may be imported for so long; a time limit counts from the attempt's own start.
LOAD_SECONDS = 60.0
#: A worker that reads nothing for so long is not waiting for an attempt, whatever it does.
_SEND_SECONDS = 30.0
#: A process that closed its connection because it ends is over by then.
_END_SECONDS = 1.0

_NOTHING = msgspec.Raw(b"{}")


class _Pool(Protocol):
    """What a thread asks the pool."""

    @property
    def is_cut(self) -> bool: ...
    @property
    def idle_seconds(self) -> float: ...
    def next_for(self, thread: WorkerThread) -> tuple[Attempt, float | None] | None: ...
    def lets_go(self, thread: WorkerThread) -> bool: ...
    def say(self, attempt: Attempt, outcome: Outcome) -> None: ...


class WorkerThread(threading.Thread):
    """Has one worker at a time, and outlives all that it had: see `start_worker`."""

    def __init__(self, pool: _Pool, surroundings: WorkerSurroundings) -> None:
        super().__init__(name="worker", daemon=True)
        self.queue: SimpleQueue[tuple[Attempt, float | None] | None] = SimpleQueue()
        #: Of the worker, or of the one that is about to be started; the pool's.
        self.executor: str | None = None
        #: Executors that are others by now than those of the same names which its worker may have.
        self.forgotten: set[str] = set()
        self._pool = pool
        self._around = surroundings
        self._worker: RunningWorker | None = None
        #: All that are not known to be gone.
        self._had: list[RunningWorker] = []

    def run(self) -> None:
        """Serve until None comes, then wait until every worker is gone."""
        job = self.queue.get()
        while job is not None:
            self._serve(*job)
            job = self._pool.next_for(self) or self._wait()
        self._let_go()
        for worker in self._had:
            worker.is_gone.wait()

    def _wait(self) -> tuple[Attempt, float | None] | None:
        """Wait for the next attempt; let the worker go when none comes."""
        while True:
            try:
                return self.queue.get(
                    timeout=None if self._worker is None else self._pool.idle_seconds
                )
            except Empty:
                if self._pool.lets_go(self):
                    self._let_go()

    def _serve(self, attempt: Attempt, limit: float | None) -> None:
        """Run one attempt; it is reported here or by the supervisor, whatever happens."""
        outcome: Outcome | None
        try:
            is_cut = self._pool.is_cut or self._around.ends.has(attempt)
            outcome = CUT if is_cut else self._run_attempt(attempt, limit)
        except Exception as error:  # the outer door of one attempt
            logger.exception(
                "worker thread stumbled",
                extra={"event": "worker_error", "task": attempt.task_id},
            )
            failed = failed_to_start(f"its worker process could not be used: {error}")
            worker = self._worker
            is_its = worker is not None and worker.attempt is attempt
            outcome = self._end(worker, failed) if is_its and worker is not None else failed
        if outcome is not None:
            self._pool.say(attempt, outcome)

    def _run_attempt(self, attempt: Attempt, limit: float | None) -> Outcome | None:
        """Return the outcome of an attempt; None: the supervisor reports it."""
        files = attempt_files(
            self._around.contexts.state, attempt.tree_id, attempt.position, attempt.number
        )
        worker = self._worker
        if worker is not None and (
            worker.executor != attempt.executor
            or attempt.executor in self.forgotten
            or not worker.begin(attempt, files, limit)
        ):
            self._let_go()
            worker = None
        if worker is None:
            started = self._start(attempt, files, limit)
            if isinstance(started, Failed):
                return started
            worker = started
            if not self._becomes_ready(worker):
                return None
        elif self._around.ends.has(attempt):
            # Asked for before it could be found in this worker, which is not ended for that.
            return self._take_back(worker)
        return self._converse(worker, attempt, files, limit)

    def _start(
        self, attempt: Attempt, files: AttemptFiles, limit: float | None
    ) -> RunningWorker | Failed:
        """Start a worker for the attempt, and have it watched."""
        around = self._around
        self.forgotten.discard(attempt.executor)
        source = around.source_of(attempt.executor)
        if source is None:
            return failed_to_start(
                f'it is not known where a worker process gets executor "{attempt.executor}" from'
            )
        executor = around.executors.get(attempt.executor)
        try:
            worker = start_worker(
                source,
                files=files,
                locks=around.locks,
                environment=around.environment,
                max_memory_bytes=getattr(executor, "max_memory_bytes", None),
                settings=around.settings,
                owns_process=around.owns_process,
            )
        except OSError as error:
            return failed_to_start(f"its worker process could not be started: {error}")
        worker.begin(attempt, files, limit)
        try:
            around.supervisor.watch(worker)
        except OSError as error:
            kill_at_once(worker.process)
            os.close(worker.pidfd)
            worker.connection.socket.close()
            around.locks.give_back(worker.lock.slot)
            return failed_to_start(f"its worker process cannot be watched: {error.strerror}")
        self._had = [one for one in self._had if not one.is_gone.is_set()]
        self._had.append(worker)
        self._worker = worker
        return worker

    def _becomes_ready(self, worker: RunningWorker) -> bool:
        """Wait until the executor is loaded; False: it cannot be, and the worker is ended."""
        message = self._receive(worker, time.monotonic() + LOAD_SECONDS, time.monotonic)
        if isinstance(message, Ready):
            return True
        if message is _LATE:
            within = duration_text(LOAD_SECONDS)
            self._end(worker, failed_to_start(f"its executor was not loaded within {within}"))
        elif isinstance(message, Ended):
            self._end(worker, outcome_of_end(message, self._around.settings.max_result_bytes))
        else:
            self._end_after(worker, message)
        return False

    def _converse(
        self, worker: RunningWorker, attempt: Attempt, files: AttemptFiles, limit: float | None
    ) -> Outcome | None:
        """Have the worker run the attempt; as `_run_attempt`."""
        monotonic, board = self._around.clock.monotonic, self._around.contexts.board
        end_at = None if limit is None else monotonic() + limit
        worker.connection.socket.settimeout(_SEND_SECONDS)
        try:
            worker.connection.send(self._beginning(attempt, files, limit, worker.turn))
        except OSError:  # it is over, or does not read
            self._end_after(worker, None)
            return None
        while True:
            message = self._receive(worker, end_at, monotonic)
            match message:
                case Ended() | Progress() | WantsDependencies() if message.turn != worker.turn:
                    self._end_after(worker, MessageError("it is of another attempt"))
                    return None
                case Ended():
                    return self._ended(worker, files, message)
                case Progress():
                    board.note(attempt, message.fraction, message.message)
                case WantsDependencies():
                    self._answer(worker, attempt)
                case _ if message is _LATE:
                    self._time_out(worker)
                    return None
                case _:
                    self._end_after(worker, message)
                    return None

    def _beginning(
        self, attempt: Attempt, files: AttemptFiles, limit: float | None, turn: int
    ) -> Begin:
        directory = tree_directory(self._around.contexts.state, attempt.tree_id)
        variables = attempt_variables(attempt, files=files, tree_directory=directory)
        return Begin(
            turn=turn,
            tree_id=attempt.tree_id,
            task_id=attempt.task_id,
            attempt=attempt.number,
            inputs=_NOTHING if attempt.inputs is None else msgspec.Raw(attempt.inputs),
            params=_NOTHING if attempt.params is None else msgspec.Raw(attempt.params),
            deadline=None if limit is None else self._around.clock.now_micros() / 1e6 + limit,
            directory=directory,
            out=files.out,
            err=files.err,
            environment={
                os.fsdecode(name): os.fsdecode(value) for name, value in variables.items()
            },
            max_result_bytes=self._around.settings.max_result_bytes,
        )

    def _receive(
        self, worker: RunningWorker, end_at: float | None, monotonic: Callable[[], float]
    ) -> Any:
        """Return the next message; None when there is none; `_LATE`; what is wrong with it."""
        own = worker.connection.socket
        while True:
            left = None if end_at is None else end_at - monotonic()
            if left is not None and left <= 0:
                return _LATE
            own.settimeout(left)
            try:
                return worker.connection.receive()
            except TimeoutError:
                continue
            except MessageError as error:
                return error
            except OSError:
                return None

    def _answer(self, worker: RunningWorker, attempt: Attempt) -> None:
        reader = self._around.contexts.reader
        try:
            results = msgspec.Raw(dependencies_json(reader, attempt.task))
            answer = Dependencies(results=results, names=dependency_names(reader, attempt.task))
        except InboxdError as error:
            answer = Dependencies(results=_NOTHING, problem=str(error))
        worker.connection.socket.settimeout(_SEND_SECONDS)
        try:
            worker.connection.send(answer)
        except OSError:
            return  # it is over, which the next look at the connection says as well

    def _ended(self, worker: RunningWorker, files: AttemptFiles, ended: Ended) -> Outcome | None:
        """Take the worker's word, unless the supervisor was asked to end it before."""
        settings = self._around.settings
        outcome = outcome_of_end(ended, settings.max_result_bytes)
        bound_outputs(files, max_bytes=settings.max_output_bytes)
        if ended.retire is not None:
            logger.debug(
                "worker is replaced: %s",
                ended.retire,
                extra={"event": "worker_replaced", "pid": worker.pid},
            )
            return self._end(worker, outcome)
        with worker.mutex:
            if not worker.is_ending:
                worker.attempt = None
                return outcome
        self._drop(worker)
        return None

    def _end(self, worker: RunningWorker, outcome: Outcome) -> Outcome | None:
        """
        Have a worker ended whose attempt ended with this outcome.

        A success is returned, to be reported at once; anything else is reported by the supervisor
        when nothing of the worker is left.
        """
        is_success = isinstance(outcome, Completed)
        with worker.mutex:
            is_mine = not worker.is_ending
            if is_mine:
                worker.is_ending = True
                if is_success:
                    worker.attempt = None
            # It may have ended by itself meanwhile: this says more than how.
            if worker.answer is None:
                worker.answer = outcome
        if is_mine:
            self._around.supervisor.end(worker)
        self._drop(worker)
        return outcome if is_mine and is_success else None

    def _end_after(self, worker: RunningWorker, message: object) -> None:
        """Have a worker ended that said what it should not, or closed its connection."""
        if message is None and worker.is_over.wait(_END_SECONDS):
            self._drop(worker)  # its exit status says how
            return
        what = (
            "closed its connection to the daemon"
            if message is None
            else f"wrote what is no message to its connection ({escaped(str(message))[:200]})"
        )
        text = f"its worker process {what}; the descriptors of a worker are not the function's"
        self._end(worker, Failed(error=TaskError(code=TaskErrorCode.EXCEPTION, message=text)))

    def _take_back(self, worker: RunningWorker) -> Outcome | None:
        """Cut an attempt that its worker has not been told of; as `_run_attempt`."""
        with worker.mutex:
            if not worker.is_ending:
                worker.attempt = None
                return CUT
        self._drop(worker)
        return None

    def _time_out(self, worker: RunningWorker) -> None:
        with worker.mutex:
            is_mine = not worker.is_ending
            if is_mine:
                worker.is_ending = worker.is_timed_out = True
        if is_mine:
            self._around.supervisor.end(worker)
        self._drop(worker)

    def _let_go(self) -> None:
        """End a worker between two attempts; nothing is said of it."""
        worker = self._worker
        if worker is None:
            return
        with worker.mutex:
            is_mine = not worker.is_ending
            worker.is_ending = True
        if is_mine:
            self._around.supervisor.end(worker)
        self._drop(worker)

    def _drop(self, worker: RunningWorker) -> None:
        """Have nothing more to do with a worker."""
        worker.connection.socket.close()
        self._worker = None


#: What `_receive` gives when the time is over.
_LATE = object()
