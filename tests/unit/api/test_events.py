"""`TaskManager.events`: what readers are told, in which order, and what slow ones miss."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import (
    AttemptEnded,
    Conflict,
    InvalidTaskArray,
    NotFound,
    SessionClosed,
    TaskEnded,
    TaskManager,
    TaskProgress,
    TaskStarted,
    TaskTreeNode,
    TaskTrees,
    TreeEnded,
    create_session,
)
from inboxd.events import TaskProgress as Said

from .steered import all_of, first_start, gates, is_reached, noops, trees_of, words

if TYPE_CHECKING:
    from inboxd import Session, TreeEvent, TreeEvents


def test_events_are_those_of_the_commits_in_their_order(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session,
            {
                "id": "flaky",
                "executor": "steered_flaky",
                "inputs": {"failures": 1},
                "retry": {"limit": 2, "delay": 0},
            },
            {"id": "after", "executor": "noop", "dependencies": ["flaky"]},
        )
        # Nobody has taken the first step of a loop when the tree runs.
        events = manager.events(trees)
        await manager.distribute_task_tree(trees)
        seen = await all_of(events)

        assert words(seen) == [
            "TaskStarted flaky",
            "AttemptEnded flaky",
            "TaskStarted flaky",
            "TaskProgress flaky",
            "TaskEnded flaky",
            "TaskStarted after",
            "TaskEnded after",
            "TreeEnded",
        ]
        first, failed, second, said, ended, after, _, over = seen
        assert isinstance(first, TaskStarted)
        assert isinstance(second, TaskStarted)
        assert isinstance(after, TaskStarted)
        starts = [first.attempt, second.attempt, after.attempt]
        assert [start.number for start in starts] == [1, 2, 1]
        assert [start.start_seq for start in starts] == [1, 2, 3]
        assert isinstance(failed, AttemptEnded)
        assert failed.outcome.status == "failed"
        assert failed.outcome.retry_at is not None
        assert isinstance(said, TaskProgress)
        assert (said.attempt, said.fraction, said.message) == (2, 0.5, "half")
        assert isinstance(ended, TaskEnded)
        assert ended.outcome is not None
        assert (ended.status, ended.error, ended.outcome.result()) == ("completed", None, 2)
        assert ended.task is not None
        assert ended.task == trees[0].task
        assert ended.attempt == second.attempt
        assert second.attempt.started_at <= ended.ended_at <= after.attempt.started_at
        assert (ended.task.started_at, ended.task.ended_at) == (
            second.attempt.started_at,
            ended.ended_at,
        )
        assert isinstance(over, TreeEnded)
        assert (over.status, over.tree.tree_id) == ("completed", ended.task.tree_id)
        assert over.tree.counts == {"completed": 2}

    asyncio.run(run())


def test_tasks_that_never_ran_end_before_the_tree_does(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session,
            {"id": "skipped", "executor": "noop", "dependencies": ["broken"]},
            {"id": "broken", "executor": "steered_fails"},
            {"id": "skipped-too", "executor": "noop", "dependencies": ["skipped"]},
            {"id": "fallback", "executor": "noop"}
            | {"dependencies": [{"id": "broken", "on": "end"}]},
        )
        events = manager.events(trees)
        await manager.distribute_task_tree(trees)
        seen = await all_of(events)

        assert words(seen) == [
            "TaskStarted broken",
            "TaskEnded broken",
            "TaskStarted fallback",
            "TaskEnded fallback",
            "TaskEnded skipped",
            "TaskEnded skipped-too",
            "TreeEnded",
        ]
        skipped = seen[4]
        assert isinstance(skipped, TaskEnded)
        assert skipped.error is not None
        assert (skipped.status, skipped.error.code, skipped.error.cause) == (
            "skipped",
            "dependency_failed",
            "broken",
        )
        assert (skipped.attempt, skipped.outcome) == (None, None)
        assert words(await all_of(manager.events(trees))) == [
            "TaskEnded skipped",
            "TaskEnded broken",
            "TaskEnded skipped-too",
            "TaskEnded fallback",
            "TreeEnded",
        ]

    asyncio.run(run())


def test_who_comes_while_it_runs_is_told_what_is_so_then_what_follows(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session,
            {"id": "done", "executor": "noop"},
            {"id": "now", "executor": "steered_gate", "inputs": {"gate": "comes"}}
            | {"dependencies": ["done"]},
            {"id": "then", "executor": "noop", "dependencies": ["now"]},
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(manager.distribute_task_tree(trees))
            await is_reached("comes")
            tree_id = trees[0].task.tree_id
            assert tree_id is not None
            late = [manager.events(trees), manager.events(tree_id)]
            # By a look into the store.
            assert (await first_start(late[0])).task.id == "now"
            gates["comes"].set()
            rest = words(await all_of(late[0]))
            of_id = await all_of(late[1])

        assert rest == ["TaskEnded now", "TaskStarted then", "TaskEnded then", "TreeEnded"]
        assert words(of_id) == ["TaskEnded done", "TaskStarted now", *rest]
        assert isinstance(of_id[0], TaskEnded)
        assert of_id[0].task == trees[0].task
        assert of_id[0].attempt is not None
        assert (of_id[0].attempt.number, of_id[0].attempt.start_seq) == (1, 1)

    asyncio.run(run())


@pytest.mark.parametrize("most", [100_000, 100])
def test_a_reader_that_never_reads_holds_nothing_up_and_misses_no_end(
    session: Session, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(session, *noops(5_000))
        events = manager.events(trees)
        subscription = events._subscription
        subscription._most_waiting = most
        await manager.distribute_task_tree(trees)

        assert len(subscription._items) <= most + 1
        seen = await all_of(events)
        kinds = Counter(type(event).__name__ for event in seen)
        ended = [event.task.id for event in seen if isinstance(event, TaskEnded)]
        assert isinstance(seen[-1], TreeEnded)
        assert sorted(ended) == sorted(task.id for task in trees.tasks())
        # Only who is far behind misses starts.
        assert kinds["TaskStarted"] == (5_000 if most > 10_000 else 0)

    asyncio.run(run())


@pytest.mark.parametrize("seed", [1, 2])
def test_whoever_comes_whenever_and_however_slow_hears_each_end_once(
    session: Session, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - not for secrets

    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(session, *a_mixture(chance, 200))
        readers: list[TreeEvents] = []

        def come() -> None:
            events = manager.events(trees)
            events._subscription._most_waiting = chance.choice([5, 50, 100_000])
            readers.append(events)

        come()
        runs = asyncio.ensure_future(manager.distribute_task_tree(trees))
        async for _ in manager.events(trees):
            if chance.random() < 0.05:
                come()
        await runs

        for events in readers:
            check_story(await all_of(events), trees)

    asyncio.run(run())


def a_mixture(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Return an array of tasks that complete, fail, try again and are skipped."""
    tasks: list[dict[str, Any]] = []
    for number in range(count):
        task: dict[str, Any] = {"id": f"t{number}", "executor": "noop"}
        kind = chance.random()
        if kind < 0.3:
            task |= {"executor": "steered_flaky", "inputs": {"failures": chance.randrange(3)}}
            task |= {"retry": {"limit": 1, "delay": 0}}
        elif kind < 0.35:
            task["executor"] = "steered_fails"
        if number and chance.random() < 0.5:
            task["dependencies"] = [f"t{chance.randrange(max(0, number - 20), number)}"]
        tasks.append(task)
    return tasks


