"""What `list_tasks` is asked for, checked: the statuses and the limit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from inboxd.api.misuse import must_be, not_given_as
from inboxd.names import did_you_mean, escaped
from inboxd.task import TaskStatus

__all__ = ["page_limit", "statuses_of"]

_MOST_ON_A_PAGE = 10_000


def page_limit(limit: object) -> int:
    """
    Return how many tasks a page has at most.

    Raises:
        ValueError: it is not 1 to 10,000.
        TypeError: it is no whole number.
    """
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise not_given_as(limit, f"limit is a whole number, 1 to {_MOST_ON_A_PAGE:,}")
    if not 1 <= limit <= _MOST_ON_A_PAGE:
        raise ValueError(f"limit is {limit}; it is 1 to {_MOST_ON_A_PAGE:,}")
    return limit


def statuses_of(status: object) -> frozenset[TaskStatus] | None:
    """
    Return which statuses are meant by one, or by several; None: all.

    Raises:
        ValueError: there is no such status; the text names those that there are.
        TypeError: it is no text, nor several.
    """
    if status is None:
        return None
    given = [status] if isinstance(status, str) else status
    must_be(given, Iterable, "status is a TaskStatus or its text, or several")
    return frozenset(map(_status, cast("Iterable[object]", given)))


def _status(one: object) -> TaskStatus:
    must_be(one, str, "a status is a TaskStatus or its text")
    text = str(one)
    if text not in list(TaskStatus):
        hint = did_you_mean(text, TaskStatus)
        there_are = f"there are: {', '.join(TaskStatus)}"
        shown = escaped(text)[:80]
        raise ValueError(f'no status "{shown}"; {f"{hint} " if hint else ""}{there_are}')
    return TaskStatus(text)
