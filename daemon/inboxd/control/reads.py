"""What the routes that only look answer, from the store; on the threads of the pool."""

from __future__ import annotations

import codecs
import stat
from itertools import islice
from typing import TYPE_CHECKING, Any

from inboxd.errors import NotFound
from inboxd.names import escaped
from inboxd.running.logs import Dropped, attempt_log_paths, log_pieces
from inboxd.store.explaining import explain_task, explanation_document
from inboxd.store.explaining import explained as explanation_of
from inboxd.store.json_documents import (
    attempt_fields,
    encoded,
    task_document,
    task_line,
    tree_fields,
)
from inboxd.task import PlaceKind, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inboxd.control.asked import Asked
    from inboxd.control.parts import Parts
    from inboxd.store.reader import StoreReader
    from inboxd.store.views import TaskView, TreeView

__all__ = [
    "attempts",
    "explained",
    "find",
    "find_one",
    "log",
    "task",
    "tasks",
    "tree",
    "trees",
]

_TREE_STATUSES = tuple(status.value for status in TaskStatus if status is not TaskStatus.SKIPPED)
_STATUSES = tuple(status.value for status in TaskStatus)

#: Tasks that one request with `status` passes over at the most, so that its cost has a bound.
_PASSED_OVER = 20_000
#: Bytes of a log, as the file has them, that one request gives at the most.
_LOG_BYTES = 256 * 1024
#: Edges of a task that are given.
_MOST_EDGES = 10_000


def find(reader: StoreReader, asked: Asked) -> TreeView:
    """Return the tree that is meant; raises as `StoreReader.find_tree`."""
    return reader.find_tree(asked.tree)


def find_one(reader: StoreReader, asked: Asked) -> tuple[TreeView, TaskView]:
    """Return the task that is meant, and its tree; raises as the reader does."""
    found = reader.find_tree(asked.tree)
    try:
        asked.task.encode()
    except UnicodeEncodeError:
        raise NotFound(f'no task "{escaped(asked.task)}" in tree {found.short_id}') from None
    return found, reader.find_task(found, asked.task)


def trees(reader: StoreReader, asked: Asked) -> bytes:
    """Return the newest trees, in the form of `list --json`, and where the next page begins."""
    status = asked.choice("status", _TREE_STATUSES)
    limit = asked.number("limit", 50, least=1, most=1_000)
    after = asked.number("after", 0, least=1) or None
    found = reader.list_trees(
        status=None if status is None else TaskStatus(status), limit=limit + 1, before=after
    )
    page = found[:limit]
    following = str(page[-1].number) if len(found) > limit else None
    return _page("trees", [encoded(tree_fields(one)) for one in page], following)


def tree(reader: StoreReader, asked: Asked) -> bytes:
    """Return one tree, in the form of `list --json`."""
    return encoded({"format": 1, **tree_fields(find(reader, asked))}) + b"\n"


def tasks(reader: StoreReader, asked: Asked, now: int) -> bytes:
    """
    Return tasks of a tree by their positions, in the form of `tree --json`.

    With `status` a page may hold fewer than there are room for, and still not be the last.
    """
    status = asked.choice("status", _STATUSES)
    limit = asked.number("limit", 200, least=1, most=1_000)
    start = asked.number("after", 0)
    found = find(reader, asked)
    total = found.counts.total
    page: list[TaskView] = []
    position = min(start, total)
    if status is None:
        position = min(start + limit, total)
        page = list(reader.tree_tasks(found, start=start, end=position))
    else:
        for one in islice(reader.tree_tasks(found, start=start), _PASSED_OVER):
            position = one.position + 1
            if one.status == status:
                page.append(one)
                if len(page) == limit:
                    break
    reasons = reader.task_reasons(page, now=now)
    parents = _ids_of_parents(reader, found, page)
    lines = [
        task_line(
            one,
            parent_id=None if one.parent is None else parents.get(one.parent),
            reason=reasons[one.number],
        )
        for one in page
    ]
    return _page("tasks", lines, str(position) if position < total else None)


