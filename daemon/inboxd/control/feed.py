"""
What the daemon tells while it runs, kept for readers of events: a ring, and counts.

Written from the scheduler's thread, the intake's and the event loop; read on the thread of the
control socket. Who writes never waits for who reads: a reader has a place in the ring, and falls
out of it when it is slower than the ring turns.
"""

from __future__ import annotations

import threading
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from inboxd.clock import SystemClock, from_micros, rfc3339, rfc3339_micros
from inboxd.events import FileRejected, FileTaken, TaskProgress
from inboxd.names import display_file_name
from inboxd.scheduling.turn import TurnListener
from inboxd.store.outcomes import RequeuedTask
from inboxd.store.tables import STATUS_OF_STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inboxd.clock import Clock
    from inboxd.events import Event
    from inboxd.running.attempt import Attempt
    from inboxd.scheduling.turn import EndedTree
    from inboxd.store.outcomes import AttemptEnd
    from inboxd.store.trees import OpenTree

__all__ = ["RING", "Counts", "Entry", "Feed", "FellBehind"]

#: Events that are kept. A noop takes some 15 microseconds and makes two, so that a reader may be
#: away for a tenth of a second at the very least.
RING = 10_000

_encode = msgspec.json.encode

#: Texts are quicker than enums, and a turn may tell of a thousand.
_STATUS = {state: status.value for state, status in STATUS_OF_STATE.items()}


class FellBehind(Exception):  # not an error of anybody's
    """What a reader wants next is not kept any more, or never was."""


class Entry:
    """One event, as readers find it; its text is made when the first of them wants it."""

    __slots__ = ("_facts", "_render", "_text", "id", "kind", "tree_id")

    def __init__(
        self,
        number: int,
        kind: str,
        tree_id: str | None,
        render: Callable[..., bytes],
        facts: tuple[Any, ...],
    ) -> None:
        self.id = number
        self.kind = kind
        self.tree_id = tree_id
        self._render = render
        self._facts = facts
        self._text: bytes | None = None

    @property
    def text(self) -> bytes:
        """The event as server-sent events write it."""
        if self._text is None:
            head = f"id: {self.id}\nevent: {self.kind}\ndata: "
            self._text = b"%b%b\n\n" % (head.encode(), self._render(*self._facts))
        return self._text


#: What `Entry` is made of: of most events nobody wants more, and a tuple is made in no time.
_Told: TypeAlias = tuple[int, str, str | None, "Callable[..., bytes]", tuple[Any, ...]]


class Counts:
    """What happened since the start, for metrics."""

    def __init__(self) -> None:
        #: By what became of them: a status, or `retried` and `interrupted` where another follows.
        self.attempts: Counter[str] = Counter()
        self.trees_accepted = 0
        #: By status.
        self.trees_ended: Counter[str] = Counter()
        self.files_accepted = 0
        self.files_rejected = 0


