"""The terminal: where there is one, lines are cut to its width; elsewhere they are whole."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

from inboxd.cli.render.drawing import ASCII, UNICODE, Guides
from inboxd.clock import rfc3339_micros
from inboxd.names import escaped
from inboxd.store.reasons import duration_text
from inboxd.task import TaskStatus

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "STATUS_STYLES",
    "foreign",
    "guides_for",
    "make_console",
    "print_plainly",
    "status_text",
    "time_between",
    "time_text",
]

#: Wider than any line: nothing is wrapped or cut where no person looks on.
_UNBOUNDED = 1_000_000

STATUS_STYLES = {
    TaskStatus.PENDING: "dim",
    TaskStatus.IN_PROGRESS: "cyan",
    TaskStatus.COMPLETED: "green",
    TaskStatus.FAILED: "bold red",
    TaskStatus.CANCELLED: "magenta",
    TaskStatus.SKIPPED: "yellow",
}


class _Console(Console):
    """A console that leaves it to the caller what a pipe without a reader means."""

    def on_broken_pipe(self) -> None:
        """Raise what was raised; rich's own answer ends the process with 1."""
        raise  # called while the error is handled


def make_console(file: TextIO | None = None) -> Console:
    """Return a console on *file*, stdout unless given; `NO_COLOR` is heeded."""
    target: TextIO = file or sys.stdout
    _show_what_cannot_be_written(target)
    if target.isatty():
        return _Console(file=target, highlight=False, emoji=False, markup=False)
    return _Console(
        file=target, highlight=False, emoji=False, markup=False, width=_UNBOUNDED, color_system=None
    )


def _show_what_cannot_be_written(target: TextIO) -> None:
    """Let a name that the locale cannot write come out as its numbers, not end the verb."""
    if isinstance(target, io.TextIOWrapper):
        target.reconfigure(errors="backslashreplace")


def guides_for(console: Console) -> Guides:
    """Return the guides that the console's encoding can write."""
    return UNICODE if console.encoding.startswith("utf") else ASCII


def print_plainly(console: Console, renderable: RenderableType) -> None:
    """Print without the blanks that fill a table's last column up."""
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    console.file.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def foreign(text: str, style: str = "") -> Text:
    """Return text from outside, escaped, as something to print."""
    return Text(escaped(text), style)


def status_text(status: TaskStatus) -> Text:
    """Return a status as it is written in files, in its colour."""
    return Text(status.value, STATUS_STYLES[status])


def time_text(micros: int | None) -> str:
    """Return a time to the second, in UTC; `-` for none."""
    written = rfc3339_micros(micros)
    return "-" if written is None else written[:19] + "Z"


def time_between(started_at: int | None, ended_at: int | None, now: int) -> str:
    """Return how long something took, or has taken so far; `-` when it has not started."""
    if started_at is None:
        return "-"
    return duration_text((now if ended_at is None else ended_at) - started_at)
