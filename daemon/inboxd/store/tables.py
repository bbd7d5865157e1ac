"""
The tables. Times are microseconds since 1970 in UTC; numbers, not public ids, join them.

A task's internal number is its tree's `first_task` plus its position in the file, so neither is
stored again. What only people read lies in `task_details`, off the path of the scheduler's turns.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from inboxd.task import TaskStatus

__all__ = [
    "APPLICATION_ID",
    "STATUS_OF_STATE",
    "SweepKind",
    "TaskFlag",
    "TaskState",
    "TreeMark",
    "attempts",
    "edges",
    "intake",
    "meta",
    "metadata",
    "owed_hooks",
    "sweeps",
    "task_details",
    "tasks",
    "trees",
]

#: `PRAGMA application_id` of our databases, "inbd" in ASCII: another program's file is told by it.
APPLICATION_ID = 0x696E6264

metadata = MetaData()


class TaskState(IntEnum):
    """A task's status, with `pending` split by what the scheduler has to do with it."""

    #: Some edge is undecided.
    BLOCKED = 0
    #: May start from `due_at` on, but is claimed through its tree: a row of a large, a strict or a
    #: closed tree, which the ready index does not hold (see `inboxd.scheduling.levels`).
    PARKED = 1
    #: May be claimed: the ready index holds exactly these.
    READY = 2
    #: May start from `due_at` on.
    WAITING = 3
    #: May start, but nobody offers its executor.
    WITHOUT_EXECUTOR = 4
    #: May start once a person releases it, from `due_at` on.
    HELD = 5
    IN_PROGRESS = 10
    COMPLETED = 20
    FAILED = 21
    CANCELLED = 22
    SKIPPED = 23


STATUS_OF_STATE: dict[int, TaskStatus] = {
    TaskState.BLOCKED: TaskStatus.PENDING,
    TaskState.PARKED: TaskStatus.PENDING,
    TaskState.READY: TaskStatus.PENDING,
    TaskState.WAITING: TaskStatus.PENDING,
    TaskState.WITHOUT_EXECUTOR: TaskStatus.PENDING,
    TaskState.HELD: TaskStatus.PENDING,
    TaskState.IN_PROGRESS: TaskStatus.IN_PROGRESS,
    TaskState.COMPLETED: TaskStatus.COMPLETED,
    TaskState.FAILED: TaskStatus.FAILED,
    TaskState.CANCELLED: TaskStatus.CANCELLED,
    TaskState.SKIPPED: TaskStatus.SKIPPED,
}


class TaskFlag:
    """What is seldom true of a task, in one column; numbers, since an IntFlag's `&` costs 3 us."""

    JOIN_ANY: Final = 1
    ALLOW_FAILURE: Final = 2
    AT_MOST_ONCE: Final = 4
    #: Its tree asked for `strict_priority`.
    STRICT: Final = 8
    #: Some edge names it as its dependency.
    HAS_DEPENDANTS: Final = 16
    #: It has a row in `task_details`.
    HAS_DETAILS: Final = 32
    #: Its `inputs` refer to results, which are filled in when an attempt starts.
    HAS_REFERENCES: Final = 64
    #: A person cancelled it while it was in progress: it ends so, whatever the attempt reports.
    CANCEL_REQUESTED: Final = 128
    #: It is claimed through its tree's levels, and never enters the ready index: its tree is large,
    #: or closed by a mark. Tasks of strict trees are so too, by `STRICT`; statements ask for both
    #: by `flags & 264`.
    BY_LEVEL: Final = 256
    #: A person's retry makes it run again: it is still to be set back.
    TO_RESET: Final = 512
    #: Its file says `hold`: once otherwise ready it waits for a person's release. Statements ask
    #: for a hold that is not released by `flags & 3072 = 1024`.
    HOLD: Final = 1024
    #: A person released it, maybe before it was otherwise ready; a retry of it asks again.
    RELEASED: Final = 2048


class TreeMark:
    """Why nothing of a tree starts, one bit each in `trees.marks`; 0: its tasks may start."""

    #: A person paused it.
    PAUSED: Final = 1
    #: An earlier process left it unfinished in a store that does not go on by itself.
    LEFT_OVER: Final = 2
    #: A person cancelled it: what has not ended is cancelled, whatever attempts report.
    CANCELLED: Final = 4
    #: A person's retry sets tasks of it back; meanwhile no edge is decided and it does not end.
    RETRIED: Final = 8


class SweepKind(IntEnum):
    """What is done to the tasks of a tree, in chunks."""

    CANCEL = 1
    RETRY = 2
    PRIORITY = 3


meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Integer, nullable=False),
    comment="start_seq: every start so far has a smaller number; paused: 1, nothing starts",
)

