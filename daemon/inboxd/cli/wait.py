"""`inboxd wait`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from inboxd.cli.completing import complete_tree
from inboxd.cli.exit_codes import ExitCode
from inboxd.cli.options import Verb, duration_option, json_option, where_options
from inboxd.errors import DaemonNotReachable

if TYPE_CHECKING:
    from inboxd.cli.options import Where
    from inboxd.cli.progress import Progress
    from inboxd.control.client import ControlClient

__all__ = ["command"]

#: One question lasts so long where progress is shown, and where none is; whole seconds.
_SHOWN_SECONDS = 1
_QUIET_SECONDS = 25

#: A daemon that is restarted comes back within this; one that was stopped does not.
_PATIENCE_SECONDS = 15.0
_PAUSE_SECONDS = 0.1


class _TimedOut(Exception):
    """The time that the person gave is over."""


@click.command(
    cls=Verb,
    example="""
inboxd wait @
inboxd wait --timeout 10m nightly weekly
""",
)
@click.argument("trees", metavar="TREE...", nargs=-1, required=True, shell_complete=complete_tree)
@duration_option("--timeout", metavar="T", help="No longer than this: `90s`, `10m`. Then exit 124.")
@where_options
@json_option
def command(where: Where, trees: tuple[str, ...], timeout: float | None, as_json: bool) -> int:
    """
    Wait until trees have ended.

    Prints how each ended. The exit code is 0 when all completed, 1 when one failed or was
    cancelled, 124 when the time is over before. A restart of the daemon is waited for.
    """
    from inboxd.cli.asking import open_control  # not needed for --help
    from inboxd.cli.output import note, print_json
    from inboxd.cli.progress import Progress

    deadline = None if timeout is None else time.monotonic() + timeout
    ended: list[dict[str, Any]] = []
    with open_control(where) as client, Progress() as progress:
        # What a name means now, it means until the end: a newer tree may take it meanwhile.
        ids = [_found(client, tree) for tree in trees]
        try:
            for tree_id in dict.fromkeys(ids):
                tree = _waited(client, tree_id, deadline, progress)
                progress.clear()
                ended.append(tree)
                if not as_json:
                    click.echo(_line(tree))
        except _TimedOut:
            progress.clear()
            left = len(set(ids)) - len(ended)
            note(f"timed out: {left} of {len(set(ids))} trees had not ended")
            if as_json:
                print_json({"format": 1, "trees": ended})
            return ExitCode.TIMED_OUT
    if as_json:
        print_json({"format": 1, "trees": ended})
    good = all(tree["status"] == "completed" for tree in ended)
    return ExitCode.GOOD if good else ExitCode.FAILED


def _found(client: ControlClient, reference: str) -> str:
    from inboxd.control.client import DaemonEnded, tree_path

    while True:
        try:
            tree_id: str = client.get(tree_path(reference))["tree_id"]
        except DaemonEnded:
            _wait_for_restart(client, None)
        else:
            return tree_id


def _waited(
    client: ControlClient, tree_id: str, deadline: float | None, progress: Progress
) -> dict[str, Any]:
    """Return the tree when it has ended, over restarts of the daemon."""
    from inboxd.control.client import TryLater, tree_path

    most = _SHOWN_SECONDS if progress.is_shown else _QUIET_SECONDS
    while True:
        left = float(most) if deadline is None else deadline - time.monotonic()
        try:
            answer = client.get(
                tree_path(tree_id, "wait"), {"timeout": max(0, min(most, int(left)))}
            )
        except (DaemonNotReachable, TryLater):
            _wait_for_restart(client, deadline)
            answer = {"ended": False}
        else:
            tree: dict[str, Any] = answer["tree"]
            if answer["ended"]:
                return tree
            progress.draw(tree["counts"])
        if deadline is not None and time.monotonic() >= deadline:
            raise _TimedOut
        # A daemon that is stopping answers at once, and so does a question of less than a second.
        time.sleep(_PAUSE_SECONDS if left >= _PAUSE_SECONDS else max(0.0, left))


def _wait_for_restart(client: ControlClient, deadline: float | None) -> None:
    """
    Return when the daemon answers again, or the deadline has come.

    Raises:
        DaemonNotReachable: it does not come back.
    """
    from inboxd.control.client import TryLater

    end = time.monotonic() + _PATIENCE_SECONDS
    while deadline is None or time.monotonic() < deadline:
        try:
            client.get("/v1/version")
        except (DaemonNotReachable, TryLater):
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _line(tree: dict[str, Any]) -> str:
    from inboxd.cli.progress import counted
    from inboxd.names import escaped

    counts = {name: count for name, count in tree["counts"].items() if name != "total"}
    name = tree["name"] or tree["file"]
    label = f"{tree['tree_id'][-8:]} {escaped(name)}" if name else tree["tree_id"][-8:]
    return f"{label}: {tree['status']} ({', '.join(counted(counts))})"
