"""
What a task waits for and why, in one or two sentences that a person would write, and as JSON.

`explain_task` reads the facts; `explained` is pure: facts in, an `Explanation` out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.clock import rfc3339_micros
from inboxd.names import escaped
from inboxd.store import read_tasks, steering
from inboxd.store.reasons import NAMED_EDGES, after_edges, duration_text, task_reason
from inboxd.store.start_order import MOST_AHEAD, Standing, standing_of
from inboxd.store.tables import TaskState, TreeMark
from inboxd.task import TERMINAL_STATUSES, EdgeOn, PlaceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.store.reader import StoreReader
    from inboxd.store.start_order import Blocker
    from inboxd.store.views import EdgeView, TaskView, TreeView
    from inboxd.task import TaskError

__all__ = ["Explanation", "Facts", "explain_task", "explained", "explanation_document"]

_STATES = {
    TaskState.BLOCKED: "blocked",
    TaskState.PARKED: "ready",
    TaskState.READY: "ready",
    TaskState.WAITING: "waiting",
    TaskState.WITHOUT_EXECUTOR: "without_executor",
}

_ON_WORDS = {EdgeOn.SUCCESS: "", EdgeOn.FAILURE: " to fail", EdgeOn.END: " to end"}


class Awaited(msgspec.Struct, frozen=True, kw_only=True):
    """A dependency that has not ended."""

    id: str
    on: EdgeOn
    status: str
    #: Of its attempt in progress: microseconds since 1970, UTC.
    started_at: int | None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that an explanation is made of, as it was at one moment."""

    tree_id: str
    task: TaskView
    #: `TreeMark`.
    marks: int = 0
    is_all_paused: bool = False
    #: A person cancelled it while it was in progress.
    is_cancelling: bool = False
    #: Of a blocked task the first `NAMED_EDGES` dependencies that have not ended, and how many more
    #: there are at least.
    awaited: tuple[Awaited, ...] = ()
    more_awaited: int = 0
    #: Of a task that may start.
    standing: Standing | None = None
    #: Of a skipped task: the error of the task where it began.
    cause: TaskError | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a task is where it is."""

    #: Like `status`, but what is pending is `blocked`, `ready`, `waiting`, `paused`,
    #: `without_executor`, …: whatever keeps it from starting.
    state: str
    #: One or two sentences, safe to show.
    text: str


def explain_task(
    reader: StoreReader, tree: TreeView, task: TaskView, *, now: int
) -> tuple[Facts, TaskView]:
    """
    Read the facts of one task, in one transaction.

    Args:
        reader: of the store.
        tree: the task's.
        task: as it was found; it is read again.
        now: microseconds since 1970, UTC.

    Returns:
        The facts, and the task as it is now.
    """
    with reader.transaction() as connection:
        task = read_tasks.task_by_id(connection, tree, task.id) or task
        edges: Sequence[EdgeView] = ()
        if task.state is TaskState.BLOCKED:
            edges = read_tasks.edges_to(
                connection, task.number, limit=NAMED_EDGES + 1, undecided=True
            )
        named = edges[:NAMED_EDGES]
        others = read_tasks.tasks_by_number(connection, tree, [edge.number for edge in named])
        cause = None
        if task.state is TaskState.SKIPPED and task.error is not None and task.error.cause:
            began = read_tasks.task_by_id(connection, tree, task.error.cause)
            cause = None if began is None else began.error
        # With `join: all` the row knows how many edges are left; with `any` they are only seen.
        left = max(task.unmet - len(named), len(edges) - len(named))
        facts = Facts(
            tree_id=tree.id,
            task=task,
            marks=steering.tree_marks(connection, tree.number),
            is_all_paused=steering.is_paused(connection),
            is_cancelling=task.number in steering.cancelled_in_progress(connection),
            awaited=tuple(
                Awaited(
                    id=edge.id,
                    on=edge.on,
                    status=edge.status.value,
                    started_at=others[edge.number].started_at
                    if others[edge.number].state is TaskState.IN_PROGRESS
                    else None,
                )
                for edge in named
            ),
            more_awaited=left if len(edges) > len(named) else 0,
            standing=standing_of(connection, task.number, now=now),
            cause=cause,
        )
    return facts, task


def explained(
    facts: Facts, *, now: int, places: dict[PlaceKind, int] | None = None, kept: int = 0
) -> Explanation:
    """
    Return why a task is where it is.

    Args:
        facts: as they are now.
        now: microseconds since 1970, UTC.
        places: how many there are of each kind, where that is known.
        kept: places that threads still hold whose attempts were timed out or cancelled.
    """
    task = facts.task
    name = escaped(task.id)
    if task.state < TaskState.IN_PROGRESS and facts.marks:
        return _marked(facts, name)
    if task.status in TERMINAL_STATUSES:
        return Explanation(state=task.status.value, text=_ended(facts, name, now))
    if task.state is TaskState.IN_PROGRESS:
        return Explanation(state="in_progress", text=_running(facts, name, now))
    if task.state is TaskState.BLOCKED:
        return Explanation(
            state="blocked", text=f"{name} {_waits_for(facts, now)}{after_edges(task)}."
        )
    if task.state is TaskState.WITHOUT_EXECUTOR:
        return Explanation(
            state="without_executor",
            text=f'{name} waits for its executor "{escaped(task.executor)}", which nobody offers.'
            " `inboxd executors` lists those that there are, `inboxd doctor` what is broken.",
        )
    if task.state is TaskState.HELD:
        reason = task_reason(task, now=now, tree_id=facts.tree_id)
        return Explanation(state="held", text=f"{name} is {reason}.")
    if facts.is_all_paused:
        return Explanation(
            state="paused",
            text=f"{name} could start, but everything is paused, until `inboxd resume`.",
        )
    if facts.standing is not None:
        text = _ready(facts.standing, name, places, kept)
        return Explanation(state="ready", text=text)
    reason = task_reason(task, now=now)
    verb = "may start" if reason is not None and reason.startswith("not before") else "is"
    return Explanation(
        state="waiting" if task.due_at > now else _STATES.get(task.state, task.state.name.lower()),
        text=f"{name} {verb} {reason}.",
    )


def explanation_document(
    facts: Facts,
    explanation: Explanation,
    *,
    places: dict[PlaceKind, int] | None = None,
    kept: int = 0,
) -> dict[str, Any]:
    """Return the form of `explain --json`; see `explained`."""
    task, standing = facts.task, facts.standing
    return {
        "format": 1,
        "tree_id": facts.tree_id,
        "id": task.id,
        "status": task.status.value,
        "state": explanation.state,
        "text": explanation.text,
        "waits_for": [
            {
                "id": one.id,
                "on": one.on.value,
                "status": one.status,
                "started_at": rfc3339_micros(one.started_at),
            }
            for one in facts.awaited
        ],
        "more_waited_for": facts.more_awaited,
        "join": "any" if task.join_any else "all",
        "due_at": rfc3339_micros(task.due_at or None),
        "executor": task.executor,
        "priority": task.priority,
        "queue": None
        if standing is None
        else {
            "ahead": standing.ahead,
            "is_exact": standing.ahead < MOST_AHEAD,
            "running": standing.running,
            "kept": kept if standing.kind is PlaceKind.PROCESS else 0,
            "places": None if places is None else places[standing.kind],
            "first": _blocker(standing.first),
            "strict_priority": _blocker(standing.strict),
        },
        "failures": task.failures,
        "retry_limit": 0 if task.retry is None else task.retry.limit,
        "error": task.error,
        "cause": facts.cause,
    }


def _blocker(one: Blocker | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"tree_id": one.tree_id, "id": one.id, "priority": one.priority, "why": one.why}


def _marked(facts: Facts, name: str) -> Explanation:
    marks, tree = facts.marks, facts.tree_id[-8:]
    if marks & TreeMark.CANCELLED:
        return Explanation(state="cancelling", text=f"{name} is being cancelled with its tree.")
    if marks & TreeMark.RETRIED:
        return Explanation(
            state="retrying", text=f"The tree of {name} is being made ready to run again."
        )
    if marks & TreeMark.LEFT_OVER:
        return Explanation(
            state="left_over",
            text=f"{name} was left over by an earlier process, and waits for a person:"
            f" `inboxd retry {tree}` runs the rest of its tree.",
        )
    return Explanation(
        state="paused", text=f"{name} waits because its tree is paused: `inboxd resume {tree}`."
    )


def _ended(facts: Facts, name: str, now: int) -> str:
    task = facts.task
    ago = "" if task.ended_at is None else f" {duration_text(now - task.ended_at)} ago"
    reason = task_reason(task, now=now, cause=facts.cause)
    verb = "was" if task.state in (TaskState.SKIPPED, TaskState.CANCELLED) else ""
    text = f"{name} {verb} {task.status.value}" if verb else f"{name} {task.status.value}"
    if reason is None:
        return f"{text}{ago}."
    if task.state is TaskState.SKIPPED and reason.startswith("skipped"):
        return f"{name} was {reason}."
    return f"{text}{ago}: {reason}."


def _running(facts: Facts, name: str, now: int) -> str:
    task = facts.task
    since = "" if task.started_at is None else f" since {duration_text(now - task.started_at)}"
    if facts.is_cancelling or facts.marks & TreeMark.CANCELLED:
        return f"{name} is in progress{since} and is being cancelled."
    reason = task_reason(task, now=now)
    limit = (
        ""
        if task.timeout_seconds is None or task.started_at is None
        else f" It is ended {duration_text(int(task.timeout_seconds * 1_000_000))} after its start."
    )
    return f"{name} is in progress{since}{f' ({reason})' if reason else ''}.{limit}"


def _waits_for(facts: Facts, now: int) -> str:
    words: list[str] = []
    for one in facts.awaited:
        status = one.status.replace("_", " ")
        if one.started_at is not None:
            status += f" since {duration_text(now - one.started_at)}"
        words.append(f"{escaped(one.id)} ({status}){_ON_WORDS[one.on]}")
    if not words:
        return "waits for its dependencies"
    if facts.more_awaited:
        words.append("others" if facts.task.join_any else f"{facts.more_awaited:,} more")
    named = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    one_of = "one of " if facts.task.join_any and len(words) > 1 else ""
    return f"waits for {one_of}{named}"


def _ready(standing: Standing, name: str, places: dict[PlaceKind, int] | None, kept: int) -> str:
    strict = standing.strict
    if strict is not None:
        return (
            f"{name} is ready, but by strict_priority waits for {escaped(strict.id)}, of priority"
            f" {strict.priority}, which {strict.why}."
        )
    ahead = standing.ahead
    if ahead >= MOST_AHEAD:
        where = f"more than {MOST_AHEAD:,} come before it"
    elif ahead:
        where = f"{_ordinal(ahead + 1)} in the queue"
    else:
        where = "the next to start"
    text = f"{name} is ready, {where}{_taken(standing, places, kept)}."
    first = standing.first
    if first is not None:
        text += f" First comes {first.tree_id[-8:]}/{escaped(first.id)}, which {first.why}."
    return text


def _taken(standing: Standing, places: dict[PlaceKind, int] | None, kept: int) -> str:
    """Return how full the places are; empty where it is not known, or where some are free."""
    if places is None:
        return ""
    most = places[standing.kind]
    kept = kept if standing.kind is PlaceKind.PROCESS else 0
    if standing.running + kept < most:
        return ""
    what = "asynchronous places" if standing.kind is PlaceKind.ASYNC else "places"
    text = f", all {most:,} {what} taken" if most > 1 else ", the only place taken"
    if kept:
        threads = "a thread" if kept == 1 else f"{kept} threads"
        text += f", by {threads} too whose attempt is over"
    return text


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number:,}th"
    return f"{number:,}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
