"""A program that runs trees, as its author writes it; type checkers see what each name is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never, assert_type

from inboxd import (
    AmbiguousReference,
    AmbiguousTask,
    AttemptEnded,
    ConfigurationError,
    Conflict,
    Delivery,
    InboxdError,
    InvalidTaskArray,
    Join,
    NotFound,
    Problem,
    ProblemCode,
    RetryPolicy,
    Session,
    SessionClosed,
    StoreError,
    StoreInUse,
    Task,
    TaskAttempt,
    TaskContext,
    TaskCreator,
    TaskEnded,
    TaskError,
    TaskErrorCode,
    TaskManager,
    TaskPage,
    TaskProgress,
    TaskRepository,
    TaskStarted,
    TaskStatus,
    TaskTreeNode,
    TaskTrees,
    ToldAttempt,
    ToldOutcome,
    ToldTree,
    TreeEnded,
    TreeEvent,
    TreeEvents,
    __version__,
    create_session,
    executor,
    run_array,
)


@executor("fetch")
async def fetch(inputs: dict[str, Any], context: TaskContext) -> list[int]:
    return [1, 2, 3]


def open_sessions() -> None:
    assert_type(__version__, str)
    with create_session(
        "sqlite:///x.db",
        places=4,
        async_places=10,
        grace="5s",
        default_timeout=60,
        max_output_bytes="1MiB",
        max_result_bytes=1024,
        environment=["LANG"],
        drain_timeout=0.5,
        max_interruptions=1,
        settings={"executors.command.enabled": False},
    ) as session:
        assert_type(session, Session)
        assert_type(session.is_closed, bool)
    assert_type(create_session().close(), None)


def look_at(task: Task) -> None:
    assert_type(task.id, str)
    assert_type(task.tree_id, str | None)
    assert_type(task.is_draft, bool)
    assert_type(task.name, str)
    assert_type(task.executor, str)
    assert_type(task.priority, int)
    assert_type(task.join, Join)
    assert_type(task.retry, RetryPolicy)
    assert_type(task.timeout, float | None)
    assert_type(task.not_before, datetime | None)
    assert_type(task.hold, bool)
    assert_type(task.delivery, Delivery)
    assert_type(task.allow_failure, bool)
    assert_type(task.parent_id, str | None)
    assert_type(task.dependencies, list[dict[str, Any]])
    assert_type(task.inputs, dict[str, Any])
    assert_type(task.params, dict[str, Any])
    assert_type(task.schemas, dict[str, Any])
    assert_type(task.extra, dict[str, Any])
    assert_type(task.progress, float | None)
    assert_type(task.user_id, str | None)
    assert_type(task.description, str | None)
    assert_type(task.metadata, dict[str, Any])
    assert_type(task.status, TaskStatus)
    assert_type(task.result, Any)
    assert_type(task.error, TaskError | None)
    assert_type(task.attempts, int)
    assert_type(task.start_seq, int | None)
    assert_type(task.created_at, datetime)
    assert_type(task.started_at, datetime | None)
    assert_type(task.ended_at, datetime | None)
    if task.error is not None:
        assert_type(task.error.code, TaskErrorCode)
        assert_type(task.error.message, str)
        assert_type(task.error.cause, str | None)
        assert_type(task.error.exit_code, int | None)
        assert_type(task.error.signal, str | None)
        assert_type(task.error.traceback, str | None)


def look_at_trees(tree: TaskTreeNode, trees: TaskTrees) -> None:
    assert_type(tree.task, Task)
    assert_type(tree.children, list[TaskTreeNode])
    assert_type(iter(tree), Iterator[TaskTreeNode])
    assert_type(len(tree), int)
    for each in (tree, trees):
        assert_type(each.tasks(), Iterator[Task])
        assert_type(each.find("a"), TaskTreeNode | None)
        assert_type(each.calculate_status(), TaskStatus)
        assert_type(each.calculate_progress(), float)
        assert_type(each.to_array(), list[dict[str, Any]])
    assert_type(trees[0], TaskTreeNode)
    assert_type(trees.nodes(), Iterator[TaskTreeNode])
    assert_type(TaskTrees([tree]), TaskTrees)


def tell(event: TreeEvent) -> str:
    match event:
        case TaskStarted():
            assert_type(event.task, Task)
            assert_type(event.attempt, ToldAttempt)
        case TaskProgress():
            assert_type(event.fraction, float | None)
            assert_type(event.message, str)
        case AttemptEnded():
            assert_type(event.outcome, ToldOutcome)
        case TaskEnded():
            assert_type(event.status, TaskStatus)
            assert_type(event.ended_at, datetime)
            assert_type(event.error, TaskError | None)
            assert_type(event.attempt, ToldAttempt | None)
            assert_type(event.outcome, ToldOutcome | None)
        case TreeEnded():
            assert_type(event.status, TaskStatus)
            assert_type(event.tree, ToldTree)
        case _:
            assert_never(event)
    return type(event).__name__


async def tell_slowly(event: TreeEvent) -> None:
    await asyncio.sleep(len(tell(event)))


async def watch(events: TreeEvents) -> None:
    async with events:
        async for event in events:
            assert_type(event, TreeEvent)
    assert_type(await events.aclose(), None)


async def run(session: Session) -> None:
    manager = TaskManager(session)
    assert_type(manager.task_repository, TaskRepository)
    create = manager.task_repository.create_task
    first = await create(name="fetch", user_id="me", inputs={"a": 1}, priority=0)
    assert_type(first, Task)
    second = await create(
        id="second",
        executor="noop",
        parent_id=first,
        dependencies=[first, first.id, {"id": first.id, "required": False}],
        params={},
        schemas={},
        retry=3,
        timeout=timedelta(seconds=1.5),
        not_before=datetime.now(UTC),
        join=Join.ANY,
        delivery="at_most_once",
        allow_failure=True,
        hold=True,
        description="",
        metadata={},
        extra={"x-color": "red"},
    )
    tree = TaskTreeNode(first)
    assert_type(tree.add_child(TaskTreeNode(second)), None)
    async with asyncio.TaskGroup() as group:
        group.create_task(watch(manager.events(tree)))
        assert_type(await manager.distribute_task_tree(tree), TaskTreeNode)

    creator = TaskCreator(session)
    array: list[dict[str, Any]] = [{"id": "a", "executor": "noop"}]
    one = await creator.create_task_tree_from_array(array, name="n", defaults={"retry": 1})
    assert_type(one, TaskTreeNode)
    several = await creator.create_task_trees_from_array(array, metadata={}, user_id="me")
    assert_type(several, TaskTrees)
    assert_type(await manager.distribute_task_tree(several, True, on_event=tell), TaskTrees)
    assert_type(await manager.distribute_task_tree(one, on_event=tell_slowly), TaskTreeNode)

    found = await manager.task_repository.get_task_tree(second)
    assert_type(await manager.distribute_task_tree(found), TaskTreeNode | TaskTrees)
    assert_type(await manager.wait(found), TaskStatus)

    assert_type(await manager.wait(one), TaskStatus)
    assert_type(await manager.cancel(first), None)
    assert_type(await manager.cancel(several), None)
    assert_type(await manager.release("tree/second"), None)
    assert_type(await manager.retry("tree/second", wait=False), TaskStatus)
    assert_type(await manager.retry(tree, on_event=tell), TaskStatus)


async def look_through(repository: TaskRepository) -> None:
    task = await repository.get_task_by_id("tree/a")
    assert_type(task, Task)
    page = await repository.list_tasks(status=["failed", TaskStatus.SKIPPED], limit=10)
    assert_type(page, TaskPage)
    assert_type(page[0], Task)
    assert_type(page.next_page, str | None)
    await repository.list_tasks(
        status="failed", tree_id="@", name="a", user_id="me", executor="noop", parent_id="b"
    )
    await repository.list_tasks(after=page.next_page)
    assert_type(await repository.update_task(task, priority=0, timeout=None), Task)
    assert_type(await repository.delete_task("a"), None)
    assert_type(await repository.get_task_tree(task), TaskTreeNode | TaskTrees)
    attempts = await repository.get_attempts(task)
    assert_type(attempts, list[TaskAttempt])
    assert_type(attempts[0].number, int)
    assert_type(attempts[0].start_seq, int)
    assert_type(attempts[0].started_at, datetime)
    assert_type(attempts[0].ended_at, datetime | None)
    assert_type(attempts[0].outcome, str | None)
    assert_type(attempts[0].error, TaskError | None)


def run_from_a_script() -> None:
    try:
        trees = run_array([{"id": "a", "executor": "noop"}], strict_priority=True, places=2)
        assert_type(trees, TaskTrees)
    except InvalidTaskArray as error:
        assert_type(error.errors, tuple[Problem, ...])
        assert_type(error.errors[0].code, ProblemCode)
        assert_type(error.has_more, bool)
    except AmbiguousTask as error:
        assert_type(error.candidates, tuple[str, ...])
        wider: AmbiguousReference = error
        print(wider)
    except ConfigurationError as error:
        assert_type(error.problems, tuple[str, ...])
    except (NotFound, Conflict, StoreInUse, StoreError, SessionClosed) as error:
        base: InboxdError = error
        print(base)
