"""The scheduler's turns on a real SQLite file, driven by hand with a clock that stands still."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING, TypeVar

import pytest

from inboxd.config.settings import RunSettings
from inboxd.scheduling.cancelling import Cancelled, cancel_task, cancel_tree
from inboxd.scheduling.mailbox import Mailbox
from inboxd.scheduling.recovery import recover
from inboxd.scheduling.retrying import Retried, begin_retry_of_task, begin_retry_of_tree
from inboxd.scheduling.turn import TurnListener
from inboxd.scheduling.turns import Turns
from inboxd.store.acceptance import (
    TreeHeader,
    accept_tree,
    insert_small_tree,
    insert_tasks,
    reserve_tree,
)
from inboxd.store.engine import open_writer
from inboxd.store.schema import migrate
from inboxd.store.tables import STATUS_OF_STATE
from inboxd.task import Completed, EdgeOn, EdgeSpec, PlaceKind, TaskSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from inboxd.running.attempt import Attempt
    from inboxd.scheduling.grip import Grip, Sweep
    from inboxd.scheduling.turn import EndedTree
    from inboxd.task import Outcome

T = TypeVar("T")


class StandingClock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.micros = 1_800_000_000_000_000

    def now_micros(self) -> int:
        return self.micros

    def monotonic(self) -> float:
        return self.micros / 1_000_000

    def advance(self, seconds: float) -> None:
        self.micros += int(seconds * 1_000_000)


class _Ended(TurnListener):
    def __init__(self) -> None:
        self.trees: dict[int, str] = {}

    def trees_ended(self, trees: Sequence[EndedTree]) -> None:
        for one in trees:
            assert one.tree.id not in self.trees, "a tree ended twice"
            self.trees[one.tree.id] = one.status

    def forget(self, tree: int) -> None:
        """Expect a tree to end once more: it runs again."""
        self.trees.pop(tree, None)


class Bed:
    """One store and its turns."""

    def __init__(
        self,
        directory: Path,
        empty: Path,
        *,
        places: int = 1,
        async_places: int = 1,
        executors: Sequence[str] = ("noop", "command"),
        max_interruptions: int = 5,
        small_tree: int = 2_000,
        rows_a_turn: int = 10_000,
    ) -> None:
        self.directory = directory
        self.clock = StandingClock()
        self.listener = _Ended()
        self._settings = RunSettings(
            places=places, async_places=async_places, max_interruptions=max_interruptions
        )
        self._executors = dict.fromkeys(executors, True)
        self._small_tree = small_tree
        self._rows_a_turn = rows_a_turn
        #: Attempts that were to be ended, since their tasks were cancelled.
        self.cut: list[Attempt] = []
        shutil.copy(empty, directory / "inboxd.db")
        self._engine = open_writer(f"sqlite:///{directory / 'inboxd.db'}")
        self._numbers = itertools.count(1)
        #: Every attempt that was ever handed over, in order.
        self.started: list[Attempt] = []
        #: How many had started when a person last asked for a retry.
        self.started_before = 0
        #: Handed over and not ended, by task number.
        self.running: dict[int, Attempt] = {}
        #: (tree's public id, position, attempt) of what recoveries ended.
        self.leftovers: list[tuple[str, int, int]] = []
        self._open()

    def _open(self, *, run_left_over: bool = True) -> None:
        self.connection = self._engine.connect()
        recover(
            self.connection,
            end_leftovers=self.leftovers.extend,
            clock=self.clock,
            max_interruptions=self._settings.max_interruptions,
            executors=self._executors,
            run_left_over=run_left_over,
            small_tree=self._small_tree,
        )
        self.mailbox = Mailbox(lambda: None)
        self.turns = Turns(
            self.connection,
            self.mailbox,
            clock=self.clock,
            settings=self._settings,
            executors=self._executors,
            listener=self.listener,
            end_attempts=self.cut.extend,
            small_tree=self._small_tree,
            rows_a_turn=self._rows_a_turn,
        )

    def crash(self, executors: Sequence[str] | None = None, *, run_left_over: bool = True) -> None:
        """Forget all that is not in the store, as a kill would, and start anew."""
        self.connection.close()
        self.running.clear()
        if executors is not None:
            self._executors = dict.fromkeys(executors, True)
        self._open(run_left_over=run_left_over)

    def close(self) -> None:
        self.connection.close()
        self._engine.dispose()

    def write(self, work: Callable[[Connection], int]) -> int:
        future = self.mailbox.write(work)
        self.turn()
        return future.result(timeout=0)

    def ask(self, do: Callable[[Grip], T | Sweep], turns: int = 1) -> T:
        """Do turns until a person is answered, at most so many; return or raise the answer."""
        future = self.turns.steering.ask(do)
        for _ in range(turns):
            self.turn()
            if future.done():
                break
        return future.result(timeout=0)

    def cancel(self, tree: int) -> Cancelled:
        return self.ask(lambda grip: cancel_tree(grip, tree))

    def cancel_task(self, tree: int, position: int) -> Cancelled:
        number = self.number(tree, position)
        return self.ask(lambda grip: cancel_task(grip, number))

    def retry(self, tree: int) -> Retried:
        self.started_before = len(self.started)
        return self.ask(lambda grip: begin_retry_of_tree(grip, tree), turns=10_000)

    def retry_task(self, tree: int, position: int) -> Retried:
        number = self.number(tree, position)
        self.started_before = len(self.started)
        return self.ask(lambda grip: begin_retry_of_task(grip, number), turns=10_000)

    def number(self, tree: int, position: int) -> int:
        first = self.value("SELECT first_task FROM trees WHERE id = ?", tree)
        assert isinstance(first, int)
        return first + position

    def header(self, count: int, *, strict: bool = False) -> TreeHeader:
        number = next(self._numbers)
        return TreeHeader(
            public_id=f"00000000-0000-7000-8000-{number:012d}",
            task_count=count,
            received_at=self.clock.now_micros(),
            file_name=b"x.json",
            strict_priority=strict,
        )

    def accept(self, specs: Sequence[TaskSpec], *, strict: bool = False) -> int:
        """Accept a tree as the intake does, and return its number; no turn is done for it."""
        return self._accept(specs, strict=strict)

    def _accept(self, specs: Sequence[TaskSpec], *, strict: bool) -> int:
        header = self.header(len(specs), strict=strict)
        now = self.clock.now_micros()
        with self.connection.begin():
            if len(specs) <= self._small_tree:
                tree = insert_small_tree(self.connection, header, specs, now)
            else:
                tree = reserve_tree(self.connection, header)
                insert_tasks(self.connection, tree, specs)
                accept_tree(self.connection, tree, now)
        self.mailbox.write(lambda _: None)  # a turn that sees what was accepted
        return tree

    def turn(self) -> list[Attempt]:
        attempts = self.turns.run()
        for attempt in attempts:
            assert attempt.task not in self.running, "a task runs beside itself"
            self.running[attempt.task] = attempt
        self.started.extend(attempts)
        return attempts

    def end(self, attempt: Attempt, outcome: Outcome | None = None) -> None:
        del self.running[attempt.task]
        self.mailbox.add_outcomes([(attempt, outcome or Completed(), self.clock.now_micros())])

    def run_to_end(self, outcome: Callable[[Attempt], Outcome] | None = None) -> None:
        """Turn after turn, ending attempts in the order of their starts, until nothing is left."""
        for _ in range(100_000):
            self.turn()
            for attempt in list(self.running.values()):
                self.end(attempt, outcome(attempt) if outcome else None)
            if self.turns.is_idle:
                return
            due = self.turns.next_run()
            if due is not None and self.mailbox.is_empty:
                self.clock.micros = max(self.clock.micros, due)
        raise AssertionError("it does not end")

    def statuses(self, tree: int) -> dict[str, str]:
        rows = self.connection.exec_driver_sql(
            "SELECT local_id, state FROM tasks WHERE tree = ? ORDER BY id", (tree,)
        ).fetchall()
        self.connection.rollback()
        return {row[0]: STATUS_OF_STATE[row[1]].value for row in rows}

    def value(self, statement: str, *parameters: object) -> object:
        """Return what a query gives; never inside a turn, which the end of this would undo."""
        assert not self.connection.in_transaction()
        found = self.connection.exec_driver_sql(statement, parameters).scalar()
        self.connection.rollback()
        return found


def spec(position: int, **fields: object) -> TaskSpec:
    """Return a task; `on_success=[0, 1]` and so on make its edges."""
    edges: list[EdgeSpec] = []
    for on in EdgeOn:
        for dependency in fields.pop(f"on_{on.value}", ()):  # type: ignore[attr-defined]
            edges.append(EdgeSpec(dependency, on))
    values: dict[str, object] = {
        "id": f"t{position}",
        "name": f"t{position}",
        "executor": "noop",
        "kind": PlaceKind.ASYNC,
        "has_dependants": True,
        **fields,
    }
    return TaskSpec(position=position, edges=tuple(edges), **values)  # type: ignore[arg-type]


@pytest.fixture
def make_spec() -> Callable[..., TaskSpec]:
    return spec


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows; migrating takes longer than most tests here."""
    path = tmp_path_factory.mktemp("empty") / "inboxd.db"
    engine = open_writer(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def make_bed(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> object:
    beds: list[Bed] = []

    def make(**options: object) -> Bed:
        bed = Bed(tmp_path_factory.mktemp("bed"), empty_database, **options)  # type: ignore[arg-type]
        beds.append(bed)
        return bed

    yield make
    for bed in beds:
        bed.close()
