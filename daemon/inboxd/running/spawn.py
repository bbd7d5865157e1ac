"""
Starting a command: its directories, its lock and output files, and the process itself.

`subprocess.Popen` uses vfork as long as it is given no preexec_fn, which keeps a start at some
hundred microseconds however large the daemon is (from 1 GB, fork made 80 a second).
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from inboxd.failpoints import failpoint
from inboxd.forked_children import leave_if_child
from inboxd.names import escaped
from inboxd.plugins.protocol import CommandLine
from inboxd.running.command_end import outcome_of
from inboxd.running.context import decoded_object
from inboxd.running.environment import attempt_variables
from inboxd.running.outcomes import failed_to_start, raised
from inboxd.running.paths import attempt_files, make_private_directory, tree_directory
from inboxd.running.process_table import process_facts, ticks_since_boot
from inboxd.running.program_lines import ProgramLines
from inboxd.running.progress_file import ProgressFile
from inboxd.running.raised import raised_by_executor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.config.settings import RunSettings
    from inboxd.plugins.protocol import Executor
    from inboxd.running.asked_ends import AskedEnds
    from inboxd.running.attempt import Attempt
    from inboxd.running.context import ContextSource
    from inboxd.running.locks import AttemptLock, AttemptLocks
    from inboxd.running.paths import AttemptFiles
    from inboxd.running.progress import ProgressBoard, Said
    from inboxd.task import Failed, Outcome

__all__ = ["RunningCommand", "Spawner", "kill_at_once", "open_outputs"]

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class RunningCommand:
    """A command from its start until nothing of it is left; the supervisor's alone once watched."""

    __slots__ = (
        "attempt",
        "board",
        "files",
        "gives_json",
        "has_ended",
        "is_cut",
        "is_reported",
        "is_timed_out",
        "limit",
        "lines",
        "lock",
        "pid",
        "pidfd",
        "process",
        "progress_file",
        "started",
        "status",
    )

    def __init__(
        self,
        *,
        attempt: Attempt,
        files: AttemptFiles,
        lock: AttemptLock,
        process: subprocess.Popen[bytes],
        pidfd: int,
        started: int,
        gives_json: bool,
        limit: float | None,
        lines: ProgramLines | None = None,
        board: ProgressBoard | None = None,
    ) -> None:
        self.attempt = attempt
        self.files = files
        #: Its descriptor is closed: the command alone holds it.
        self.lock = lock
        self.process = process
        self.pid = process.pid
        self.pidfd = pidfd
        #: Clock ticks since the machine's start, of the leader.
        self.started = started
        self.gives_json = gives_json
        #: Reads the line protocol, if it speaks that; what it says of its progress goes to `board`,
        #: as does what it writes to INBOXD_PROGRESS_FILE.
        self.lines = lines
        self.board = board
        self.progress_file = ProgressFile(files.progress)
        #: Seconds.
        self.limit = limit
        #: The leader was waited for.
        self.has_ended = False
        #: Its exit status, negative for a signal; None when that is not known.
        self.status: int | None = None
        self.is_timed_out = False
        self.is_cut = False
        self.is_reported = False

    @property
    def adopts(self) -> bool:
        """False: a command's orphans are the daemon's."""
        return False

    def look(self) -> None:
        """Read what it said since the last look; once a second while it runs."""
        lines = self.lines
        if lines is not None and not self.is_reported:
            before = lines.progress
            lines.look(self.files.out)
            if lines.progress is not before:
                self._note(lines.progress)
        self.look_at_progress()

    def look_at_progress(self) -> None:
        """Read what came to its progress file since the last look."""
        self._note(self.progress_file.look())

    def _note(self, said: Said | None) -> None:
        # Nobody forgets what is noted of an attempt that was reported.
        if said is not None and self.board is not None and not self.is_reported:
            self.board.note(self.attempt, *said)

    def is_asked_to_end(self, ends: AskedEnds) -> bool:
        """Whether its attempt was asked to end."""
        return ends.has(self.attempt)

    def begin_end(self) -> None:
        """Nobody but the supervisor reports a command."""

    def outcome(self, settings: RunSettings) -> Outcome:
        """Return how its attempt ended; its outputs are bounded by this."""
        return outcome_of(self, settings)

    def forget(self) -> None:
        """Remove its progress file: nobody writes to it any more."""
        self.progress_file.remove()


