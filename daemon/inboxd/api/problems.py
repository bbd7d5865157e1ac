"""Problems of a task array in the words of a caller who has a list, and no file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inboxd.array.problem import ProblemCode

if TYPE_CHECKING:
    from inboxd.array.problem import Problem

__all__ = ["of_the_list"]

_TASKS = "/tasks"
_IN_FILE = " in this file"
#: Their messages end with the pointers of other tasks.
_POINTING = frozenset({ProblemCode.AMBIGUOUS_REFERENCE, ProblemCode.DUPLICATE_ID})


def of_the_list(problem: Problem) -> Problem:
    """Return a problem of an array, or of an envelope around it, with pointers from the list."""
    pointer, message = problem.pointer, problem.message
    if pointer == _TASKS or pointer.startswith(f"{_TASKS}/"):
        pointer = pointer[len(_TASKS) :]
    if message.endswith(_IN_FILE):
        message = f"{message[: -len(_IN_FILE)]} among these tasks"
    if problem.code in _POINTING:
        # What is quoted is the caller's own text.
        own, quote, rest = message.rpartition('"')
        message = f"{own}{quote}{rest.replace(f'{_TASKS}/', '/')}"
    return replace(problem, pointer=pointer, message=message)
