"""One worker process, as the daemon has it: started, spoken to, and how its attempt ended."""

from __future__ import annotations

import contextlib
import os
import signal
import site
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.failpoints import failpoint
from inboxd.running.command_end import bound_outputs
from inboxd.running.outcomes import CUT, timed_out
from inboxd.running.process_table import process_facts
from inboxd.running.spawn import kill_at_once, open_outputs
from inboxd.running.worker_messages import NULL, Connection, Ended, FromWorker, Load
from inboxd.task import Completed, Failed, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.config.settings import RunSettings
    from inboxd.running.asked_ends import AskedEnds
    from inboxd.running.attempt import Attempt
    from inboxd.running.locks import AttemptLock, AttemptLocks
    from inboxd.running.paths import AttemptFiles
    from inboxd.running.worker_messages import WorkerSource
    from inboxd.task import Outcome

__all__ = ["RunningWorker", "outcome_of_end", "start_worker"]

#: Of a message, besides the result: names, an error with its traceback.
_FRAME_BYTES = 128 * 1024


class RunningWorker:
    """A worker process from its start until nothing of it is left."""

    def __init__(
        self,
        *,
        executor: str,
        connection: Connection,
        lock: AttemptLock,
        process: subprocess.Popen[bytes],
        pidfd: int,
        started: int,
    ) -> None:
        self.executor = executor
        self.connection = connection
        self.lock = lock
        self.process = process
        self.pid = process.pid
        self.pidfd = pidfd
        self.started = started
        #: The pool's, as long as `is_ending` is not set: guarded by this.
        self.mutex = threading.Lock()
        self.attempt: Attempt | None = None
        self.files: AttemptFiles | None = None
        #: How many attempts it has taken on.
        self.turn = 0
        #: Seconds; of the attempt. The pool ends what is over it.
        self.attempt_limit: float | None = None
        #: What the pool knows of how the attempt ended; None: the process itself says it.
        self.answer: Outcome | None = None
        #: True: it is over, or being ended, and the supervisor reports its attempt.
        self.is_ending = False
        #: The process has ended, though something of it may be left.
        self.is_over = threading.Event()
        #: Nothing of it is left.
        self.is_gone = threading.Event()
        # The supervisor's.
        self.has_ended = False
        self.status: int | None = None
        self.is_timed_out = False
        self.is_cut = False
        self.is_reported = False

    @property
    def limit(self) -> float | None:
        """None: a worker lives longer than an attempt."""
        return None

    @property
    def adopts(self) -> bool:
        """True: a worker is a subreaper."""
        return True

    def begin(self, attempt: Attempt, files: AttemptFiles, limit: float | None) -> bool:
        """Take an attempt on; False: the worker is over."""
        with self.mutex:
            if self.is_ending:
                return False
            self.attempt, self.files, self.attempt_limit = attempt, files, limit
            self.turn += 1
            self.answer = None
            return True

    def look(self) -> None:
        """What it says comes over its socket."""

    def is_asked_to_end(self, ends: AskedEnds) -> bool:
        """Whether its attempt was asked to end; then it is taken from the pool."""
        with self.mutex:
            is_asked = self.attempt is not None and not self.is_ending and ends.has(self.attempt)
            self.is_ending = self.is_ending or is_asked
            return is_asked

    def begin_end(self) -> None:
        """Take the attempt from the pool; its thread wakes up and finds the connection closed."""
        with self.mutex:
            self.is_ending = True
        if self.has_ended:
            self.is_over.set()
            # Also where a child of it holds the other end.
            with contextlib.suppress(OSError):
                self.connection.socket.shutdown(socket.SHUT_RDWR)

    def outcome(self, settings: RunSettings) -> Outcome | None:
        """Return how its attempt ended; its outputs are bounded by this."""
        with self.mutex:
            if self.attempt is None or self.files is None:
                return None
            bound_outputs(self.files, max_bytes=settings.max_output_bytes)
            if self.is_cut:
                return CUT
            if self.is_timed_out and self.attempt_limit is not None:
                return timed_out(self.attempt_limit)
            return self.answer or _died(self.status)

    def forget(self) -> None:
        """Nothing is left."""
        self.is_gone.set()


