"""`logs` for who may ask the daemon, but not read its files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from inboxd.cli.asking import ask_of_task
from inboxd.cli.output import note
from inboxd.control.client import task_path
from inboxd.errors import NotFound
from inboxd.names import escaped
from inboxd.running.logs import Dropped
from inboxd.task import TERMINAL_STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.cli.render.log_output import LogOutput, Stream
    from inboxd.control.client import ControlClient

__all__ = ["copy_log"]

#: While an attempt is followed, the daemon is asked so often.
_ASK_SECONDS = 0.25


def copy_log(
    client: ControlClient,
    reference: str,
    attempt: int | None,
    streams: Sequence[Stream],
    *,
    output: LogOutput,
    follow: bool,
) -> None:
    """
    Write the log of an attempt; bytes that are no UTF-8 come as U+FFFD.

    Args:
        client: of the daemon.
        reference: TREE/TASK.
        attempt: its number; None: the newest.
        streams: which, in this order.
        output: where to.
        follow: go on until the attempt is over; wait for one that has not begun.
    """
    task = ask_of_task(
        client, reference, lambda tree, task: client.get(task_path(tree, task))
    )  # fmt: skip
    path = task_path(task["tree_id"], task["id"])
    while follow and len(task["attempts"]) < (attempt or 1) and _is_open(task):
        time.sleep(_ASK_SECONDS)
        task = client.get(path)
    if not task["attempts"]:
        why = f": {task['reason']}" if task["reason"] else ""
        raise NotFound(f'task "{escaped(task["id"])}" was never started{why}')
    number = attempt or task["attempts"][-1]["number"]
    offsets: dict[Stream, int] = dict.fromkeys(streams, 0)
    left = list(streams)
    while left:
        for stream in list(left):
            is_ended = _copy(client, path, number, stream, offsets, output)
            if is_ended or not follow:
                left.remove(stream)
        output.flush()
        if left:
            time.sleep(_ASK_SECONDS)
    output.close()
    if not any(offsets.values()):
        note(f"attempt {number} of {escaped(task['id'])} wrote nothing")


def _is_open(task: dict[str, Any]) -> bool:
    return task["status"] not in TERMINAL_STATUSES


def _copy(
    client: ControlClient,
    path: str,
    number: int,
    stream: Stream,
    offsets: dict[Stream, int],
    output: LogOutput,
) -> bool:
    """Write what there is of one stream now; return whether no more can come."""
    while True:
        query = {"attempt": number, "stream": stream, "offset": offsets[stream]}
        part = client.get(f"{path}/logs", query)
        for piece in part["pieces"]:
            if "text" in piece:
                output.write(stream, piece["text"].encode())
            else:
                output.write(stream, Dropped(piece["dropped_bytes"]))
        is_more = part["next"] > offsets[stream]
        offsets[stream] = part["next"]
        if part["is_ended"] or not is_more:
            return bool(part["is_ended"])
