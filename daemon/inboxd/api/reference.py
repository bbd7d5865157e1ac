"""
The reference of the Python API, rendered from the docstrings: `python -m inboxd.api.reference` in a
checkout writes `docs/reference/python-api.md`; a test keeps it current.
"""

from __future__ import annotations

import inspect
import sys
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, get_args

import inboxd
from inboxd.api.described import Attribute, attributes, docstring, methods, signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["SECTIONS", "public_members", "render", "rendered_names"]

_HEAD = """\
# Python API

Rendered from the docstrings by `python -m inboxd.api.reference`. All names are imported from
`inboxd`. The [tutorial](../tutorial/python-api.md) shows how they go together,
[Task trees in Python](../how-to/task-trees-in-python.md) has whole programs, and
[Sessions](../explanation/python-api.md) says what happens in your process. `@executor`,
`TaskContext` and what else authors of executors need stands in [Python plugins](python-plugins.md).

What holds for all: times are aware `datetime`s in UTC; durations are seconds; results, inputs and
the like are JSON values. What waits is `async`; an attribute is a plain read of what is so now.
Every error is an `InboxdError`, but for mistakes of the program itself (`TypeError`, `ValueError`).
In signatures `Tree` is a `TaskTreeNode` or a `TaskTrees`, and `OnEvent` a function of one event,
whose answer is awaited if that can be: `Callable[[TreeEvent], Awaitable[object] | object]`.
"""

#: What stands on the page: titles, and the names below them.
SECTIONS: Final[dict[str, Sequence[str]]] = {
    "Sessions": ("create_session", "Session", "run_array"),
    "Running trees": ("TaskManager",),
    "Tasks": (
        *("TaskRepository", "Task", "TaskStatus", "TaskError", "TaskErrorCode"),
        *("TaskAttempt", "TaskPage", "RetryPolicy", "Join", "Delivery"),
    ),
    "Trees": ("TaskCreator", "TaskTreeNode", "TaskTrees"),
    "Events": (
        *("TreeEvents", "TaskStarted", "TaskProgress", "AttemptEnded", "TaskEnded", "TreeEnded"),
        *("TreeEvent", "ToldAttempt", "ToldOutcome", "ToldTree"),
    ),
    "Errors": (
        *("InboxdError", "InvalidTaskArray", "Problem", "ProblemCode", "NotFound"),
        *(
            "AmbiguousReference",
            "AmbiguousTask",
            "Conflict",
            "StoreInUse",
            "StoreError",
            "ConfigurationError",
        ),
        "SessionClosed",
    ),
}

#: Of a class that is more than its callers need: what they need.
_PUBLIC: Final[dict[str, Sequence[str]]] = {"Session": ("is_closed", "close")}

#: Classes that callers do not make themselves, so that how they are made is nobody's business.
_MADE_BY_US: Final = frozenset({"Session", "Task", "TaskPage", "TaskRepository", "TreeEvents"})


def rendered_names() -> list[str]:
    """Return the names that the page describes."""
    return [name for names in SECTIONS.values() for name in names]


def public_members(name: str) -> Sequence[str] | None:
    """Return which members of a class the page describes; None: all without an underscore."""
    return _PUBLIC.get(name)


def render() -> str:
    """Return `docs/reference/python-api.md`."""
    parts = [_HEAD]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in names:
            what = getattr(inboxd, name)
            if isinstance(what, type):
                parts += _class(name, what)
            elif isinstance(what, UnionType):
                parts += _union(name, what)
            else:
                parts += _function(name, what, 3)
    return "\n".join(parts)


def main(root: Path) -> None:
    """Write the page into the checkout *root*."""
    target = root / "docs" / "reference" / "python-api.md"
    target.write_text(render(), encoding="utf-8")


def _function(name: str, function: Any, level: int) -> Iterator[str]:
    yield f"{'#' * level} `{name}`\n"
    yield f"```text\n{signature(function, name.rpartition('.')[2])}\n```\n"
    yield f"{docstring(function)}\n"


def _union(name: str, union: UnionType) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield f"One of {', '.join(f'`{each.__name__}`' for each in get_args(union))}.\n"


def _class(name: str, kind: type[Any]) -> Iterator[str]:
    yield f"### `{name}`\n"
    init = _constructor(name, kind)
    if init is not None:
        yield f"```text\n{signature(init, name)}\n```\n"
    if issubclass(kind, BaseException):
        yield f"A kind of {', '.join(f'`{base.__name__}`' for base in kind.__bases__)}.\n"
    yield f"{docstring(kind)}\n"
    if init is not None:
        yield f"{docstring(init)}\n"
    chosen = public_members(name)
    listed = [each for each in attributes(kind) if chosen is None or each.name in chosen]
    if issubclass(kind, BaseException):
        # What the command line makes of it is told there.
        listed = [each for each in listed if each.name != "exit_code"]
    if listed:
        yield _table(listed, is_enum=issubclass(kind, Enum))
    for method, function in methods(kind):
        if chosen is None or method in chosen:
            yield from _function(f"{name}.{method}", function, 4)


def _constructor(name: str, kind: type[Any]) -> Callable[..., Any] | None:
    """Return how callers make one; None: they do not, or its attributes say all of it."""
    init = vars(kind).get("__init__")
    if name in _MADE_BY_US or issubclass(kind, Enum | BaseException):
        return None
    return init if inspect.isfunction(init) and init.__doc__ else None


def _table(listed: Sequence[Attribute], *, is_enum: bool) -> str:
    if is_enum and not any(each.meaning for each in listed):
        return ", ".join(f"`{each.name}`" for each in listed) + ".\n"
    lines = [
        f"| {'member | value' if is_enum else 'attribute | type'} | meaning |",
        "|---|---|---|",
    ]
    for each in listed:
        shown = f"`{_cell(each.type)}`" if each.type else ""
        lines.append(f"| `{each.name}` | {shown} | {_cell(each.meaning)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd())