trees = Table(
    "trees",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("name", Text),
    #: The name of the file as it was dropped (bytes); null when it came another way.
    Column("file_name", LargeBinary),
    Column("sha256", Text),
    #: The uid of the file's owner.
    Column("owner", Integer),
    Column("idempotency_key", Text),
    Column("user_id", Text),
    #: JSON object with `metadata` and `x-…` of the envelope; null when there is nothing.
    Column("other", Text),
    Column("strict_priority", Integer, nullable=False, server_default=text("0")),
    Column("first_task", Integer, nullable=False),
    Column("task_count", Integer, nullable=False),
    Column("received_at", Integer, nullable=False),
    #: Null until the tree is accepted; a tree that never was is deleted at start.
    Column("accepted_at", Integer),
    #: The order of acceptance, from 1; null until then.
    Column("acceptance", Integer, unique=True),
    Column("started_at", Integer),
    Column("ended_at", Integer),
    #: TaskStatus of the tree, kept current each turn.
    Column("status", Text, nullable=False, server_default=text("'pending'")),
    #: Tasks that have not ended; the tree ends when it is 0.
    Column("open", Integer, nullable=False),
    Column("completed", Integer, nullable=False, server_default=text("0")),
    #: Failed ones without `allow_failure`.
    Column("failed", Integer, nullable=False, server_default=text("0")),
    #: Failed ones with it.
    Column("tolerated", Integer, nullable=False, server_default=text("0")),
    Column("cancelled", Integer, nullable=False, server_default=text("0")),
    Column("skipped", Integer, nullable=False, server_default=text("0")),
    #: 1: it ended, and result files of `intake` rows are still to be written.
    Column("owes_results", Integer, nullable=False, server_default=text("0")),
    #: TreeMark.
    Column("marks", Integer, nullable=False, server_default=text("0")),
    #: What a person gave all of it that has not started, until the tasks' rows say so; else null.
    Column("priority", Integer),
    Index("trees_owing", "id", sqlite_where=text("owes_results = 1")),
    Index("trees_open", "id", sqlite_where=text("ended_at IS NULL")),
    Index("trees_by_status", "status", "id"),
    Index("trees_by_name", "name", sqlite_where=text("name IS NOT NULL")),
    Index("trees_by_file", "file_name", sqlite_where=text("file_name IS NOT NULL")),
    Index(
        "trees_by_key",
        "owner",
        "idempotency_key",
        sqlite_where=text("idempotency_key IS NOT NULL"),
    ),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tree", Integer, ForeignKey("trees.id"), nullable=False),
    Column("local_id", Text, nullable=False),
    #: Null when it equals `local_id`.
    Column("name", Text),
    #: The parent's internal number.
    Column("parent", Integer),
    #: TaskState.
    Column("state", Integer, nullable=False),
    #: PlaceKind.
    Column("kind", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    #: Latest of acceptance, `not_before` and the end of a back-off. Rows that can be parked have 0
    #: for acceptance: those of a large tree, before it is known, and those of a strict one.
    Column("due_at", Integer, nullable=False),
    #: The tree's order of acceptance; 0 until it is known.
    Column("acceptance", Integer, nullable=False),
    #: TaskFlag.
    Column("flags", Integer, nullable=False),
    Column("executor", Text, nullable=False),
    #: Edges that must still hold before it may start: with `join: any` at most 1.
    Column("unmet", Integer, nullable=False),
    #: Edges that are not decided yet; kept for `join: any` only.
    Column("undecided", Integer, nullable=False),
    #: `readiness.Gravity` of the gravest edge that did not hold, and the cause's number.
    Column("gravity", Integer, nullable=False, server_default=text("0")),
    Column("gravest", Integer),
    #: RetryPolicy as JSON; null: none.
    Column("retry", Text),
    #: Seconds, of each attempt.
    Column("timeout", Float),
    #: The newest attempt's number, 0 before the first.
    Column("attempt", Integer, nullable=False),
    #: Attempts that failed, which is what `retry.limit` bounds.
    Column("failures", Integer, nullable=False, server_default=text("0")),
    #: Attempts that a crash cut.
    Column("interruptions", Integer, nullable=False, server_default=text("0")),
    #: Of the newest attempt; only rises over all starts, and is their order.
    Column("start_seq", Integer),
    Column("started_at", Integer),
    Column("ended_at", Integer),
    #: JSON.
    Column("result", Text),
    #: TaskError as JSON.
    Column("error", Text),
    #: It ended, but only the edges to dependants up to this number are decided; null: all are.
    Column("cascade", Integer),
    Index("tasks_by_local_id", "tree", "local_id", unique=True),
    Index(
        "tasks_ready",
        "kind",
        "priority",
        "due_at",
        "acceptance",
        "id",
        sqlite_where=text("state = 2"),
    ),
    Index(
        "tasks_parked", "tree", "kind", "priority", "due_at", "id", sqlite_where=text("state = 1")
    ),
    Index("tasks_waiting", "due_at", "id", sqlite_where=text("state = 3")),
    Index("tasks_without_executor", "executor", "id", sqlite_where=text("state = 4")),
    Index("tasks_in_progress", "id", sqlite_where=text("state = 10")),
    Index("tasks_cascading", "id", sqlite_where=text("cascade IS NOT NULL")),
)

task_details = Table(
    "task_details",
    metadata,
    Column("task", Integer, ForeignKey("tasks.id"), primary_key=True),
    #: JSON objects; null: empty.
    Column("inputs", Text),
    Column("params", Text),
    #: JSON object: `description`, `metadata`, `user_id`, `schemas`, `x-…`.
    Column("other", Text),
    #: JSON object: the references in `inputs`, as they are written, and the positions in the file
    #: of the tasks that they name; null: there are none.
    Column("reads", Text),
)

edges = Table(
    "edges",
    metadata,
    Column("dependency", Integer, primary_key=True),
    Column("dependant", Integer, primary_key=True),
    #: EdgeOn by its place in the enum: 0 success, 1 failure, 2 end.
    Column("holds_on", Integer, primary_key=True),
    Index("edges_by_dependant", "dependant"),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("task", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("start_seq", Integer, nullable=False),
    Column("started_at", Integer, nullable=False),
    Column("ended_at", Integer, nullable=False),
    #: `completed`, or the code of its error.
    Column("outcome", Text, nullable=False),
    #: TaskError as JSON.
    Column("error", Text),
    sqlite_with_rowid=False,
    comment="attempts that are over; the one in progress is in its task's row",
)

intake = Table(
    "intake",
    metadata,
    Column("id", Integer, primary_key=True),
    #: The uuid of the claim: one claim is recorded once, whatever crashes.
    Column("claim", Text, nullable=False, unique=True),
    #: The name as it was dropped (bytes).
    Column("file_name", LargeBinary, nullable=False),
    #: What its answers' names begin with (bytes): `report` of `report.json`, until a later drop
    #: takes that name and this one's answers stand aside, `report.<tree id>`.
    Column("answer_name", LargeBinary, nullable=False),
    #: Null: rejected. A duplicate points at the first drop's tree.
    Column("tree", Integer, ForeignKey("trees.id")),
    Column("duplicate", Integer, nullable=False, server_default=text("0")),
    Column("received_at", Integer, nullable=False),
    Column("sha256", Text),
    #: JSON: the whole receipt of a rejected file, the warnings of an accepted one.
    Column("receipt", Text),
    #: JSON [[from, to], …]: answer names that must be moved aside before this drop's answers are
    #: written; null when there is nothing left to move.
    Column("moves", Text),
    #: 1: the receipt is still to be written and the file to be moved.
    Column("owes_receipt", Integer, nullable=False),
    #: 1: its tree's result file was written for this drop.
    Column("result_written", Integer, nullable=False, server_default=text("0")),
    Index("intake_owing", "id", sqlite_where=text("owes_receipt = 1")),
    Index("intake_by_answer_name", "answer_name", unique=True),
    Index("intake_by_tree", "tree"),
)

#: Rows, and not a column of `trees` as the other debts are: each plugin is paid by itself, so that
#: one that hangs, or is not there now, keeps its own debts and nobody else's.
owed_hooks = Table(
    "owed_hooks",
    metadata,
    #: The order in which the trees ended.
    Column("id", Integer, primary_key=True),
    #: The name of the plugin's entry point.
    Column("plugin", Text, nullable=False),
    Column("tree", Integer, ForeignKey("trees.id"), nullable=False),
    #: When it ended that time: a tree that runs again ends again, and is owed anew.
    Column("ended_at", Integer, nullable=False),
    Index("owed_hooks_by_tree", "tree", "plugin", unique=True),
    Index("owed_hooks_by_plugin", "plugin", "id"),
    comment="plugins that are still to be told that a tree ended",
)

sweeps = Table(
    "sweeps",
    metadata,
    #: The order of the requests; those of one tree are done one after another.
    Column("id", Integer, primary_key=True),
    Column("tree", Integer, ForeignKey("trees.id"), nullable=False),
    #: SweepKind.
    Column("kind", Integer, nullable=False),
    #: How far a sweep of several passes is (see `scheduling.retrying`).
    Column("phase", Integer, nullable=False, server_default=text("0")),
    #: The number of the next task; those before it are done in this pass.
    Column("next", Integer, nullable=False),
    #: Of a retry: the one task it is of; null: the tree. Of a priority: the new one.
    Column("value", Integer),
    comment="what persons asked for of whole trees, done in chunks, a few thousand rows a turn",
)
