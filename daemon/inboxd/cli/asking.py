"""What verbs ask the daemon: the socket of the instance that is meant, and TREE or TREE/TASK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from inboxd.control.client import ControlClient, task_path, tree_path
from inboxd.errors import NotFound
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inboxd.cli.options import Where

__all__ = ["ask_of", "ask_of_task", "cuts", "first_found", "open_control", "tasks_text"]

T = TypeVar("T")


def open_control(where: Where) -> ControlClient:
    """
    Return a client of the daemon that is meant; nothing is connected yet.

    Raises:
        DaemonNotReachable: it does not run.
    """
    return ControlClient.of(where.instance())


def ask_of(
    client: ControlClient, reference: str, verb: str, body: Mapping[str, object] | None = None
) -> Any:
    """Have something done to TREE or TREE/TASK; return what was."""
    return first_found(
        reference,
        lambda tree, task: client.post(
            tree_path(tree, verb) if task is None else task_path(tree, task, verb), body
        ),
    )


def ask_of_task(client: ControlClient, reference: str, ask: Callable[[str, str], T]) -> T:
    """
    Return what *ask* gives for the tree and the task of TREE/TASK.

    Raises:
        NotFound: no task was named, or it is not there.
    """

    def ask_task(tree: str, task: str | None) -> T:
        if task is None:
            raise NotFound(
                f'"{escaped(reference)}" names no task; write TREE/TASK.'
                " `inboxd show TREE` lists the tasks of a tree"
            )
        return ask(tree, task)

    return first_found(reference, ask_task)


def cuts(reference: str) -> list[tuple[str, str | None]]:
    """
    Return what TREE or TREE/TASK may mean, the likeliest first: (tree, task or None).

    The names of trees and tasks may hold slashes, so each slash may be the one between them. File
    names and ids of tasks hold none: almost always the first slash is it.
    """
    slashes = [index for index, character in enumerate(reference) if character == "/"]
    found: list[tuple[str, str | None]] = [
        (reference[:cut], reference[cut + 1 :])
        for cut in slashes
        if cut and cut + 1 < len(reference)
    ]
    return [*found, (reference, None)]


def tasks_text(count: int) -> str:
    """Return `1 task`, `12 tasks`."""
    return "1 task" if count == 1 else f"{count:,} tasks"


def first_found(reference: str, ask: Callable[[str, str | None], T]) -> T:
    """Ask of each meaning in turn; what is not there was not changed."""
    problem: NotFound | None = None
    for tree, task in cuts(reference):
        try:
            return ask(tree, task)
        except NotFound as error:
            problem = problem or error
    raise problem or NotFound(f'no tree "{escaped(reference)}"')
