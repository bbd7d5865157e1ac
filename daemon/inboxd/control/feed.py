"""
What the daemon tells while it runs, kept for readers of events: a ring, and counts.

Written from the scheduler's thread, the intake's and the event loop; read on the thread of the
control socket. Who writes never waits for who reads: a reader has a place in the ring, and falls
out of it when it is slower than the ring turns.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.clock import SystemClock, rfc3339_micros
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


class FellBehind(Exception):  # not an error of anybody's
    """What a reader wants next is not kept any more, or never was."""


class Entry:
    """One event; its text is made when the first reader wants it."""

    __slots__ = ("_facts", "_text", "id", "kind", "tree_id")

    def __init__(self, number: int, kind: str, tree_id: str | None, facts: dict[str, Any]) -> None:
        self.id = number
        self.kind = kind
        self.tree_id = tree_id
        self._facts = facts
        self._text: bytes | None = None

    @property
    def text(self) -> bytes:
        """The event as server-sent events write it."""
        if self._text is None:
            data = _encode({"tree_id": self.tree_id, **self._facts})
            self._text = b"id: %d\nevent: %b\ndata: %b\n\n" % (self.id, self.kind.encode(), data)
            self._facts = {}
        return self._text


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
        self._slots: list[Entry | None] = [None] * RING
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
            entry = self._slots[wanted % RING]
            if entry is None or entry.id != wanted:
                raise FellBehind
            found.append(entry)
        return found

    def _add(self, kind: str, tree_id: str | None, facts: dict[str, Any]) -> None:
        with self._lock:
            if not self._is_kept:
                return
            number = self._next
            self._slots[number % RING] = Entry(number, kind, tree_id, facts)
            self._next = number + 1

    # What is told --------------------------------------------------------------------------------

    def attempts_started(self, attempts: Sequence[Attempt], trees: Sequence[OpenTree]) -> None:
        """Keep starts."""
        if not self._is_kept:
            return
        for attempt in attempts:
            self._add(
                "task_started",
                attempt.tree_id,
                {
                    "id": attempt.task_id,
                    "attempt": attempt.number,
                    "start_seq": attempt.start_seq,
                    "started_at": rfc3339_micros(attempt.started_at),
                },
            )
        self.on_news()

    def attempt_ended(
        self, attempt: Attempt, end: AttemptEnd | RequeuedTask, tree: OpenTree
    ) -> None:
        """Count and keep an end."""
        another: str | None = None
        if isinstance(end, RequeuedTask):
            what = "interrupted" if end.error is None else "retried"
            status, another = "pending", rfc3339_micros(end.due_at)
        else:
            what = status = STATUS_OF_STATE[end.state].value
        self.counts.attempts[what] += 1
        if not self._is_kept:
            return
        self._add(
            "task_ended" if another is None else "task_retried",
            attempt.tree_id,
            {
                "id": attempt.task_id,
                "attempt": attempt.number,
                "status": status,
                "error": None if end.error is None else msgspec.Raw(end.error.encode()),
                "next_attempt_at": another,
            },
        )
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
