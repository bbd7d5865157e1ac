"""Every row of the edge table, joins, and the status of trees, through the Python API."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import TaskManager, TaskStarted, create_session, executor

from .api_trees import LIMIT_SECONDS, Gate, ended_as, made, ran, start_order, until_ended

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inboxd import Session, Task

#: Far enough that it never comes.
NEVER = "2100-01-01T00:00:00Z"

HOLDS = ("completed", None)
CONDITION = ("skipped", "condition")
FAILED = ("skipped", "dependency_failed")
CANCELLED = ("skipped", "dependency_cancelled")

#: The contract's table: how the dependency ended, and what becomes of who waits for its `success`,
#: `failure`, `end`.
TABLE = {
    "completed": (HOLDS, CONDITION, HOLDS),
    "failed": (FAILED, HOLDS, HOLDS),
    "skipped-failed": (FAILED, HOLDS, HOLDS),
    "cancelled": (CANCELLED, CANCELLED, HOLDS),
    "skipped-cancelled": (CANCELLED, CANCELLED, HOLDS),
    "skipped-condition": (CONDITION, CONDITION, HOLDS),
}
ENDS = ("success", "failure", "end")

#: One task that ends in each way; the first of each is what the others come to.
ORIGINS: list[dict[str, Any]] = [
    {"id": "completed"},
    {"id": "failed", "executor": "behave-refuse"},
    {"id": "skipped-failed", "dependencies": ["failed"]},
    {"id": "cancelled", "not_before": NEVER},
    {"id": "skipped-cancelled", "dependencies": ["cancelled"]},
    {"id": "skipped-condition", "dependencies": [{"id": "completed", "on": "failure"}]},
]
#: Where the reason of each began, as the errors of who is skipped for it say.
CAUSES = {
    "completed": "completed",
    "skipped-condition": "completed",
    "failed": "failed",
    "skipped-failed": "failed",
    "cancelled": "cancelled",
    "skipped-cancelled": "cancelled",
}


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with create_session() as session:
        yield session


async def run_and_cancel(session: Session, tasks: list[dict[str, Any]]) -> dict[str, Task]:
    """Run an array, and cancel its task `cancelled` as soon as something runs."""
    trees = await asyncio.to_thread(made, session, *tasks)
    manager = TaskManager(session)
    by_id = {task.id: task for task in trees.tasks()}

    async def cancel(event: object) -> None:
        if isinstance(event, TaskStarted) and by_id["cancelled"].status == "pending":
            await manager.cancel(by_id["cancelled"])

    async with asyncio.timeout(LIMIT_SECONDS):
        await manager.distribute_task_tree(trees, on_event=cancel)
    return by_id


@pytest.fixture(scope="module")
def table(session: Session) -> dict[str, Task]:
    """One tree with a task for each cell of the table, `<how it ended>-<on>`; and joins of two."""
    cells = [
        {"id": f"{origin}-{on}", "dependencies": [{"id": origin, "on": on}]}
        for origin in TABLE
        for on in ENDS
    ]
    joins = [
        {
            "id": f"{join}-{first}-{second}",
            "join": join,
            "dependencies": [first, second],
        }
        for join in ("all", "any")
        for first, second in itertools.permutations(TABLE, 2)
    ]
    return asyncio.run(run_and_cancel(session, [*ORIGINS, *cells, *joins]))


@pytest.mark.parametrize("origin", TABLE)
@pytest.mark.parametrize("on", ENDS)
def test_an_edge_is_decided_as_the_table_says(
    table: Mapping[str, Task], origin: str, on: str
) -> None:
    """Expected: the cell of the table; who was skipped names the task where it began."""
    status, code = TABLE[origin][ENDS.index(on)]
    task = table[f"{origin}-{on}"]

    assert table[origin].status == origin.partition("-")[0]
    assert ended_as(task) == (status, code, None if code is None else CAUSES[origin])
    assert task.attempts == (1 if code is None else 0)
    if code is None:
        dependency = table[origin]
        assert dependency.ended_at is not None
        assert task.started_at is not None
        assert dependency.ended_at <= task.started_at


#: What is graver comes first.
GRAVITY = ["dependency_failed", "dependency_cancelled", "condition"]


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(TABLE, 2)))
def test_any_starts_when_one_holds_and_else_is_skipped_for_the_gravest(
    table: Mapping[str, Task], first: str, second: str
) -> None:
    """Expected: of two `success` edges one must hold; failed is graver than cancelled than none."""
    codes = [TABLE[origin][0][1] for origin in (first, second)]
    ended = ended_as(table[f"any-{first}-{second}"])

    if None in codes:
        assert ended == ("completed", None, None)
    else:
        assert ended[:2] == ("skipped", min((code or "" for code in codes), key=GRAVITY.index))


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(TABLE, 2)))
def test_all_is_skipped_for_an_edge_that_does_not_hold(
    table: Mapping[str, Task], first: str, second: str
) -> None:
    """Expected: `skipped`, for the reason of one of its edges that do not hold."""
    codes = {TABLE[origin][0][1] for origin in (first, second)} - {None}
    status, code, _ = ended_as(table[f"all-{first}-{second}"])

    assert status == "skipped"
    assert code in codes


def test_the_tree_of_the_table_failed_and_nothing_of_it_waits(
    session: Session, table: Mapping[str, Task]
) -> None:
    """Expected: a failure outweighs what was cancelled, and all 84 tasks have ended."""
    (tree_id,) = {task.tree_id for task in table.values()}
    assert tree_id is not None

    assert asyncio.run(TaskManager(session).wait(tree_id)) == "failed"
    assert len(table) == 84
    assert {task.status.value for task in table.values()} == {
        "completed", "failed", "cancelled", "skipped",
    }  # fmt: skip


def test_a_reason_goes_down_a_long_line_with_its_cause(session: Session) -> None:
    """Expected: each of 50 dependants is skipped, and all name the first; the fallback runs."""
    line = [{"id": f"t{number}", "dependencies": [f"t{number - 1}"]} for number in range(1, 51)]
    tasks = ran(
        session,
        {"id": "t0", "executor": "behave-refuse"},
        *line,
        {"id": "fallback", "dependencies": [{"id": "t50", "on": "failure"}]},
    )

    assert ended_as(tasks["t0"]) == ("failed", "exception", None)
    assert {ended_as(tasks[f"t{number}"]) for number in range(1, 51)} == {
        ("skipped", "dependency_failed", "t0")
    }
    assert ended_as(tasks["fallback"]) == ("completed", None, None)


# Joins while others run --------------------------------------------------------------------------


def test_all_is_skipped_at_once_while_another_dependency_runs(session: Session) -> None:
    """Expected: `skipped` for the one that failed, before the one that runs has ended."""
    gate = Gate("behave-gate-all")

    async def main() -> None:
        trees = await asyncio.to_thread(
            made,
            session,
            {"id": "slow", "executor": "behave-gate-all"},
            {"id": "bad", "executor": "behave-refuse"},
            {"id": "last", "dependencies": ["slow", "bad"]},
            {"id": "after", "dependencies": [{"id": "last", "on": "end"}]},
        )
        tasks = {task.id: task for task in trees.tasks()}
        manager = TaskManager(session)
        events = manager.events(trees)
        running = asyncio.create_task(manager.distribute_task_tree(trees))
        await until_ended(events, "after")
        seen = [tasks["slow"].status, ended_as(tasks["last"])]
        gate.open()
        await running

        assert seen == ["in_progress", ("skipped", "dependency_failed", "bad")]
        assert tasks["slow"].result == "through"

    asyncio.run(main())


def test_any_starts_with_the_first_edge_that_holds_and_once(session: Session) -> None:
    """Expected: `completed` while the other dependency still runs; its end changes nothing."""
    gate = Gate("behave-gate-any")

    async def main() -> None:
        trees = await asyncio.to_thread(
            made,
            session,
            {"id": "slow", "executor": "behave-gate-any"},
            {"id": "quick"},
            {"id": "last", "join": "any", "dependencies": ["slow", "quick"]},
        )
        tasks = {task.id: task for task in trees.tasks()}
        manager = TaskManager(session)
        events = manager.events(trees)
        running = asyncio.create_task(manager.distribute_task_tree(trees))
        await until_ended(events, "last")
        seen = tasks["slow"].status
        gate.open()
        await running

        assert seen == "in_progress"
        assert tasks["slow"].status == "completed"
        assert tasks["last"].attempts == 1

    asyncio.run(main())


def test_any_without_edges_starts(session: Session) -> None:
    """Expected: nothing can hold, and nothing is waited for."""
    assert ended_as(ran(session, {"id": "a", "join": "any"})["a"]) == ("completed", None, None)


def test_any_of_a_failure_and_a_success_takes_whichever_comes(session: Session) -> None:
    """Expected: one of the two edges to one task holds whichever way that ends."""
    either = [{"id": "a", "on": "success"}, {"id": "a", "on": "failure"}]

    for how in ("noop", "behave-refuse"):
        tasks = ran(
            session,
            {"id": "a", "executor": how},
            {"id": "b", "join": "any", "dependencies": either},
            {"id": "c", "join": "all", "dependencies": either},
        )

        assert ended_as(tasks["b"]) == ("completed", None, None)
        assert ended_as(tasks["c"])[0] == "skipped"


# Fallbacks and the tree --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("primary", "allow_failure", "expected", "tree"),
    [
        ("noop", False, ["completed", "skipped", "completed"], "completed"),
        ("behave-refuse", False, ["failed", "completed", "completed"], "failed"),
        ("behave-refuse", True, ["failed", "completed", "completed"], "completed"),
    ],
)
def test_a_fallback_runs_when_its_primary_failed_and_hides_nothing(
    session: Session, primary: str, allow_failure: bool, expected: list[str], tree: str
) -> None:
    """Expected: the statuses as beside each; what joins both runs in every case, after both."""
    trees = made(
        session,
        {"id": "primary", "executor": primary, "allow_failure": allow_failure},
        {"id": "fallback", "dependencies": [{"id": "primary", "on": "failure"}]},
        {"id": "use", "join": "any", "dependencies": ["primary", "fallback"]},
    )
    asyncio.run(TaskManager(session).distribute_task_tree(trees))

    assert [task.status.value for task in trees.tasks()] == expected
    assert trees.calculate_status() == tree


def test_a_tree_whose_only_failure_is_allowed_is_completed(session: Session) -> None:
    """Expected: `completed`, though what depended on it was skipped; progress is 1."""
    trees = made(
        session,
        {"id": "may-fail", "executor": "behave-refuse", "allow_failure": True},
        {"id": "after", "dependencies": ["may-fail"]},
    )
    asyncio.run(TaskManager(session).distribute_task_tree(trees))

    assert [task.status.value for task in trees.tasks()] == ["failed", "skipped"]
    assert (trees.calculate_status(), trees.calculate_progress()) == ("completed", 1.0)


def test_a_tree_of_which_one_task_was_cancelled_is_cancelled(session: Session) -> None:
    """Expected: `cancelled`, and what waited for the end of that task has run."""
    tasks = asyncio.run(
        run_and_cancel(
            session,
            [
                {"id": "first"},
                {"id": "cancelled", "not_before": NEVER},
                {"id": "after", "dependencies": [{"id": "cancelled", "on": "end"}]},
            ],
        )
    )
    tree_id = tasks["first"].tree_id
    assert tree_id is not None

    assert ended_as(tasks["cancelled"]) == ("cancelled", "cancelled", None)
    assert ended_as(tasks["after"]) == ("completed", None, None)
    assert asyncio.run(TaskManager(session).wait(tree_id)) == "cancelled"


def test_an_end_edge_never_lets_a_fallback_overtake_its_primary(session: Session) -> None:
    """Expected: with retries the fallback starts after the last attempt, not after the first."""
    starts: list[tuple[str, int]] = []

    @executor("behave-note")
    async def note(inputs: dict[str, Any], context: Any) -> None:
        starts.append((context.task_id, context.attempt))
        if context.task_id == "primary":
            raise RuntimeError("again")

    tasks = ran(
        session,
        {"id": "primary", "executor": "behave-note", "retry": {"limit": 2, "delay": "10ms"}},
        {
            "id": "fallback",
            "executor": "behave-note",
            "dependencies": [{"id": "primary", "on": "end"}],
        },
    )

    assert starts == [("primary", 1), ("primary", 2), ("primary", 3), ("fallback", 1)]
    assert start_order(tasks) == ["primary", "fallback"]
