"""What a program gave that cannot be meant, told at once and in words: the arguments of the API."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from inboxd.api.task import entry_of
from inboxd.names import escaped

if TYPE_CHECKING:
    from inboxd.api.tree import TaskTreeNode

__all__ = [
    "must_be",
    "must_be_bool",
    "must_be_callable",
    "must_be_root",
    "must_be_text",
    "not_given_as",
]

_LONGEST = 60


def must_be(value: object, kind: type[Any] | tuple[type[Any], ...], wanted: str) -> None:
    """
    Make sure that a value is of a class.

    Args:
        value: what was given.
        kind: what is wanted.
        wanted: the beginning of the sentence: `TaskManager takes a Session`.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, kind):
        raise not_given_as(value, wanted)


def must_be_bool(value: object, name: str) -> None:
    """
    Make sure that an argument is True or False, which a text such as `"no"` would count as.

    Raises:
        TypeError: it is neither.
    """
    must_be(value, bool, f"{name} is True or False")


def must_be_text(value: object, name: str) -> None:
    """
    Make sure that an argument is text, or None.

    Raises:
        TypeError: it is neither.
    """
    if value is not None:
        must_be(value, str, f"{name} is text")


def must_be_callable(value: object, name: str) -> None:
    """
    Make sure that an argument can be called, if it is given.

    Raises:
        TypeError: it cannot.
    """
    if value is not None and not callable(value):
        raise not_given_as(value, f"{name} is a function of one event")


def must_be_root(node: TaskTreeNode) -> None:
    """
    Make sure that a node is the root of its tree.

    Raises:
        ValueError: it is below another, and so no tree of its own.
    """
    if node.parent is not None:
        raise ValueError(
            f"the node of task {entry_of(node.task).called()} is below another, and so no tree of"
            " its own: give the root for the tree, or `.task` for the task"
        )


def not_given_as(value: object, wanted: str) -> TypeError:
    """Return the error that says what is wanted, and what was given in place of it."""
    if inspect.iscoroutine(value):
        name = escaped(getattr(value, "__qualname__", "…"))
        return TypeError(f"{wanted}, not a coroutine: did you forget `await` before {name}(…)?")
    if isinstance(value, type):
        return TypeError(f"{wanted}, not the class {escaped(value.__qualname__)} itself")
    kind = type(value).__qualname__
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    shown = f" ({_shown(value)})" if isinstance(value, str | int | float) else ""
    return TypeError(f"{wanted}, not {article} {escaped(kind)}{shown}")


def _shown(value: object) -> str:
    text = escaped(repr(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
