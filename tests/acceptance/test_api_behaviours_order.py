"""Which task starts when: priority, places, times and several roots, through the Python API."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import TaskManager, TaskTreeNode, TaskTrees, create_session, executor

from .api_trees import LIMIT_SECONDS, Gate, ended_as, made, ran, start_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd import Session, Task, TaskContext


@pytest.fixture(scope="module")
def wide() -> Iterator[Session]:
    with create_session() as session:
        yield session


@pytest.fixture(scope="module")
def narrow() -> Iterator[Session]:
    """One place of each kind."""
    with create_session(places=1, async_places=1) as session:
        yield session


@executor("behave-thread")
def thread(inputs: dict[str, Any], context: TaskContext) -> None:
    """Take a place of the other kind than `noop`."""


#: The most of `behave-together` that ran at one time, and those that run.
TOGETHER: dict[str, int] = {"now": 0, "most": 0}


@executor("behave-together")
async def together(inputs: dict[str, Any], context: TaskContext) -> None:
    TOGETHER["now"] += 1
    TOGETHER["most"] = max(TOGETHER["most"], TOGETHER["now"])
    await asyncio.sleep(0.01)
    TOGETHER["now"] -= 1


PRIORITIES = [3, 0, 999, 2, 1, 0, 3, 2, 0]
#: By priority, then by position: 0 is the most urgent value there is, not "none given".
BY_PRIORITY = ["t1", "t5", "t8", "t4", "t3", "t7", "t0", "t6", "t2"]


@pytest.mark.parametrize("kind", ["noop", "behave-thread"])
def test_with_one_place_tasks_start_by_priority_then_position(narrow: Session, kind: str) -> None:
    """Expected: 0 first, and equals in the order of the list."""
    tasks = ran(
        narrow,
        *(
            {"id": f"t{position}", "executor": kind, "priority": priority}
            for position, priority in enumerate(PRIORITIES)
        ),
    )

    assert start_order(tasks) == BY_PRIORITY


@pytest.mark.parametrize("kind", ["noop", "behave-thread"])
def test_with_many_places_they_are_handed_over_in_the_same_order(wide: Session, kind: str) -> None:
    """Expected: the same, though all may run at once."""
    tasks = ran(
        wide,
        *(
            {"id": f"t{position}", "executor": kind, "priority": priority}
            for position, priority in enumerate(PRIORITIES)
        ),
    )

    assert start_order(tasks) == BY_PRIORITY


def test_no_priority_is_2_and_stands_between(narrow: Session) -> None:
    """Expected: before 3, after 1."""
    tasks = ran(
        narrow, {"id": "low", "priority": 3}, {"id": "plain"}, {"id": "high", "priority": 1}
    )

    assert start_order(tasks) == ["high", "plain", "low"]
    assert tasks["plain"].priority == 2


def test_dependencies_come_before_priority(narrow: Session) -> None:
    """Expected: urgent work waits for what it depends on, and then overtakes."""
    tasks = ran(
        narrow,
        {"id": "urgent", "priority": 0, "dependencies": ["slow road"]},
        {"id": "normal"},
        {"id": "low", "name": "slow road", "priority": 9},
        {"id": "lowest", "priority": 10},
    )

    assert start_order(tasks) == ["normal", "low", "urgent", "lowest"]


def test_parents_have_no_say_in_the_order(narrow: Session) -> None:
    """Expected: children of an unstarted parent start before it, by their own priority."""
    tasks = ran(
        narrow,
        {"id": "parent", "priority": 9},
        {"id": "child", "parent_id": "parent"},
        {"id": "grandchild", "parent_id": "child", "priority": 0},
    )

    assert start_order(tasks) == ["grandchild", "child", "parent"]


def test_drafts_stand_in_the_order_in_which_they_were_made(narrow: Session) -> None:
    """Expected: not in that in which their nodes were added."""

    async def main() -> list[str]:
        manager = TaskManager(narrow)
        create = manager.task_repository.create_task
        drafts = [await create(id=f"d{number}", executor="noop") for number in range(8)]
        root, *others = drafts
        tree = TaskTreeNode(root)
        for draft in reversed(others):
            tree.add_child(TaskTreeNode(draft))
        await manager.distribute_task_tree(tree)
        return start_order({task.id: task for task in tree.tasks()})

    assert asyncio.run(main()) == [f"d{number}" for number in range(8)]


@pytest.mark.parametrize("seed", range(3))
def test_a_random_graph_starts_as_a_list_of_the_ready_says(narrow: Session, seed: int) -> None:
    """Expected: with one place, the order of a model that always takes the first ready task."""
    choose = random.Random(seed)  # noqa: S311 - nothing is to be kept secret
    before = {
        number: choose.sample(range(number), min(number, choose.randrange(4)))
        for number in range(60)
    }
    priority = {number: choose.randrange(5) for number in before}
    expected: list[int] = []
    while len(expected) < len(before):
        ready = [n for n in before if n not in expected and set(before[n]) <= set(expected)]
        # All are due since they were accepted: when the last dependency ended does not count.
        expected.append(min(ready, key=lambda n: (priority[n], n)))

    tasks = ran(
        narrow,
        *(
            {
                "id": f"t{number}",
                "priority": priority[number],
                "dependencies": [f"t{other}" for other in others],
            }
            for number, others in before.items()
        ),
    )

    assert start_order(tasks) == [f"t{number}" for number in expected]


def test_strict_priority_waits_for_the_end_of_what_is_more_urgent(wide: Session) -> None:
    """Expected: level after level, each begun after the last end of the one before."""
    tasks = ran(
        wide,
        *(
            {"id": f"p{priority}-{number}", "executor": "behave-together", "priority": priority}
            for priority in (2, 0, 1)
            for number in range(4)
        ),
        strict_priority=True,
    )
    begun, ended = (
        [
            [moment_of(tasks[f"p{priority}-{number}"], which) for number in range(4)]
            for priority in range(3)
        ]
        for which in ("started_at", "ended_at")
    )

    assert max(ended[0]) <= min(begun[1])
    assert max(ended[1]) <= min(begun[2])
    # Within a level they run beside each other.
    assert max(begun[0]) <= min(ended[0])


def moment_of(task: Task, which: str) -> datetime:
    moment = getattr(task, which)
    assert isinstance(moment, datetime)
    return moment


def test_strict_priority_does_not_wait_for_what_is_blocked(wide: Session) -> None:
    """Expected: urgent work that depends on the less urgent is no deadlock, it runs after."""
    tasks = ran(
        wide,
        {"id": "urgent", "priority": 0, "dependencies": ["late"]},
        {"id": "late", "priority": 5},
        {"id": "normal"},
        strict_priority=True,
    )

    assert start_order(tasks) == ["normal", "late", "urgent"]
    assert {ended_as(task) for task in tasks.values()} == {("completed", None, None)}


def test_no_more_run_at_once_than_there_are_places() -> None:
    """Expected: three of twenty, and never a fourth."""
    TOGETHER.update(now=0, most=0)
    with create_session(async_places=3) as session:
        ran(session, *({"id": f"t{n}", "executor": "behave-together"} for n in range(20)))

    assert TOGETHER == {"now": 0, "most": 3}


def test_one_kind_of_place_does_not_wait_for_the_other(narrow: Session) -> None:
    """Expected: while the one `async` place is taken, threads and commands go on."""
    gate = Gate("behave-gate-place")
    trees = made(
        narrow,
        {"id": "holds", "executor": "behave-gate-place", "priority": 0},
        {"id": "waits", "priority": 0},
        {"id": "thread", "executor": "behave-thread"},
        {"id": "command", "executor": "command", "inputs": {"argv": ["true"]}},
    )
    tasks = {task.id: task for task in trees.tasks()}
    manager = TaskManager(narrow)
    seen: list[Any] = []

    def on_event(event: Any) -> None:
        if tasks["thread"].ended_at and tasks["command"].ended_at and not seen:
            seen.extend([tasks["holds"].status.value, tasks["waits"].status.value])
            gate.open()

    asyncio.run(manager.distribute_task_tree(trees, on_event=on_event))

    assert seen == ["in_progress", "pending"]
    assert ended_as(tasks["waits"]) == ("completed", None, None)


def test_not_before_is_waited_for_and_holds_nobody_else_up(wide: Session) -> None:
    """Expected: not a microsecond earlier, though it is urgent; what is past does not wait."""
    moment = datetime.now(UTC) + timedelta(milliseconds=150)
    past = datetime(2020, 1, 1, tzinfo=UTC)
    tasks = ran(
        wide,
        {"id": "timed", "priority": 0, "not_before": moment.isoformat()},
        {"id": "after", "dependencies": ["timed"]},
        {"id": "plain"},
        {"id": "past", "not_before": past.isoformat()},
        strict_priority=True,
    )

    assert start_order(tasks) == ["plain", "past", "timed", "after"]
    assert moment_of(tasks["timed"], "started_at") >= moment
    assert moment_of(tasks["plain"], "started_at") < moment
    assert tasks["timed"].not_before == moment


def test_several_roots_are_one_tree(narrow: Session) -> None:
    """Expected: one tree id, dependencies across roots, one status for all of them."""

    async def main() -> tuple[TaskTrees, list[str]]:
        manager = TaskManager(narrow)
        create = manager.task_repository.create_task
        first = TaskTreeNode(await create(id="first", executor="noop", dependencies=["below"]))
        second = TaskTreeNode(await create(id="second", executor="behave-refuse"))
        second.add_child(TaskTreeNode(await create(id="below", executor="noop")))
        trees = TaskTrees([first, second])
        await manager.distribute_task_tree(trees)
        return trees, start_order({task.id: task for task in trees.tasks()})

    trees, order = asyncio.run(main())

    assert order == ["second", "below", "first"]
    assert len({task.tree_id for task in trees.tasks()}) == 1
    assert trees.calculate_status() == "failed"
    assert trees[0].calculate_status() == "completed"


def test_an_urgent_tree_overtakes_one_that_was_accepted_before(narrow: Session) -> None:
    """Expected: its tasks start before those of the first tree that have not, then these go on."""
    gate = Gate("behave-gate-overtaken")
    early = made(
        narrow,
        {"id": "runs", "executor": "behave-gate-overtaken", "priority": 0},
        *({"id": f"early{n}"} for n in range(20)),
    )
    urgent = made(
        narrow,
        # Has a place of its own, so its start says that the tree was accepted.
        {"id": "accepted", "executor": "behave-thread"},
        *({"id": f"urgent{n}", "priority": 1} for n in range(5)),
    )
    manager = TaskManager(narrow)

    async def main() -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            running = asyncio.create_task(manager.distribute_task_tree(early))
            await gate.wait_until_begun()
            events = manager.events(urgent)
            overtaking = asyncio.create_task(manager.distribute_task_tree(urgent))
            await anext(events)
            gate.open()
            await asyncio.gather(running, overtaking)

    asyncio.run(main())
    tasks = {task.id: task for trees in (early, urgent) for task in trees.tasks()}

    assert start_order(tasks) == [
        "runs",
        "accepted",
        *(f"urgent{n}" for n in range(5)),
        *(f"early{n}" for n in range(20)),
    ]
