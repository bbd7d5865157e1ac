"""`TaskPage`: some of the tasks that were asked for, and where the others begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inboxd.api.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Cursor", "TaskPage"]


class TaskPage(list[Task]):
    """A list of tasks, with what gives the next page."""

    def __init__(self, tasks: Iterable[Task] = (), *, next_page: str | None = None) -> None:
        """
        Put a page together.

        Args:
            tasks: those of this page.
            next_page: what `after` is for the next one.
        """
        super().__init__(tasks)
        #: To be given to `list_tasks` as `after`; None: there were no more.
        self.next_page = next_page


class Cursor(NamedTuple):
    """Where a page ends: what comes after it is in the store, or a draft."""

    #: The internal number of the last task of the store; 0: none yet.
    number: int = 0
    #: The order of the last draft; -1: none yet.
    order: int = -1

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """
        Return the cursor of a text.

        Raises:
            ValueError: no page ends so.
        """
        if text is None:
            return cls()
        number, dot, order = text.partition(".")
        try:
            if dot:
                return cls(int(number), int(order))
        except ValueError:
            pass
        raise ValueError(f"{text!r} is not where a page ends: give `next_page` of one as `after`")

    def __str__(self) -> str:
        return f"{self.number}.{self.order}"
