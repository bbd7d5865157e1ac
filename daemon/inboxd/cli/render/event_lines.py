"""Events as lines for people, as the live view prints them above what it keeps in place."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from rich.text import Text

from inboxd.cli.render.console import STATUS_STYLES
from inboxd.cli.render.tables import tree_label
from inboxd.events import (
    DrainBegan,
    FileRejected,
    FileTaken,
    TaskFailed,
    TaskProgress,
    TreeEnded,
)
from inboxd.names import display_file_name, escaped
from inboxd.running.paths import attempt_files
from inboxd.store.reasons import duration_text
from inboxd.task import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inboxd.events import Event

__all__ = ["event_lines", "last_lines"]

#: Of one kind of event no more are shown at one refresh; the others are counted.
MOST_OF_A_KIND = 10

#: Lines of a failed attempt's log, and of a rejected file's problems.
_LOG_LINES = 5
_PROBLEMS = 3

#: Read from the end of a log; longer lines are cut.
_TAIL_BYTES = 8_192
_LONGEST_LINE = 500

_MORE = {
    FileTaken: "files taken",
    FileRejected: "files rejected",
    TaskFailed: "attempts failed",
    TaskProgress: "attempts went on",
    TreeEnded: "trees ended",
    DrainBegan: "stops",
}


def event_lines(
    events: Sequence[Event], *, now: int, log_tail: Callable[[TaskFailed], Sequence[str]]
) -> Iterator[Text]:
    """
    Yield the lines that tell of events, at most 10 events of a kind and a count of the others.

    Args:
        events: in the order in which they came.
        now: microseconds since 1970, UTC.
        log_tail: gives the last lines that a failed attempt wrote, raw.
    """
    seen: Counter[type[Event]] = Counter()
    for event in events:
        kind = type(event)
        seen[kind] += 1
        if seen[kind] <= MOST_OF_A_KIND:
            yield from _lines(event, now, log_tail)
    for kind, count in seen.items():
        if count > MOST_OF_A_KIND:
            yield Text(f"  … and {count - MOST_OF_A_KIND:,} more {_MORE[kind]}", "dim")


def last_lines(state: Path, failed: TaskFailed) -> list[str]:
    """Return the last lines of a failed attempt's stderr, else of its stdout; raw, may be none."""
    files = attempt_files(state, failed.tree_id, failed.position, failed.attempt)
    for path in (files.err, files.out):
        lines = _tail(Path(path))
        if lines:
            return lines
    return []


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            data = file.read(_TAIL_BYTES)
    except OSError:  # it wrote nothing, or retention was here
        return []
    lines = data.decode("utf-8", "replace").splitlines()
    return [line[:_LONGEST_LINE] for line in lines if line.strip()][-_LOG_LINES:]


def _lines(
    event: Event, now: int, log_tail: Callable[[TaskFailed], Sequence[str]]
) -> Iterator[Text]:
    match event:
        case FileTaken():
            yield _taken(event)
        case FileRejected():
            yield Text.assemble(
                _file(event.file_name),
                (" rejected", "bold red"),
                f": {_count(event.problem_count, 'problem')}",
            )
            for problem in event.problems[:_PROBLEMS]:
                yield Text(f"    {escaped(problem)}")
            if event.problem_count > _PROBLEMS:
                yield Text(f"    … {event.problem_count - _PROBLEMS:,} more in its receipt", "dim")
        case TaskFailed():
            yield _failed(event, now)
            lines = [escaped(line) for line in log_tail(event)]
            if len(lines) > 1 or (lines and lines[0] not in escaped(event.message)):
                yield from (Text(f"    {line}", "dim") for line in lines)
        case TaskProgress():
            return  # stands beside the running task
        case TreeEnded():
            yield _ended(event)
        case DrainBegan():
            yield _drain(event)
        case _:
            assert_never(event)


def _taken(event: FileTaken) -> Text:
    if event.duplicate:
        rest = f" is a duplicate of {event.tree_id[-8:]}; nothing new runs"
    else:
        rest = f" taken as {event.tree_id[-8:]}, {_count(event.task_count, 'task')}"
    warnings = f", {_count(event.warnings, 'warning')} in its receipt" if event.warnings else ""
    return Text.assemble(_file(event.file_name), rest, (warnings, "yellow"))


def _failed(event: TaskFailed, now: int) -> Text:
    again = ""
    if event.retry_at is not None:
        again = f"; again in {duration_text(event.retry_at - now)}"
    return Text.assemble(
        (escaped(event.task_id), "bold"),
        " in ",
        tree_label(event.tree_name, event.file_name, event.tree_id),
        (" failed", "red" if again else "bold red"),
        f" (attempt {event.attempt}): {escaped(event.message)}{again}",
    )


def _ended(event: TreeEnded) -> Text:
    what = _count(event.task_count, "task")
    if event.failed:
        what = f"{event.failed:,} of {what} failed"
    elif event.status is not TaskStatus.COMPLETED:
        what = f"of {what}"
    return Text.assemble(
        tree_label(event.tree_name, event.file_name, event.tree_id),
        (f" {event.status.value}", STATUS_STYLES[event.status]),
        f" after {duration_text(int(event.seconds * 1_000_000))}, {what}",
    )


def _drain(event: DrainBegan) -> Text:
    if not event.running:
        return Text("stopping", "bold")
    running = _count(event.running, "running task")
    if event.seconds is None:
        return Text(f"stopping; cuts {running}", "bold")
    limit = duration_text(int(event.seconds * 1_000_000))
    return Text(f"stopping; waits up to {limit} for {running}; once more cuts them", "bold")


def _file(name: bytes) -> Text:
    return Text(display_file_name(name), "bold")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
