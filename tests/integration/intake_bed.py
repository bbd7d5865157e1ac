"""An intake with all its real parts in a directory of its own; only executors are pretended."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from inboxd.clock import SystemClock
from inboxd.config.settings import InboxSettings, RunSettings
from inboxd.inbox.answers import Answers
from inboxd.inbox.current import CurrentInbox
from inboxd.inbox.intake import Intake
from inboxd.inbox.publishing import Publishing
from inboxd.scheduling.scheduler import Scheduler
from inboxd.scheduling.turn import TurnListener
from inboxd.store.acceptance import delete_unaccepted_trees
from inboxd.store.engine import open_writer
from inboxd.store.reader import StoreReader
from inboxd.store.schema import migrate
from inboxd.task import Completed, Failed, PlaceKind, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from inboxd.array.catalog import InputPath, InputProblem
    from inboxd.events import Event
    from inboxd.inbox.formats import Formats
    from inboxd.running.attempt import Attempt
    from inboxd.scheduling.turn import EndedTree
    from inboxd.store.intake import Connection

__all__ = ["ONE_TASK", "IntakeBed", "array", "wait_until"]

T = TypeVar("T")

#: How long a test waits for what must come.
LIMIT_SECONDS = 60.0

ONE_TASK = b'[{"id": "a", "executor": "noop"}]'


def array(*ids: str, executor: str = "noop", **envelope: Any) -> bytes:
    """Return a task array with an envelope and tasks of these ids."""
    tasks = [{"id": task, "executor": executor} for task in ids or ("a",)]
    return json.dumps({**envelope, "tasks": tasks}).encode()


_NEVER = threading.Event()


def wait_until(is_true: Callable[[], Any], what: str) -> None:
    """Wait until *is_true*; fail, saying *what* did not come, after a limit."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, f"{what}: did not come within {LIMIT_SECONDS:g} s"
        _NEVER.wait(0.005)


_EXECUTORS = ("noop", "fail", "stay", "faulty")


class _Catalog:
    """Executors whose tasks end at once; `fail` fails, and `stay` does not end by itself."""

    def __init__(self) -> None:
        #: Raised when somebody asks for the executor `faulty`.
        self.fault: Exception | None = None

    def kind_of(self, executor: str) -> PlaceKind | None:
        if executor == "faulty" and self.fault is not None:
            raise self.fault
        return PlaceKind.ASYNC if executor in _EXECUTORS else None

    def names(self) -> Iterable[str]:
        return _EXECUTORS

    def wants_input_check(self, executor: str) -> bool:
        del executor
        return False

    def wants_params_check(self, executor: str) -> bool:
        return False

    def params_problems(self, executor: str, params: dict[str, Any]) -> Sequence[InputProblem]:
        return ()

    def input_problems(
        self, executor: str, inputs: dict[str, Any], *, open_at: Collection[InputPath] = ()
    ) -> Sequence[InputProblem]:
        del executor, inputs, open_at
        return ()

    def code_places(self, executor: str, inputs: dict[str, Any]) -> Sequence[InputPath]:
        del executor, inputs
        return ()


