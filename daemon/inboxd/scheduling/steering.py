"""
What persons ask for while tasks run: requests from any thread, done in a turn's transaction.

A request changes marks and small trees at once. What it means for the tasks of a large tree is a
*sweep*, done over many turns in steps of some milliseconds, so that no turn is long; its row in the
store says how far it is, so that a crash costs a step and no more.
"""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy.exc import DBAPIError

from inboxd.errors import InboxdError
from inboxd.scheduling.cancelling import cancel_steps
from inboxd.scheduling.grip import Grip, Sweep, Sweeps
from inboxd.scheduling.mailbox import StoreClosed
from inboxd.scheduling.pausing import priority_steps
from inboxd.scheduling.retrying import retry_steps
from inboxd.store.tables import SweepKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from inboxd.clock import Clock
    from inboxd.scheduling.memory import Memory
    from inboxd.scheduling.turn import Turn

__all__ = ["ROWS_A_TURN", "Request", "Steering"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Sweeps go on in a turn until it is so old, and for at least a step and at most so many rows. Its
#: commit takes as long again, which together stays under 100 ms.
_SECONDS_A_TURN = 0.03
ROWS_A_TURN = 10_000


@dataclass(slots=True, eq=False)
class Request(Generic[T]):
    """What a person asks for."""

    #: Does it, or begins a sweep that does and answers. Raises `InboxdError` before it changes
    #: anything.
    do: Callable[[Grip], T | Sweep]
    future: Future[T]
    #: What it came to, to be told after the commit; None: it is not known yet.
    answer: object = None
    #: It was begun before, in a turn that failed, or whose end is not known.
    is_repeated: bool = False


class Steering:
    """The requests and sweeps of one store; asked from any thread, used by the turns' alone."""

    def __init__(self, memory: Memory, clock: Clock, *, rows_a_turn: int = ROWS_A_TURN) -> None:
        """
        Args:
            memory: the turns' view of the store.
            clock: the time.
            rows_a_turn: tasks that sweeps look at in one turn.
        """
        self._memory = memory
        self._clock = clock
        self._rows_a_turn = rows_a_turn
        self._requests: deque[Request[Any]] = deque()
        self._sweeps = Sweeps()
        #: By the number of the sweep.
        self._asked: dict[int, Request[Any]] = {}
        self._grip: Grip | None = None
        self._is_closed = False

    def ask(self, do: Callable[[Grip], T | Sweep]) -> Future[T]:
        """Have *do* called in the next turn; the future is resolved after the commit."""
        future: Future[T] = Future()
        if self._is_closed:
            future.set_exception(StoreClosed("the daemon is stopping; nothing was done"))
        else:
            self._requests.append(Request(do, future))
        return future

    @property
    def is_busy(self) -> bool:
        """Whether a turn has something to steer."""
        return bool(self._requests) or bool(self._sweeps)

    def load(self, connection: Connection, turn: Turn) -> None:
        """Look at what the store says, at the start and after a turn that failed."""
        self._sweeps.load(connection)
        self._grip = Grip(connection, self._memory, turn, self._sweeps)
        phases = self._sweeps.phases()
        for number, request in list(self._asked.items()):
            if request in self._requests:
                del self._asked[number]  # it is repeated
            elif phases.get(number) == 0:
                request.answer = None  # it will be found out again

    def run(self, turn: Turn) -> None:
        """Begin the requests that wait, and go on with the sweeps for a while."""
        if not self.is_busy:
            return
        grip = self._grip
        assert grip is not None  # noqa: S101 - the first turn has loaded it
        grip.turn = turn
        until = turn.begun + _SECONDS_A_TURN
        while self._requests:
            request = self._requests.popleft()
            turn.requests.append(request)
            self._begin(grip, request)
            if self._clock.monotonic() > until:
                return
        rows = 0
        touched: dict[int, Sweep] = {}
        while (sweep := self._sweeps.next()) is not None:
            if sweep.steps is None:
                sweep.steps = self._steps(grip, sweep)
            touched[sweep.row.id] = sweep
            rows += next(sweep.steps, 0)
            if rows >= self._rows_a_turn or self._clock.monotonic() > until:
                break
        Sweeps.save(grip.connection, touched.values())

    def _begin(self, grip: Grip, request: Request[Any]) -> None:
        grip.is_repeated = request.is_repeated
        try:
            answer = request.do(grip)
        except DBAPIError:
            raise
        except InboxdError as error:
            # When the turn that failed was committed after all, what it did is the answer.
            if request.answer is None:
                request.answer = error
        except Exception as error:
            # A fault of ours, in the middle of what it does: the turn is undone, and who asked is
            # told in place of trying again.
            request.answer = error
            raise
        else:
            if isinstance(answer, Sweep):
                request.answer = None
                self._asked[answer.row.id] = request
                return
            request.answer = answer
        grip.turn.answered.append(request)

    def _steps(self, grip: Grip, sweep: Sweep) -> Iterator[int]:
        match SweepKind(sweep.row.kind):
            case SweepKind.CANCEL:
                return cancel_steps(grip, sweep)
            case SweepKind.PRIORITY:
                return priority_steps(grip, sweep)
            case SweepKind.RETRY:
                return retry_steps(grip, sweep, lambda answer: self._answer(sweep, answer))

    def _answer(self, sweep: Sweep, answer: object) -> None:
        request = self._asked.get(sweep.row.id)
        if request is not None:
            request.answer = answer
        elif isinstance(answer, InboxdError):
            logger.info(
                "a retry that was asked for before the daemon ended is refused: %s",
                answer,
                extra={"event": "retry_refused"},
            )

    def after_commit(self, turn: Turn) -> None:
        """Answer what the commit made true."""
        for number, request in list(self._asked.items()):
            if request.answer is not None:
                del self._asked[number]
                turn.answered.append(request)
        for request in turn.answered:
            _resolve(request.future, request.answer)

    def after_failure(self, turn: Turn) -> None:
        """Have the requests of a turn that failed begun again, but for one that broke it."""
        for request in reversed(turn.requests):
            if isinstance(request.answer, Exception) and not isinstance(
                request.answer, InboxdError
            ):
                _resolve(request.future, request.answer)
                continue
            request.is_repeated = True
            self._requests.appendleft(request)

    def close(self) -> None:
        """Refuse requests from now on, and those that wait; sweeps go on at the next start."""
        self._is_closed = True
        waiting = [*self._requests, *self._asked.values()]
        self._requests.clear()
        self._asked.clear()
        for request in waiting:
            _resolve(request.future, StoreClosed("the daemon is stopping; ask again when it runs"))


def _resolve(future: Future[Any], answer: object) -> None:
    """Tell who asked, unless nobody waits any more."""
    if not future.set_running_or_notify_cancel():
        return
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)
