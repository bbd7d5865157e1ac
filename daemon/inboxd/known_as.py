"""What people know a task by, where its id is one that was made and says nothing to them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from inboxd.ids import MADE_ID, short_id
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["called", "called_among", "with_names"]


def called(task_id: str, name: str | None) -> str:
    """Return its name, safe to show, where its id is one that was made; else its id."""
    if name is None or name == task_id or MADE_ID.fullmatch(task_id) is None:
        return task_id
    return escaped(name)


def called_among(names: Mapping[str, str]) -> dict[str, str]:
    """
    Return what people can tell the tasks of a tree apart by, by id: of a name that several have
    the last 8 characters of the id follow.

    Args:
        names: of the tasks, by id.
    """
    shown = {task_id: called(task_id, name) for task_id, name in names.items()}
    count = Counter(shown.values())
    return {
        task_id: text if count[text] == 1 or text == task_id else f"{text} {short_id(task_id)}"
        for task_id, text in shown.items()
    }


def with_names(text: str, shown: Mapping[str, str]) -> str:
    """Return a message with the made ids in it replaced by what people know their tasks by."""
    return MADE_ID.sub(lambda found: shown.get(found[0], found[0]), text)