def start_worker(
    source: WorkerSource,
    *,
    files: AttemptFiles,
    locks: AttemptLocks,
    environment: Mapping[bytes, bytes],
    max_memory_bytes: int | None,
    settings: RunSettings,
    owns_process: bool,
) -> RunningWorker:
    """
    Start a worker process and tell it what it is for; it says by `Ready` that it is.

    The calling thread must live as long as the worker, which the kernel kills when it ends.

    Args:
        source: where it gets its executor.
        files: of its first attempt, which gets what is printed while the executor is loaded.
        locks: one of them is the worker's for its life.
        environment: as of a command.
        max_memory_bytes: a limit on its address space.
        settings: of these the limits.
        owns_process: False: modules come from where the user's own process has them from.

    Raises:
        OSError: it cannot be started.
    """
    ours, theirs = socket.socketpair()
    try:
        lock = locks.take()
    except BaseException:
        ours.close()
        theirs.close()
        raise
    try:
        process = _start(files, lock, theirs, environment)
        failpoint("after_worker_start")
        try:
            facts = process_facts(process.pid)
            started = 0 if facts is None else facts.started
            lock.write_leader(process.pid, started)
            pidfd = os.pidfd_open(process.pid)
        except OSError:
            kill_at_once(process)
            raise
    except BaseException:
        locks.give_back(lock.slot)
        ours.close()
        raise
    finally:
        theirs.close()
        lock.close()
    connection = Connection(ours, FromWorker, most_bytes=settings.max_result_bytes + _FRAME_BYTES)
    worker = RunningWorker(
        executor=source.executor,
        connection=connection,
        lock=lock,
        process=process,
        pidfd=pidfd,
        started=started,
    )
    # A worker that died is found by the supervisor; what it is told fits into the socket.
    with contextlib.suppress(OSError):
        connection.send(
            Load(
                source=source,
                path=_module_path() if owns_process else _path_of_user(),
                environment={
                    os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()
                },
                max_memory_bytes=max_memory_bytes,
            )
        )
    return worker


def _start(
    files: AttemptFiles,
    lock: AttemptLock,
    theirs: socket.socket,
    environment: Mapping[bytes, bytes],
) -> subprocess.Popen[bytes]:
    out, err = open_outputs(files)
    try:
        return subprocess.Popen(
            [
                sys.executable,
                # Nothing is imported from the working directory (python(1), 3.11).
                "-P",
                *([] if site.ENABLE_USER_SITE else ["-s"]),
                *("-m", "inboxd.running.worker_main"),
                *(str(theirs.fileno()), str(os.getpid())),
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd="/",
            env=_start_environment(environment),
            start_new_session=True,
            pass_fds=(lock.descriptor, theirs.fileno()),
        )
    finally:
        os.close(out)
        os.close(err)


def _start_environment(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return what the interpreter starts with: of Python's variables only where the daemon lies."""
    own = {name: value for name, value in environment.items() if not name.startswith(b"PYTHON")}
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [os.path.abspath(one) for one in named if one]  # noqa: PTH100 - strings
    if path:
        own[b"PYTHONPATH"] = os.fsencode(os.pathsep.join(path))
    return own


def _module_path() -> list[str]:
    """Return where modules come from, without the directory that the daemon was started in."""
    named = {one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one}
    found = [one for one in sys.path if os.path.isabs(one)]  # noqa: PTH117 - strings
    here = os.getcwd()  # noqa: PTH109 - strings
    if not sys.flags.safe_path and found and found[0] == here and here not in named:
        # `python -m` puts it there.
        del found[0]
    return found


def _path_of_user() -> list[str]:
    """Return where this process has modules from, the directory of its script included."""
    # The empty path is the working directory (sys.path), which a worker does not share.
    return [os.path.abspath(one) for one in sys.path]  # noqa: PTH100 - strings


def outcome_of_end(ended: Ended, max_result_bytes: int) -> Outcome:
    """Return the outcome that a worker tells, looked through: it is foreign text."""
    if ended.error is not None:
        return Failed(
            error=ended.error,
            retryable=ended.retryable,
            retry_after_seconds=ended.retry_after_seconds,
        )
    result = bytes(ended.result)
    if result == NULL:
        return Completed()
    if len(result) > max_result_bytes:
        return _exception("the worker process gave a larger result than it may")
    try:
        msgspec.json.decode(result, type=Any)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _exception(f"the worker process gave a result that is no JSON: {error}")
    return Completed(result=result)


def _exception(message: str) -> Failed:
    return Failed(error=TaskError(code=TaskErrorCode.EXCEPTION, message=message))


def _died(status: int | None) -> Failed:
    """Return the outcome of an attempt whose worker ended by itself."""
    if status is None:
        return _exception(
            "its worker process ended, and how is lost: something else in our process waited for it"
        )
    if status >= 0:
        return Failed(
            error=TaskError(
                code=TaskErrorCode.EXIT_STATUS,
                message=f"its worker process exited with status {status} before it was done",
                exit_code=status,
            )
        )
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"  # a real-time one
    reason = "; the kernel does so when memory is short" if name == "SIGKILL" else ""
    return Failed(
        error=TaskError(
            code=TaskErrorCode.SIGNAL,
            message=f"its worker process was ended by {name}{reason}",
            signal=name,
        )
    )