class FaultyWriter:
    """A writer whose next works fail, as they would by a fault of ours."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        #: So many works still fail.
        self.faults = 0

    def write(self, work: Callable[[Connection], T]) -> Future[T]:
        """Hand the work on, or one that fails in its place."""
        if not self.faults:
            return self._scheduler.write(work)
        self.faults -= 1

        def fail(connection: Connection) -> T:
            raise RuntimeError("a fault of ours")

        return self._scheduler.write(fail)


class _Listener(TurnListener):
    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended

    def trees_ended(self, trees: Sequence[EndedTree]) -> None:
        del trees
        self._ended()


class IntakeBed:
    """Start, drop, look; `running` is the way to use it."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        values = {"path": directory / "inbox", "settle_seconds": 0.3, **settings}
        self.settings = InboxSettings(**values)
        self.inbox: Path = self.settings.path
        self.inbox.mkdir(exist_ok=True)
        self.url = f"sqlite:///{directory / 'inboxd.db'}"
        self.directory = directory
        self.clock = SystemClock()
        self.catalog = _Catalog()
        #: What is taken besides JSON, and who reads it.
        self.formats: Formats | None = None
        self.events: list[Event] = []
        self.staying: list[Attempt] = []
        self._stack: list[Callable[[], None]] = []

    @contextmanager
    def running(self, *, answers: bool = True) -> Generator[IntakeBed]:
        """Run everything for the length of the block."""
        try:
            self.start(answers=answers)
            yield self
        finally:
            self.stop()

    def start(self, *, answers: bool = True) -> None:
        """Start in the order of the daemon."""
        engine = open_writer(self.url)
        self._stack.append(engine.dispose)
        migrate(engine)
        with engine.begin() as connection:
            delete_unaccepted_trees(connection)
        self.scheduler = Scheduler(
            engine,
            clock=self.clock,
            settings=RunSettings(),
            executors=dict.fromkeys(_EXECUTORS, False),
            listener=_Listener(lambda: self.answers.wake()),
            hand_over=self._hand_over,
        )
        publishing = Publishing()
        current = CurrentInbox(self.settings)
        self._stack.append(current.close)
        self.reader = StoreReader(self.url)
        self._stack.append(self.reader.close)
        self.answers = Answers(
            inbox=current,
            writer=self.scheduler,
            reader=self.reader,
            publishing=publishing,
            retry_seconds=0.05,
        )
        self.writer = FaultyWriter(self.scheduler)
        self.intake = Intake(
            self.settings,
            inbox=current,
            writer=self.writer,
            catalog=self.catalog,
            clock=self.clock,
            tell=self.events.append,
            publishing=publishing,
            results_owed=self.answers.wake,
            formats=self.formats,
        )
        self.scheduler.start(lambda leftovers: None)
        self._stack.append(self.scheduler.stop)
        self._stack.append(self.answers.stop)
        self.intake.start()
        self._stack.append(self.intake.stop)
        if answers:
            self.answers.start()

    def stop(self) -> None:
        """Stop in the order of the daemon."""
        while self._stack:
            self._stack.pop()()

    def _hand_over(self, attempts: Sequence[Attempt]) -> None:
        now = self.clock.now_micros()
        self.staying.extend(one for one in attempts if one.executor == "stay")
        self.scheduler.add_outcomes(
            [(one, _outcome(one), now) for one in attempts if one.executor != "stay"]
        )

    def end_staying(self) -> None:
        """Let the tasks of executor `stay` complete."""
        staying, self.staying = self.staying, []
        now = self.clock.now_micros()
        self.scheduler.add_outcomes([(one, Completed(), now) for one in staying])

    def drop(self, name: str | bytes, content: bytes = ONE_TASK) -> None:
        """Drop a file the good way: written beside, then renamed."""
        raw = name if isinstance(name, bytes) else name.encode()
        root = bytes(self.inbox)
        temporary = root + b"/.drop-%d" % threading.get_ident()
        with open(temporary, "wb") as file:  # noqa: PTH123 - a path of bytes
            file.write(content)
        os.rename(temporary, root + b"/" + raw)  # noqa: PTH104 - paths of bytes

    def wait_idle(self) -> None:
        """Wait until everything that was dropped is taken and answered."""
        wait_until(
            lambda: self.intake.is_idle() and self.scheduler.is_idle and self.answers.is_idle,
            "idleness",
        )

    def wait_taken(self) -> None:
        """Wait until everything that was dropped is taken and has its receipt."""
        wait_until(self.intake.is_idle, "an empty inbox")

    def read(self, path: str) -> dict[str, Any]:
        """Return the JSON document at *path* in the inbox."""
        document: dict[str, Any] = json.loads((self.inbox / path).read_bytes())
        return document

    def names(self, directory: str = ".") -> list[str]:
        """Return the names in a directory of the inbox that do not begin with a dot, in order."""
        return sorted(
            path.name for path in (self.inbox / directory).iterdir() if path.name[0] != "."
        )

    def codes(self, name: str) -> list[str]:
        """Return the error codes of the receipt of a rejected file."""
        return [error["code"] for error in self.read(f"rejected/{name}.receipt.json")["errors"]]

    def trees(self) -> list[tuple[str, str]]:
        """Return (file name, status) of every accepted tree, in the order of acceptance."""
        with self.reader.transaction() as connection:
            rows = connection.exec_driver_sql(
                "SELECT file_name, status FROM trees WHERE accepted_at IS NOT NULL"
                " ORDER BY acceptance"
            ).fetchall()
        return [(row[0].decode("utf-8", "surrogateescape"), row[1]) for row in rows]

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a question to the store."""
        with self.reader.transaction() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement).fetchall()]


def _outcome(attempt: Attempt) -> Completed | Failed:
    if attempt.executor == "fail":
        return Failed(error=TaskError(code=TaskErrorCode.EXCEPTION, message="as asked"))
    return Completed()