def check_story(story: list[TreeEvent], trees: TaskTrees) -> None:
    """Hold what a reader was told against how all ended."""
    last = {task.id: task for task in trees.tasks()}
    running: dict[str, int] = {}
    ended: set[str] = set()
    for event in story[:-1]:
        assert not isinstance(event, TreeEnded)
        task_id = event.task.id
        assert task_id not in ended
        match event:
            case TaskStarted():
                assert event.attempt.number > running.get(task_id, 0)
                running[task_id] = event.attempt.number
            case TaskProgress():
                assert event.attempt == running[task_id]
            case AttemptEnded():
                assert event.attempt.number == running[task_id]
            case TaskEnded():
                ended.add(task_id)
                assert (event.status, event.ended_at) == (
                    last[task_id].status,
                    last[task_id].ended_at,
                )
                number = event.attempt.number if event.attempt else 0
                assert number == last[task_id].attempts
    assert ended == last.keys()
    assert isinstance(story[-1], TreeEnded)


def test_starts_are_told_in_the_order_of_their_numbers_over_all_trees(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        both = [await trees_of(session, *noops(300)) for _ in range(2)]
        readers = [manager.events(trees) for trees in both]
        await asyncio.gather(*(manager.distribute_task_tree(trees) for trees in both))
        seen = [await all_of(events) for events in readers]

        numbers = [
            [event.attempt.start_seq for event in one if isinstance(event, TaskStarted)]
            for one in seen
        ]
        assert [sorted(one) for one in numbers] == numbers
        assert sorted(numbers[0] + numbers[1]) == list(range(1, 601))
        for trees, one in zip(both, seen, strict=True):
            tree_id = trees[0].task.tree_id
            assert {event.task.tree_id for event in one if not isinstance(event, TreeEnded)} == {
                tree_id
            }

    asyncio.run(run())


def test_of_progress_the_newest_waits(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session, {"id": "says", "executor": "steered_says", "inputs": {"gate": "says"}}
        )
        events = manager.events(trees)
        async with asyncio.TaskGroup() as group:
            group.create_task(manager.distribute_task_tree(trees))
            await is_reached("says")
            place = trees[0].task
            assert place.tree_id is not None
            # As the runner tells it, once a second.
            for percent in range(50, 100):
                session.watch.tell(
                    Said(
                        tree_id=place.tree_id,
                        task_id="says",
                        attempt=1,
                        fraction=percent / 100,
                        message="",
                    )
                )
            gates["says"].set()
        seen = await all_of(events)

        assert words(seen) == [
            "TaskStarted says",
            "TaskProgress says",
            "TaskEnded says",
            "TreeEnded",
        ]
        assert isinstance(seen[1], TaskProgress)
        assert seen[1].fraction == 0.99

    asyncio.run(run())


def test_a_wait_that_is_cancelled_loses_nothing(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(session, *noops(3))
        events = manager.events(trees)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await anext(events)
        await manager.distribute_task_tree(trees)

        assert Counter(type(event) for event in await all_of(events)) == {
            TaskStarted: 3,
            TaskEnded: 3,
            TreeEnded: 1,
        }
        with pytest.raises(StopAsyncIteration):
            await anext(events)

    asyncio.run(run())


def test_two_coroutines_do_not_share_one_reader(session: Session) -> None:
    async def run() -> None:
        events = TaskManager(session).events(await trees_of(session, *noops(1)))
        waits = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="each reader needs its own"):
            await anext(events)
        waits.cancel()

    asyncio.run(run())


def test_who_leaves_the_loop_hears_no_more(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(
            session, {"id": "held", "executor": "steered_gate", "inputs": {"gate": "leaves"}}
        )
        broken, closed, kept = (manager.events(trees) for _ in range(3))
        async with asyncio.TaskGroup() as group:
            group.create_task(manager.distribute_task_tree(trees))
            subscriptions = [one._subscription for one in (broken, closed, kept)]
            async for _ in broken:
                break
            del broken
            gc.collect()
            async with closed:
                await anext(closed)
            gates["leaves"].set()

        assert [one.is_dropped for one in subscriptions] == [True, True, False]
        assert [len(one._items) for one in subscriptions] == [0, 0, 3]
        assert await all_of(closed) == []
        assert session.watch._readers == {}

    asyncio.run(run())


def test_readers_of_a_tree_that_is_refused_are_told_why(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        task = await manager.task_repository.create_task(name="x", executor="nobody_has_this")
        trees = TaskTrees((await trees_of(session, *noops(1)))[:0])
        with pytest.raises(ValueError, match="no tasks"):
            manager.events(trees)
        node = TaskTreeNode(task)
        events = manager.events(node)
        with pytest.raises(InvalidTaskArray) as refused:
            await manager.distribute_task_tree(node)

        with pytest.raises(InvalidTaskArray) as told:
            await anext(events)
        assert told.value.errors == refused.value.errors

    asyncio.run(run())


def test_what_is_no_tree_has_no_events(session: Session) -> None:
    manager = TaskManager(session)

    async def run() -> None:
        with pytest.raises(NotFound, match="no tree of this session"):
            manager.events("01a20f60-0000-7000-8000-000000000000")
        trees = await trees_of(
            session, {"id": "a", "executor": "noop"}, {"id": "b", "name": "noop", "parent_id": "a"}
        )
        with pytest.raises(ValueError, match="give the root"):
            manager.events(trees[0].children[0])
        with pytest.raises(Conflict, match="is a draft"):
            await manager.wait(trees)
        with create_session() as other, pytest.raises(ValueError, match="of another session"):
            TaskManager(other).events(trees)

    asyncio.run(run())


def test_the_end_of_the_session_ends_the_readers() -> None:
    async def run() -> None:
        with create_session() as session:
            manager = TaskManager(session)
            trees = await trees_of(
                session, {"id": "held", "executor": "steered_async", "inputs": {"gate": "closes"}}
            )
            drafts = await trees_of(session, *noops(1))
            readers = [manager.events(trees), manager.events(drafts)]
            runs = asyncio.ensure_future(manager.distribute_task_tree(trees))
            await is_reached("closes")
            await asyncio.sleep(0)
        for events in readers:
            with pytest.raises(SessionClosed):
                await all_of(events)
        with pytest.raises(SessionClosed):
            await runs
        with pytest.raises(SessionClosed):
            manager.events(trees)

    asyncio.run(run())


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_who_subscribes_while_the_tree_is_being_accepted_hears_all(
    session: Session, steps: int
) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(session, {"id": "a", "executor": "noop"})
        running = asyncio.create_task(manager.distribute_task_tree(trees))
        for _ in range(steps):
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            seen = await all_of(manager.events(trees))
        await running

        assert words(seen)[-2:] == ["TaskEnded a", "TreeEnded"]

    asyncio.run(run())


def test_who_subscribes_while_a_tree_is_refused_is_told_why(session: Session) -> None:
    async def run() -> None:
        manager = TaskManager(session)
        trees = await trees_of(session, {"id": "a", "executor": "nobody_has_it"})
        running = asyncio.create_task(manager.distribute_task_tree(trees))
        await asyncio.sleep(0)
        events = manager.events(trees)
        with pytest.raises(InvalidTaskArray):
            await running
        async with asyncio.timeout(60):
            with pytest.raises(InvalidTaskArray):
                await all_of(events)

    asyncio.run(run())
