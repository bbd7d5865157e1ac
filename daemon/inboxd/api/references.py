"""What references name among the tasks of a tree: an id, else a name that one of them has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inboxd.api.entry import TaskEntry

__all__ = ["references_among"]


def references_among(entries: Iterable[TaskEntry]) -> Callable[[str], str | None]:
    """
    Return what gives the id of the task that a reference names; None: it names none, or several.

    Args:
        entries: the tasks of one tree; of those in the store only ids count, which is what their
            edges and parents are known by.
    """
    ids: dict[str, str] = {}
    names: dict[str, str | None] = {}
    for entry in entries:
        ids[entry.id] = entry.id
        name = entry.document.get("name")
        if isinstance(name, str) and name != entry.id:
            names[name] = None if name in names else entry.id
    return {**names, **ids}.get
