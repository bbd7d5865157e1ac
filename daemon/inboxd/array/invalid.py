"""What a caller of the Python API is told of tasks that break the rules of a task array."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.errors import InboxdError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.array.problem import Problem

__all__ = ["InvalidTaskArray"]


class InvalidTaskArray(InboxdError):
    """
    Tasks break the rules of a task array, and nothing of them was kept.

    `errors` holds what is wrong, at least one and at most 100, in the order of the array: each with
    `code`, `pointer`, `message` and `hint`. The pointer (RFC 6901) starts at the array:
    `/3/priority` is the priority of its fourth task. A tree that was put together of drafts is an
    array too, of its tasks in the order in which they were made; each message begins with the name
    of its task then.
    """

    exit_code = 4

    def __init__(self, errors: Sequence[Problem], *, has_more: bool = False) -> None:
        self.errors = tuple(errors)
        #: There are more than these.
        self.has_more = has_more
        lines = [str(error) for error in self.errors]
        if has_more:
            lines.append("and more")
        super().__init__("\n".join(lines))
