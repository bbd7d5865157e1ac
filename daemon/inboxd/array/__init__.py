"""
The task array: a file's bytes checked by every rule of the format, nothing else touched.

What checks is loaded when it is asked for: a plugin's executor needs a few values of this package,
and neither the decoder nor the JSON Schema library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inboxd.array.catalog import Catalog, InputProblem
from inboxd.array.limits import Limits
from inboxd.array.problem import Problem, ProblemCode

if TYPE_CHECKING:
    from inboxd.array.check import CheckedArray, RejectedArray, check_array

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


def __getattr__(name: str) -> Any:
    """Load what checks an array (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("inboxd.array.check"), name)
