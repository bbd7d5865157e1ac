"""
What to write in place of a value that JSON does not have.

Such values come from parsers of other formats (dates), and from programs, which may hand over any
object: a coroutine that was not awaited, an executor in place of its name.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any
from uuid import UUID

from inboxd.array.problem import quoted

__all__ = ["AS_TEXT", "hint_for"]

AS_TEXT = "write it as text, in quotes"
_WHAT_THERE_IS = "JSON has text, numbers, true, false, null, lists and objects"
#: What has one text that everybody would write for it.
_TEXTS = (bytes, bytearray, date, time, timedelta, Decimal, UUID, PurePath)
_BASES: tuple[type[object], ...] = (str, float, int)


def hint_for(value: object) -> str:
    """Return what to do about a value; whatever a stranger's class does, it raises nothing."""
    try:
        return _hint_for(value)
    except Exception:  # an attribute that is asked for may be anybody's code
        return _WHAT_THERE_IS


def _hint_for(value: Any) -> str:
    if inspect.isawaitable(value):
        return "did you forget `await`?"
    if isinstance(value, _TEXTS):
        return AS_TEXT
    if isinstance(value, AbstractSet | tuple | Iterator | range):
        return "give a list"
    if isinstance(value, Mapping):
        return "give a dict"
    for base in _BASES:
        if isinstance(value, base):
            return f"give {base.__name__}(…) of it"
    # By what they have: what they are is known further up.
    name = getattr(value, "name", None)
    if isinstance(name, str) and callable(getattr(value, "execute", None)):
        return f"an executor is given by its name: {quoted(name)}"
    if isinstance(getattr(getattr(value, "task", None), "id", None), str):
        return "a task is given by its id: `.task.id`"
    if isinstance(getattr(value, "id", None), str) and hasattr(value, "is_draft"):
        return "a task is given by its id: `.id`"
    if callable(value):
        return "an executor is given by the name that `@executor` gave it"
    return _WHAT_THERE_IS