def task(reader: StoreReader, asked: Asked, now: int) -> bytes:
    """Return all that is known of a task, in the form of `show TREE/TASK --json`."""
    found, one = find_one(reader, asked)
    parents = _ids_of_parents(reader, found, [one])
    document = task_document(
        found,
        one,
        parent_id=None if one.parent is None else parents.get(one.parent),
        reason=reader.task_reason(found, one, now=now),
        details=reader.task_details(one),
        attempts=reader.task_attempts(one),
        dependencies=reader.edges_of(one, limit=_MOST_EDGES),
        dependants=reader.dependants_of(one, limit=_MOST_EDGES),
    )
    return document + b"\n"


def attempts(reader: StoreReader, asked: Asked) -> bytes:
    """Return the attempts of a task."""
    found, one = find_one(reader, asked)
    lines = [attempt_fields(attempt) for attempt in reader.task_attempts(one)]
    return encoded({"format": 1, "tree_id": found.id, "id": one.id, "attempts": lines}) + b"\n"


def explained(reader: StoreReader, asked: Asked, parts: Parts) -> bytes:
    """Return why a task is where it is, in the form of `explain --json`."""
    now, run = parts.clock.now_micros(), parts.settings.run
    places = {PlaceKind.PROCESS: run.places, PlaceKind.ASYNC: run.async_places}
    found, one = find_one(reader, asked)
    facts, _ = explain_task(reader, found, one, now=now)
    kept = parts.scheduler.kept_places
    said = explanation_of(facts, now=now, places=places, kept=kept)
    return encoded(explanation_document(facts, said, places=places, kept=kept)) + b"\n"


def log(reader: StoreReader, asked: Asked, state: Path) -> bytes:
    """
    Return a part of what an attempt wrote, and where the next part begins.

    `next` is the offset to ask for: as long as `is_ended` is false, also when nothing is there yet.
    """
    stream = asked.choice("stream", ("stdout", "stderr")) or "stdout"
    start = asked.number("offset", 0)
    wanted = asked.number("attempt", 0, least=1)
    found, one = find_one(reader, asked)
    number = wanted or one.attempts
    if not 1 <= number <= one.attempts:
        what = f"attempt {number}" if wanted else "an attempt"
        raise NotFound(f"{escaped(one.id)} has not had {what}; it was started {one.attempts} times")
    # Before the file is looked at: what is written until an attempt ends is then all there.
    is_over = number < one.attempts or one.status is not TaskStatus.IN_PROGRESS
    paths = attempt_log_paths(state, found.id, one.position, number)
    path = paths[0] if stream == "stdout" else paths[1]
    pieces, following, is_ended = _log_part(path, start, is_over=is_over)
    facts = {
        "format": 1,
        "tree_id": found.id,
        "id": one.id,
        "attempt": number,
        "stream": stream,
        "offset": start,
        "pieces": pieces,
        "next": following,
        "is_ended": is_ended,
    }
    return encoded(facts) + b"\n"


def _log_part(path: Path, start: int, *, is_over: bool) -> tuple[list[dict[str, Any]], int, bool]:
    """
    Return pieces as `logs --json` has them, the offset behind them, and whether that is the end.

    A character is never cut in two: what has come of one so far is left for the next part.
    """
    pieces: list[dict[str, Any]] = []
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return pieces, start, is_over
    size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
    end = min(start + _LOG_BYTES, size)
    is_end = is_over and end == size
    for piece in log_pieces(path, start=start, end=end):
        if isinstance(piece, Dropped):
            _add_text(pieces, decoder.decode(b"", final=True))
            pieces.append({"dropped_bytes": piece.size})
            decoder.reset()
        else:
            _add_text(pieces, decoder.decode(piece))
    pending, _ = decoder.getstate()
    if is_end and pending:
        _add_text(pieces, decoder.decode(b"", final=True))
        pending = b""
    return pieces, max(start, end) - len(pending), is_over and max(start, end) >= size


def _add_text(pieces: list[dict[str, Any]], text: str) -> None:
    if text:
        pieces.append({"text": text})


def _ids_of_parents(
    reader: StoreReader, found: TreeView, page: Sequence[TaskView]
) -> dict[int, str]:
    numbers = sorted({one.parent for one in page if one.parent is not None})
    return {number: one.id for number, one in reader.tasks_by_number(found, numbers).items()}


def _page(name: str, lines: Sequence[bytes], following: str | None) -> bytes:
    body = b",\n".join(lines)
    head = b'{"format":1,"%b":[' % name.encode()
    return head + (b"\n" + body if body else b"") + b'\n],"next":%b}\n' % encoded(following)