class Spawner:
    """Starts commands; may be used by several threads at once."""

    def __init__(
        self,
        *,
        executors: Mapping[str, Executor],
        contexts: ContextSource,
        max_result_bytes: int,
        locks: AttemptLocks,
        environment: Mapping[bytes, bytes],
    ) -> None:
        self._executors = executors
        self._state = str(contexts.state)
        self._contexts = contexts
        self._max_result_bytes = max_result_bytes
        self._locks = locks
        self._environment = environment
        #: Where executors run; a child that one forks is not to go on here.
        self._process = os.getpid()
        # One for all: opening it for each command costs more than the command's other files.
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)

    def close(self) -> None:
        """Give the descriptor back; nothing is started after this."""
        os.close(self._null)

    def spawn(self, attempt: Attempt, limit: float | None) -> RunningCommand | Failed:
        """Start an attempt's command; what prevents it is the attempt's outcome."""
        try:
            line = self._executors[attempt.executor].execute(
                decoded_object(attempt.inputs),
                self._contexts.context(attempt, limit),
            )
        except BaseException as error:  # the outer door of one attempt
            leave_if_child(self._process, error)
            return raised_by_executor(error)
        leave_if_child(self._process)
        if not isinstance(line, CommandLine):
            return raised(TypeError(f"the executor gave {type(line).__name__}, no CommandLine"))
        try:
            lock = self._locks.take()
        except OSError as error:
            return failed_to_start(f"its lock cannot be taken: {error}")
        try:
            return self._start(attempt, limit, line, lock)
        except Exception as error:  # the outer door of one attempt
            self._locks.give_back(lock.slot)
            return failed_to_start(_spawn_problem(error, line))
        finally:
            lock.close()

    def _start(
        self, attempt: Attempt, limit: float | None, line: CommandLine, lock: AttemptLock
    ) -> RunningCommand:
        files = attempt_files(self._state, attempt.tree_id, attempt.position, attempt.number)
        directory = tree_directory(self._state, attempt.tree_id)
        make_private_directory(directory)
        opened: list[int] = []
        try:
            opened.append(out := _open_making_directory(files.out, files.directory))
            opened.append(err := os.open(files.err, _APPEND, 0o600))
            stdin = self._null
            if line.stdin is not None:
                opened.append(stdin := _stdin_file(line.stdin))
            failpoint("before_spawn")
            ticks = ticks_since_boot()
            process = subprocess.Popen(
                line.argv,
                stdin=stdin,
                stdout=out,
                stderr=err,
                cwd=directory if line.cwd is None else os.path.join(directory, line.cwd),  # noqa: PTH118
                env={
                    **self._environment,
                    **{os.fsencode(name): os.fsencode(value) for name, value in line.env.items()},
                    **attempt_variables(attempt, files=files, tree_directory=directory),
                },
                start_new_session=True,
                pass_fds=(lock.descriptor,),
            )
        finally:
            for descriptor in opened:
                os.close(descriptor)
        failpoint("after_spawn")
        try:
            started = _start_time(process.pid, ticks)
            lock.write_leader(process.pid, started)
            failpoint("after_pid")
            pidfd = os.pidfd_open(process.pid)
        except OSError:
            # Nobody would watch it. It is not waited for yet, so the number is still its own.
            kill_at_once(process)
            raise
        return RunningCommand(
            attempt=attempt,
            files=files,
            lock=lock,
            process=process,
            pidfd=pidfd,
            started=started,
            gives_json=line.stdout == "json",
            limit=limit,
            lines=self._lines() if line.stdout == "lines" else None,
            board=self._contexts.board,
        )

    def _lines(self) -> ProgramLines:
        return ProgramLines(max_result_bytes=self._max_result_bytes)


def _start_time(pid: int, ticks: int) -> int:
    """
    Return the start time of a child that was started after *ticks* and is not waited for yet.

    Within one tick there is only one answer, which spares reading /proc (48 us measured, a tenth
    of the whole start).
    """
    if ticks == ticks_since_boot():
        return ticks
    facts = process_facts(pid)
    return ticks if facts is None else facts.started


def kill_at_once(process: subprocess.Popen[bytes]) -> None:
    """End a command that nobody watches."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def open_outputs(files: AttemptFiles) -> tuple[int, int]:
    """Open an attempt's two output files, which may be there already."""
    out = _open_making_directory(files.out, files.directory)
    try:
        return out, os.open(files.err, _APPEND, 0o600)
    except OSError:
        os.close(out)
        raise


def _open_making_directory(path: str, directory: str) -> int:
    """Open an output, making its directory only when it turns out not to be there."""
    try:
        return os.open(path, _APPEND, 0o600)
    except FileNotFoundError:
        make_private_directory(directory)
        return os.open(path, _APPEND, 0o600)


def _stdin_file(data: bytes) -> int:
    """Return a descriptor that reads as the data; a file, since a full pipe would block us."""
    descriptor = os.memfd_create("inboxd-stdin", os.MFD_CLOEXEC)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _spawn_problem(error: Exception, line: CommandLine) -> str:
    """Return one sentence: what is wrong, where, and what to do."""
    if not isinstance(error, OSError):
        return f"it could not be started: {error}"
    program = escaped(str(line.argv[0])) if line.argv else ""
    if line.cwd is not None and error.filename is not None and error.filename != line.argv[0]:
        return f"cwd {escaped(str(error.filename))}: {error.strerror}"
    match error.errno:
        case errno.ENOENT if "/" in program:
            return f"there is no program {program}, or none that its first line names"
        case errno.ENOENT:
            return f"no program {program} in PATH; install it, or write where it is"
        case errno.EACCES:
            return f"{program} may not be executed: {error.strerror}"
        case errno.E2BIG:
            return (
                f"the arguments and the environment of {program} are longer than Linux allows;"
                " give large data by stdin or in a file"
            )
        case errno.ENOEXEC:
            return f"{program} is no program, and has no first line with #! that names one"
        case errno.EAGAIN:
            return f"{program} could not be started: too many processes; see ulimit -u, TasksMax"
        case _:
            where = "" if error.filename is None else f"{escaped(str(error.filename))}: "
            return f"{program} could not be started: {where}{error.strerror}"
