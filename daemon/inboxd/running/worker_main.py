"""
A worker process: `python -P -m inboxd.running.worker_main DESCRIPTOR PARENT`.

It becomes a worker for one executor and runs its attempts, one after another, until its end of
the socket is closed or it is asked to end by SIGTERM. All that it does is done by its main thread.
"""

from __future__ import annotations

import faulthandler
import inspect
import os
import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.running.outcomes import failed_to_start, outcome_of_value
from inboxd.running.paths import make_private_directory
from inboxd.running.system_calls import be_subreaper, die_with_parent
from inboxd.running.worker_context import WorkerContext
from inboxd.running.worker_copies import WorkerProcess
from inboxd.running.worker_failures import failed_attempt
from inboxd.running.worker_loading import load_executor
from inboxd.running.worker_messages import NULL, Connection, Ended, Load, Ready, ToWorker
from inboxd.running.worker_state import ProcessState
from inboxd.task import Completed, Failed

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import FrameType

    from inboxd.plugins.protocol import Executor
    from inboxd.running.worker_messages import Begin
    from inboxd.task import Outcome

__all__ = ["main"]

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
#: What a shell says of a process that SIGTERM ended.
_ASKED_STATUS = 128 + signal.SIGTERM


class _Worker:
    """One worker from its start to its end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._process = WorkerProcess(connection.socket)
        #: Of the attempt that runs, or ran last.
        self._turn = 0
        self._context: WorkerContext | None = None
        self._is_asked_to_end = False

    def serve(self) -> None:
        """Load the executor, then run attempts; returns when there is nothing more to do."""
        try:
            self._serve()
        except BaseException as error:
            self._process.end_copy(error)
            raise
        self._process.end_copy()

    def _serve(self) -> None:
        signal.signal(signal.SIGTERM, self._ask_to_end)
        load: Any = self._connection.receive()
        if not isinstance(load, Load):
            return
        sys.path[:] = load.path
        os.environ.clear()
        os.environ.update(load.environment)
        if (most := load.max_memory_bytes) is not None:
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        try:
            executor = load_executor(load.source)
        except BaseException as error:
            self._process.end_copy(error)
            self._send_failed(failed_attempt(error), "its executor cannot be loaded")
            return
        state = ProcessState(load.environment)
        self._send(Ready())
        while not self._is_asked_to_end:
            begin: Any = self._connection.receive()
            if begin is None:
                return
            self._run(executor, begin, state)

    def _run(self, executor: Executor, begin: Begin, state: ProcessState) -> None:
        outcome: Outcome
        self._turn = begin.turn
        try:
            _point_outputs_at(begin)
            make_private_directory(begin.directory)
            state.enter(begin.environment, begin.directory)
        except OSError as error:
            outcome = failed_to_start(f"its output or its directory cannot be used: {error}")
        else:
            self._context = context = WorkerContext(begin, self._connection)
            try:
                outcome = _outcome(executor, begin, context)
            except BaseException as error:  # the outer door of one attempt
                self._process.end_copy(error)
                outcome = failed_attempt(error)
            self._process.end_copy()
            context.end()
            self._context = None
        retire = state.leave()
        state.silence()
        if self._is_asked_to_end:
            retire = "it was asked to end"
            if isinstance(outcome, Failed):
                # Whoever asked, that is the cause, and the exit status says so.
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGTERM)
        if isinstance(outcome, Failed):
            self._send_failed(outcome, retire)
        elif isinstance(outcome, Completed):
            result = msgspec.Raw(NULL if outcome.result is None else outcome.result)
            self._send(Ended(turn=self._turn, result=result, retire=retire))

    def _send_failed(self, failed: Failed, retire: str | None) -> None:
        self._send(
            Ended(
                turn=self._turn,
                error=failed.error,
                retryable=failed.retryable,
                retry_after_seconds=failed.retry_after_seconds,
                retire=retire,
            )
        )

    def _send(self, message: Ready | Ended) -> None:
        self._process.end_copy()
        self._connection.send(message)

    def _ask_to_end(self, number: int, frame: FrameType | None) -> None:
        """Handle SIGTERM: what runs is told, and interrupted where it is."""
        self._is_asked_to_end = True
        if self._context is not None:
            self._context.cancelled = True
        raise SystemExit(_ASKED_STATUS)


def _outcome(executor: Executor, begin: Begin, context: WorkerContext) -> Outcome:
    value = executor.execute(msgspec.json.decode(begin.inputs, type=dict[str, Any]), context)
    if inspect.isawaitable(value):
        import asyncio  # not needed by every executor, and slow to import

        value = asyncio.run(_awaited(value))
    return outcome_of_value(value, max_result_bytes=begin.max_result_bytes)


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def _point_outputs_at(begin: Begin) -> None:
    for descriptor, path in ((1, begin.out), (2, begin.err)):
        try:
            opened = os.open(path, _APPEND, 0o600)
        except FileNotFoundError:
            make_private_directory(os.path.dirname(path))  # noqa: PTH120 - a string, see AttemptFiles
            opened = os.open(path, _APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)


def main() -> None:
    """Be a worker."""
    descriptor, parent = map(int, sys.argv[1:])
    die_with_parent()
    if os.getppid() != parent:
        return  # it ended before the kernel was told
    be_subreaper(is_one=True)
    os.set_inheritable(descriptor, False)
    # Where a crash happened goes into the attempt's log.
    faulthandler.enable(2)
    with socket.socket(fileno=descriptor) as own:
        _Worker(Connection(own, ToWorker)).serve()


if __name__ == "__main__":
    main()
