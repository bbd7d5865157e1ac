"""The task array: a file's bytes checked by every rule of the format, nothing else touched."""

from __future__ import annotations

from inboxd.array.catalog import Catalog, InputProblem
from inboxd.array.check import CheckedArray, RejectedArray, check_array
from inboxd.array.limits import Limits
from inboxd.array.problem import Problem, ProblemCode

__all__ = [
    "Catalog",
    "CheckedArray",
    "InputProblem",
    "Limits",
    "Problem",
    "ProblemCode",
    "RejectedArray",
    "check_array",
]
