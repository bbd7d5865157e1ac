"""What the live view keeps in place at the bottom of the terminal. Pure, and bounded in height."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from inboxd.cli.render.console import foreign, time_between
from inboxd.cli.render.tables import tree_label
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from inboxd.events import TaskProgress
    from inboxd.store.views import Overview

__all__ = ["Tally", "live_screen", "rows_for", "summary_line"]

#: However high the terminal is.
_MOST_TREES = 10
_MOST_TASKS = 10

#: The heading, and the two lines that count what is not shown.
_OTHER_LINES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What happened since the view began."""

    taken: int = 0
    rejected: int = 0
    ended: int = 0
    #: Of the trees that ended: failed or cancelled.
    unsuccessful: int = 0


def rows_for(height: int) -> tuple[int, int]:
    """Return how many trees and how many running tasks a terminal of so many lines has room for."""
    room = max(1, height - _OTHER_LINES - 1)
    tasks = min(_MOST_TASKS, room // 2)
    return min(_MOST_TREES, room - tasks), tasks


def live_screen(
    overview: Overview,
    tally: Tally,
    *,
    inbox: Path,
    stopping: bool,
    now: int,
    trees: int,
    tasks: int,
    progress: Mapping[tuple[str, str], TaskProgress] = MappingProxyType({}),
) -> RenderableType:
    """
    Return the screen.

    Args:
        overview: what goes on.
        tally: what happened.
        inbox: where files are dropped.
        stopping: a stop was asked for.
        now: microseconds since 1970, UTC.
        trees: at most so many are shown.
        tasks: at most so many running ones are shown.
        progress: the newest of running tasks, by the ids of tree and task.
    """
    parts: list[RenderableType] = [_heading(overview, tally, inbox=inbox, stopping=stopping)]
    shown = overview.trees[:trees]
    if shown:
        parts.append(_trees(overview, trees, now))
    if overview.open_trees > len(shown):
        parts.append(Text(f"  … and {overview.open_trees - len(shown):,} more trees", "dim"))
    running = overview.running_tasks[:tasks]
    if running:
        parts.append(_running(overview, tasks, now, progress))
    if overview.running > len(running):
        parts.append(Text(f"  … and {overview.running - len(running):,} more running", "dim"))
    return Group(*parts)


def summary_line(overview: Overview, tally: Tally) -> Text:
    """Return the line that stays when the view ends."""
    return Text.assemble(("inboxd  ", "bold"), _facts(overview, tally))


def _heading(overview: Overview, tally: Tally, *, inbox: Path, stopping: bool) -> Text:
    if stopping:
        ending = "  stopping"
    elif not overview.open_trees:
        ending = f"  waiting for files in {escaped(str(inbox))}"
    else:
        ending = ""
    return Text.assemble(
        ("inboxd  ", "bold"),
        _facts(overview, tally),
        (ending, "bold" if stopping else "dim"),
        no_wrap=True,
        overflow="ellipsis",
    )


def _facts(overview: Overview, tally: Tally) -> str:
    facts = [
        f"{tally.taken:,} files taken" if tally.taken != 1 else "1 file taken",
        f"{tally.rejected:,} rejected" if tally.rejected else "",
        f"{overview.open_trees:,} trees open" if overview.open_trees != 1 else "1 tree open",
        f"{tally.ended:,} ended" if tally.ended else "",
        f"{tally.unsuccessful:,} of them failed or cancelled" if tally.unsuccessful else "",
        f"{overview.running:,} running" if overview.running else "",
    ]
    return ", ".join(fact for fact in facts if fact)


def _trees(overview: Overview, most: int, now: int) -> Table:
    grid = _grid()
    grid.add_column(width=20)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    for tree in overview.trees[:most]:
        counts = tree.counts
        grid.add_row(
            tree_label(tree.name, tree.file_name, tree.id),
            ProgressBar(total=counts.total, completed=counts.ended, width=20),
            f"{counts.ended:,}/{counts.total:,}",
            time_between(tree.started_at, None, now),
            Text.assemble(
                (f"{counts.in_progress:,} running " if counts.in_progress else "", "cyan"),
                (f"{counts.failed:,} failed" if counts.failed else "", "red"),
            ),
        )
    return grid


def _running(
    overview: Overview, most: int, now: int, progress: Mapping[tuple[str, str], TaskProgress]
) -> Table:
    grid = _grid()
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=40)
    for task in overview.running_tasks[:most]:
        grid.add_row(
            foreign(task.task_id, "cyan"),
            tree_label(task.tree_name, task.file_name, task.tree_id),
            time_between(task.started_at, None, now),
            Text(f"attempt {task.attempt}" if task.attempt > 1 else "", "yellow"),
            _progress_text(progress.get((task.tree_id, task.task_id)), task.attempt),
        )
    return grid


def _progress_text(progress: TaskProgress | None, attempt: int) -> Text:
    if progress is None or progress.attempt != attempt:
        return Text("")
    percent = "" if progress.fraction is None else f"{progress.fraction:.0%}"
    return Text(f"{percent} {escaped(progress.message)}".strip(), "cyan")


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=40)
    return grid