class Feed(TurnListener):
    """Hears of all that is committed; keeps it only while somebody reads, or did lately."""

    #: Readers come and go, and the turns ask only once.
    wants_starts = True

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._told: list[_Told | None] = [None] * RING
        #: Those that were read; for readers alone.
        self._entries: list[Entry | None] = [None] * RING
        #: Of the next event. From the time of the start on, so that numbers also rise over starts.
        self._next = self._clock.now_micros()
        #: The oldest that a reader may want.
        self._first = self._next
        self._is_kept = False
        #: Called from any thread when something is new, or trees ended that are waited for.
        self.on_news: Callable[[], None] = _nothing
        self.on_ends: Callable[[list[str]], None] = _ignore
        #: Public ids of trees whose end is waited for; replaced, never changed.
        self.awaited: frozenset[str] = frozenset()
        self.counts = Counts()

    # Who reads -----------------------------------------------------------------------------------

    def keep(self, *, is_kept: bool) -> None:
        """Begin or end to keep events; what happens in between is missed, and readers learn so."""
        with self._lock:
            if is_kept and not self._is_kept:
                self._next += 1  # a place before this is too old
                self._first = self._next
            self._is_kept = is_kept

    @property
    def newest(self) -> int:
        """The number of the newest event: what happens next comes after it."""
        return self._next - 1

    def after(self, number: int, limit: int) -> list[Entry]:
        """
        Return events that come after this one, oldest first; empty when there is none yet.

        Raises:
            FellBehind: some of them are gone.
        """
        newest = self._next - 1
        if not self._first - 1 <= number <= newest:
            raise FellBehind
        found: list[Entry] = []
        for wanted in range(number + 1, min(newest, number + limit) + 1):
            entry = self._entries[wanted % RING]
            if entry is None or entry.id != wanted:
                told = self._told[wanted % RING]
                if told is None or told[0] != wanted:
                    raise FellBehind
                entry = self._entries[wanted % RING] = Entry(*told)
            found.append(entry)
        return found

    def _add(self, kind: str, tree_id: str | None, facts: dict[str, Any]) -> None:
        self._add_rendered(kind, tree_id, _encode, ({"tree_id": tree_id, **facts},))

    def _add_rendered(
        self, kind: str, tree_id: str | None, render: Callable[..., bytes], facts: tuple[Any, ...]
    ) -> None:
        with self._lock:
            if self._is_kept:
                number = self._next
                self._told[number % RING] = (number, kind, tree_id, render, facts)
                self._next = number + 1

    # What is told --------------------------------------------------------------------------------

    def attempts_started(self, attempts: Sequence[Attempt], trees: Sequence[OpenTree]) -> None:
        """Keep starts."""
        if not self._is_kept:
            return
        with self._lock:
            number, told = self._next, self._told
            for one in attempts:
                # Not the attempt itself, which holds its inputs.
                facts = (one.tree_id, one.task_id, one.number, one.start_seq, one.started_at)
                told[number % RING] = (number, "task_started", one.tree_id, _start, facts)
                number += 1
            self._next = number
        self.on_news()

    def attempt_ended(
        self, attempt: Attempt, end: AttemptEnd | RequeuedTask, tree: OpenTree
    ) -> None:
        """Count and keep an end."""
        if isinstance(end, RequeuedTask):
            what = "interrupted" if end.error is None else "retried"
            status, kind, due_at = "pending", "task_retried", end.due_at
        else:
            what = status = _STATUS[end.state]
            kind, due_at = "task_ended", None
        self.counts.attempts[what] += 1
        if self._is_kept:
            facts = (attempt.tree_id, attempt.task_id, attempt.number, status, end.error, due_at)
            self._add_rendered(kind, attempt.tree_id, _end, facts)
            self.on_news()

    def trees_accepted(self, trees: Sequence[OpenTree]) -> None:
        """Count and keep trees."""
        self.counts.trees_accepted += len(trees)
        if not self._is_kept:
            return
        for tree in trees:
            self._add("tree_accepted", tree.public_id, {**_names(tree), "tasks": tree.task_count})
        self.on_news()

    def trees_ended(self, trees: Sequence[EndedTree]) -> None:
        """Count and keep ends, and tell who waits for one."""
        for ended in trees:
            self.counts.trees_ended[ended.status] += 1
        awaited = self.awaited
        if awaited:
            ends = [one.tree.public_id for one in trees if one.tree.public_id in awaited]
            if ends:
                self.on_ends(ends)
        if not self._is_kept:
            return
        for ended in trees:
            facts = {
                **_names(ended.tree),
                "status": ended.status,
                "ended_at": rfc3339_micros(ended.ended_at),
            }
            self._add("tree_ended", ended.tree.public_id, facts)
        self.on_news()

    def tell(self, event: Event) -> None:
        """Count files, and keep what the turns do not tell; from any thread."""
        match event:
            case TaskProgress() if self._is_kept:
                self._add(
                    "task_progress",
                    event.tree_id,
                    {
                        "id": event.task_id,
                        "attempt": event.attempt,
                        "fraction": event.fraction,
                        "message": _encodable(event.message),
                    },
                )
                self.on_news()
            case FileTaken():
                self.counts.files_accepted += 1
            case FileRejected():
                self.counts.files_rejected += 1
                if self._is_kept:
                    facts = {
                        "file": display_file_name(event.file_name),
                        "problems": [_encodable(text) for text in event.problems],
                        "problem_count": event.problem_count,
                    }
                    self._add("file_rejected", None, facts)
                    self.on_news()
            case _:
                pass


# Of the two kinds of which there are thousands a second; ids need no escapes (those of tasks are
# letters, digits and `._:-`: docs/reference/task-file.md).


def _start(tree_id: str, task_id: str, attempt: int, start_seq: int, started_at: int) -> bytes:
    return (
        f'{{"tree_id":"{tree_id}","id":"{task_id}","attempt":{attempt},'
        f'"start_seq":{start_seq},"started_at":"{_time(started_at)}"}}'
    ).encode()


def _end(
    tree_id: str, task_id: str, attempt: int, status: str, error: str | None, due_at: int | None
) -> bytes:
    due = "null" if due_at is None else f'"{_time(due_at)}"'
    return (
        f'{{"tree_id":"{tree_id}","id":"{task_id}","attempt":{attempt},"status":"{status}",'
        f'"error":{error or "null"},"next_attempt_at":{due}}}'
    ).encode()


def _time(value: int) -> str:
    second, microseconds = divmod(value, 1_000_000)
    return f"{_second(second)}.{microseconds:06d}Z"


@lru_cache(maxsize=64)
def _second(second: int) -> str:
    """Return the time up to its seconds, which many events share."""
    return rfc3339(from_micros(second * 1_000_000))[:19]


def _names(tree: OpenTree) -> dict[str, Any]:
    file_name = None if tree.file_name is None else display_file_name(tree.file_name)
    return {"name": tree.name, "file": file_name}


def _encodable(text: str) -> str:
    """Return the text without unpaired surrogates, which no JSON can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _nothing() -> None:
    """Stand in while nobody reads."""


def _ignore(ended: list[str]) -> None:
    """Stand in while nobody waits."""
