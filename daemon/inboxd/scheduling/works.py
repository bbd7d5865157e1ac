"""Works of other threads, done in a turn's transaction, each in a savepoint of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxd.clock import Clock
    from inboxd.scheduling.mailbox import Mailbox, Work
    from inboxd.scheduling.turn import Turn

__all__ = ["do_works"]

#: Works are begun in a turn for at most so long; the rest is for the next one.
_WORK_SECONDS = 0.04


def do_works(connection: Connection, mailbox: Mailbox, turn: Turn, clock: Clock) -> None:
    """
    Do the works that wait, until the turn has no more time for them.

    Args:
        connection: in a transaction of the writer.
        mailbox: where they wait.
        turn: gets the works that were begun, and what they gave.
        clock: the time.

    Raises:
        DBAPIError: the store is in trouble, whatever the work: the whole turn is to be repeated.
    """
    begun = clock.monotonic()
    while (work := mailbox.take_work()) is not None:
        turn.works.append(work)
        try:
            with connection.begin_nested():
                turn.done.append((work, work.run(connection)))
        except (IntegrityError, DataError, ProgrammingError) as error:
            _refuse(turn, work, error)
        except DBAPIError:
            raise
        except Exception as error:  # whose fault it is, the giver must know
            _refuse(turn, work, error)
        if clock.monotonic() - begun > _WORK_SECONDS:
            break


def _refuse(turn: Turn, work: Work[Any], error: Exception) -> None:
    """Hand the error of a work to who gave it; its savepoint has undone what it did."""
    turn.works.pop()
    work.future.set_exception(error)
