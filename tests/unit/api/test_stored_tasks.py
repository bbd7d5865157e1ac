"""Tasks whose trees were distributed: found, listed, changed, and known whole pages at a time."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from sqlalchemy import event

from inboxd import (
    AmbiguousTask,
    Conflict,
    InvalidTaskArray,
    NoRetry,
    NotFound,
    Task,
    TaskContext,
    TaskCreator,
    TaskManager,
    TaskStatus,
    TaskTreeNode,
    TaskTrees,
    create_session,
    executor,
)
from inboxd.errors import StoreError
from inboxd.task import Delivery, Join, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inboxd import Session
    from inboxd.api.repository import TaskRepository
    from inboxd.store.reader import StoreReader


@executor("repository_echo")
async def echo(inputs: dict[str, Any], context: TaskContext) -> Any:
    """Return the inputs; fail when they say so."""
    if "fail" in inputs:
        raise NoRetry(inputs["fail"])
    return inputs


@executor("repository_fail_once")
async def fail_once(inputs: dict[str, Any], context: TaskContext) -> str:
    """Fail the first attempt."""
    if context.attempt == 1:
        raise ValueError("the first")
    return "the second"


class Gate:
    """Attempts of `repository_gate` that say how far they are, then wait until it opens."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()


gates: dict[str, Gate] = {}


@executor("repository_gate")
def pass_gate(inputs: dict[str, Any], context: TaskContext) -> None:
    """Wait in a thread."""
    context.progress(0.25, "waiting")
    gate = gates[inputs["gate"]]
    gate.entered.set()
    gate.opened.wait(30)


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Iterator[Gate]:
    """One that opens at the end at the latest."""
    made = gates[request.node.name] = Gate()
    yield made
    made.opened.set()
    del gates[request.node.name]


def repository(session: Session) -> TaskRepository:
    """Return the repository of a session."""
    return TaskManager(session).task_repository


def run(session: Session, array: list[dict[str, Any]], **keywords: Any) -> TaskTrees:
    """Run an array to its end."""

    async def distribute() -> TaskTrees:
        trees = await TaskCreator(session).create_task_trees_from_array(array, **keywords)
        return await TaskManager(session).distribute_task_tree(trees)

    return asyncio.run(distribute())


def reader_of(session: Session) -> StoreReader:
    """Return what the session reads its store by."""
    return session.stored._reader


def statements(session: Session, do: Any) -> int:
    """Return how many queries the session's reader makes meanwhile."""
    count = 0

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal count
        count += statement.startswith("SELECT")

    engine = reader_of(session)._engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        do()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return count


def test_a_handle_equals_itself_before_and_after(session: Session) -> None:
    tasks = repository(session)
    draft = asyncio.run(tasks.create_task(name="a", executor="noop"))
    held = {draft: "mine"}

    asyncio.run(TaskManager(session).distribute_task_tree(TaskTreeNode(draft)))

    found = asyncio.run(tasks.get_task_by_id(draft.id))
    listed = asyncio.run(tasks.list_tasks())
    tree = asyncio.run(tasks.get_task_tree(str(draft.tree_id)))
    assert isinstance(tree, TaskTreeNode)
    assert found == draft == listed[0] == tree.task
    assert [held[task] for task in (found, listed[0], tree.task)] == ["mine"] * 3
    assert not draft.is_draft


def test_an_entry_that_nobody_holds_is_gone(session: Session) -> None:
    run(session, [{"id": f"t{number}", "executor": "noop"} for number in range(10)])
    gc.collect()

    assert len(session.stored._entries) == 0


def test_a_task_of_a_kept_store_shows_every_field(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    array: list[dict[str, Any]] = [
        {"id": "top", "executor": "noop"},
        {
            "id": "t", "name": "count", "executor": "repository_echo", "parent_id": "top",
            "dependencies": ["top", {"id": "top", "on": "end"}], "priority": 0, "join": "any",
            "allow_failure": True, "inputs": {"n": 1}, "params": {"k": 2},
            "schemas": {"input_schema": {"type": "object"}}, "retry": {"limit": 2, "delay": 0.5},
            "timeout": "2m", "not_before": "2026-01-01T10:00:00+01:00",
            "delivery": "at_most_once", "description": "counts", "metadata": {"m": [1]},
            "user_id": "me", "x-owner": "you",
        },
    ]  # fmt: skip
    with create_session(url) as session:
        mine = run(session, array).find("t")
        assert mine is not None
        before = shown(mine.task)
    assert shown(mine.task) == before, "a closed session shows what was known at the end"
    with create_session(url) as session:
        found = asyncio.run(repository(session).get_task_by_id("t"))
        assert shown(found) == before
    assert shown(found) == before

    assert before["dependencies"] == [
        {"id": "top", "on": "success"}, {"id": "top", "on": "end"}
    ]  # fmt: skip
    assert before["retry"] == RetryPolicy(limit=2, delay_seconds=0.5)
    assert (before["join"], before["delivery"]) == (Join.ANY, Delivery.AT_MOST_ONCE)
    assert (before["timeout"], before["parent_id"], before["progress"]) == (120.0, "top", 1.0)
    assert (before["result"], before["extra"]) == ({"n": 1}, {"x-owner": "you"})
    assert before["not_before"].isoformat() == "2026-01-01T09:00:00+00:00"


def shown(task: Task) -> dict[str, Any]:
    """Return all attributes of a task but for when it was made, which a draft knows better."""
    names = [name for name, value in vars(Task).items() if isinstance(value, property)]
    return {name: getattr(task, name) for name in names if name != "created_at"}


def test_a_long_result_is_known_after_the_end() -> None:
    long = "x" * 100_000
    with create_session() as session:
        trees = run(session, [{"id": "t", "executor": "repository_echo", "inputs": {"a": long}}])
    assert trees[0].task.result == {"a": long}


def test_a_session_is_closed_though_its_store_cannot_be_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = create_session()
    task = run(session, [{"id": "t", "executor": "noop"}])[0].task
    reader_of(session).transaction = unreadable  # type: ignore[method-assign]

    session.close()

    assert session.is_closed
    assert task.status is TaskStatus.COMPLETED
    assert "handles show what was known before: the disk is gone" in caplog.text


def unreadable() -> NoReturn:
    """Fail as a reader does."""
    raise StoreError("the disk is gone")


def test_a_whole_tree_is_known_by_pages_and_not_by_tasks(session: Session) -> None:
    """5,000 tasks are three pages; a query more for each task would show as thousands."""
    array = [{"id": f"t{number}", "executor": "noop"} for number in range(5_000)]
    trees = run(session, array)

    def read() -> None:
        session.refresh([task._entry for task in trees.tasks()])
        for task in trees.tasks():
            assert (task.status, task.result, task.error) == (TaskStatus.COMPLETED, None, None)
            assert (task.attempts, task.ended_at is not None) == (1, True)

    assert statements(session, read) == 3


def test_attempts_are_told_in_their_order(session: Session) -> None:
    task = run(
        session,
        [{"id": "t", "executor": "repository_fail_once", "retry": {"limit": 1, "delay": 0}}],
    )[0].task

    first, second = asyncio.run(repository(session).get_attempts(task))

    assert (first.number, first.outcome) == (1, "exception")
    assert first.error is not None
    assert "the first" in first.error.message
    assert (second.number, second.outcome, second.error) == (2, "completed", None)
    assert first.start_seq < second.start_seq == task.start_seq
    assert first.ended_at is not None
    assert first.started_at <= first.ended_at <= second.started_at
    assert second.ended_at == task.ended_at


def test_an_id_of_several_trees_is_ambiguous(session: Session) -> None:
    tasks = repository(session)
    first, second = (run(session, [{"id": "t", "executor": "noop"}])[0].task for _ in range(2))

    with pytest.raises(AmbiguousTask) as error:
        asyncio.run(tasks.get_task_by_id("t"))
    assert error.value.candidates == (f"{first.tree_id}/t", f"{second.tree_id}/t")
    for task, candidate in zip((first, second), error.value.candidates, strict=True):
        assert asyncio.run(tasks.get_task_by_id(candidate)) == task
    assert asyncio.run(tasks.get_task_by_id("@/t")) == second
    short = str(first.tree_id)[-8:]
    assert asyncio.run(tasks.get_task_by_id(f"{short}/t")) == first


def test_an_id_of_a_draft_and_a_tree_is_ambiguous(session: Session) -> None:
    tasks = repository(session)
    stored = run(session, [{"id": "t", "executor": "noop"}])[0].task
    asyncio.run(tasks.create_task(id="t"))

    with pytest.raises(AmbiguousTask) as error:
        asyncio.run(tasks.get_task_by_id("t"))
    assert error.value.candidates == (f"{stored.tree_id}/t", "t")


def test_what_is_not_there_is_not_found(session: Session) -> None:
    tasks = repository(session)
    run(session, [{"id": "fetch_data", "executor": "noop"}], name="nightly")

    for wrong in ("fetch_date", "nightly/fetch_date"):
        with pytest.raises(NotFound, match='did you mean "fetch_data"'):
            asyncio.run(tasks.get_task_by_id(wrong))
    with pytest.raises(NotFound, match='did you mean "nightly"'):
        asyncio.run(tasks.get_task_by_id("nigthly/fetch_data"))
    for odd in ("\ud800", "@/\ud800", "", "/"):
        with pytest.raises(NotFound):
            asyncio.run(tasks.get_task_by_id(odd))


def test_tasks_are_listed_by_what_they_are(session: Session) -> None:
    tasks = repository(session)
    first = run(
        session,
        [
            {"id": "a", "executor": "noop", "user_id": "u1"},
            {"id": "b", "name": "B", "executor": "repository_echo", "parent_id": "a"},
            {"id": "c", "executor": "repository_echo", "inputs": {"fail": "!"}, "user_id": "u2"},
            {"id": "d", "executor": "noop", "dependencies": ["c"], "parent_id": "b"},
        ],
        name="first",
    )
    run(session, [{"id": "a", "executor": "noop", "user_id": "u2"}])
    asyncio.run(tasks.create_task(id="draft", name="B", user_id="u2", executor="noop"))

    def listed(**filters: Any) -> list[str]:
        return [task.id for task in asyncio.run(tasks.list_tasks(**filters))]

    assert listed() == ["a", "b", "c", "d", "a", "draft"]
    assert listed(tree_id=first[0].task.tree_id) == ["a", "b", "c", "d"]
    assert listed(tree_id="first", user_id="u2") == ["c"]
    assert listed(status="failed") == ["c"]
    assert listed(status=[TaskStatus.FAILED, "skipped"]) == ["c", "d"]
    assert listed(status="pending") == ["draft"]
    assert listed(name="B") == ["b", "draft"]
    assert listed(name="a") == ["a", "a"]
    assert listed(name="b") == [], "that is its id, and it has another name"
    assert listed(user_id="u2") == ["c", "a", "draft"]
    assert listed(executor="repository_echo") == ["b", "c"]
    assert listed(parent_id="b") == ["d"]
    assert listed(parent_id="a", status="completed", executor="repository_echo") == ["b"]
    with pytest.raises(NotFound):
        listed(tree_id="second")
    with pytest.raises(ValueError, match="done"):
        listed(status="done")
    with pytest.raises(ValueError, match="limit is 0"):
        listed(limit=0)
    with pytest.raises(ValueError, match="where a page ends"):
        listed(after="a")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_together_are_the_list(paged: Session, limit: int) -> None:
    tasks = repository(paged)
    whole = asyncio.run(tasks.list_tasks())

    pages: list[list[Task]] = []
    after = None
    while True:
        page = asyncio.run(tasks.list_tasks(limit=limit, after=after))
        pages.append(page)
        after = page.next_page
        if after is None:
            break

    assert [task for page in pages for task in page] == whole
    assert all(len(page) == limit for page in pages[:-1])
    assert len(pages) == -(-len(whole) // limit)


@pytest.fixture(scope="module")
def paged() -> Iterator[Session]:
    """Two trees of two tasks, and three drafts."""
    with create_session() as session:
        for _ in range(2):
            run(session, [{"id": "a", "executor": "noop"}, {"id": "b", "executor": "noop"}])
        for number in range(3):
            asyncio.run(repository(session).create_task(id=f"draft{number}"))
        yield session


def test_a_draft_that_is_distributed_between_two_pages_is_not_left_out(session: Session) -> None:
    tasks = repository(session)
    drafts = [
        asyncio.run(tasks.create_task(id=f"t{number}", executor="noop")) for number in range(4)
    ]
    first = asyncio.run(tasks.list_tasks(limit=2))
    asyncio.run(TaskManager(session).distribute_task_tree(TaskTreeNode(drafts[3])))

    second = asyncio.run(tasks.list_tasks(limit=2, after=first.next_page))

    assert {*first, *second} == set(drafts)


def test_a_tree_of_the_store_comes_with_all_its_tasks(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    array = [
        {"id": "c", "executor": "noop", "parent_id": "a"},
        {"id": "a", "executor": "noop"},
        {"id": "b", "executor": "noop", "parent_id": "a"},
        {"id": "z", "executor": "noop"},
    ]
    with create_session(url) as session:
        ran = run(session, array, name="nightly", user_id="me", metadata={"m": 1})
    with create_session(url) as session:
        tasks = repository(session)
        tree_id = str(ran[0].task.tree_id)
        for meant in ("b", tree_id, f"{tree_id}/b", "nightly"):
            tree = asyncio.run(tasks.get_task_tree(meant))
            assert isinstance(tree, TaskTrees)
            assert [node.task.id for node in tree] == ["a", "z"]
            assert [node.task.id for node in tree[0].children] == ["c", "b"]
            assert (tree.label.name, tree.label.user_id) == ("nightly", "me")
            assert tree.label.metadata == {"m": 1}
            assert tree.to_array() == ran.to_array()
            assert tree.calculate_status() is TaskStatus.COMPLETED
        with pytest.raises(NotFound, match='no task "nobody"'):
            asyncio.run(tasks.get_task_tree("nobody"))


def test_what_waits_in_a_tree_may_change_what_does_no_harm(
    session: Session, gate: Gate, request: pytest.FixtureRequest
) -> None:
    tasks = repository(session)
    array: list[dict[str, Any]] = [
        {"id": "gate", "executor": "repository_gate", "inputs": {"gate": request.node.name}},
        {"id": "w", "executor": "noop", "dependencies": ["gate"], "description": "old"},
        {"id": "bare", "executor": "noop", "dependencies": ["gate"]},
    ]

    async def change() -> None:
        trees = await TaskCreator(session).create_task_trees_from_array(array)
        running = asyncio.create_task(TaskManager(session).distribute_task_tree(trees))
        await asyncio.to_thread(gate.entered.wait, 30)
        busy, waiting, bare = trees.tasks()
        assert (busy.progress, waiting.progress) == (0.25, None)
        assert [one.outcome for one in await tasks.get_attempts("gate")] == [None]

        await tasks.update_task(
            waiting, priority=7, description=None, metadata={"m": 1}, user_id="me"
        )
        await tasks.update_task("bare", description="new")

        assert (waiting.priority, waiting.description) == (7, None)
        assert (waiting.metadata, waiting.user_id) == ({"m": 1}, "me")
        assert (bare.description, bare.priority) == ("new", 2)
        with pytest.raises(InvalidTaskArray, match="/priority"):
            await tasks.update_task(waiting, priority=1000)
        with pytest.raises(Conflict, match="inputs, name, extra cannot change"):
            await tasks.update_task(waiting, inputs={}, name="x", extra={}, user_id="you")
        with pytest.raises(Conflict, match="gate is in_progress"):
            await tasks.update_task(busy, description="late")
        with pytest.raises(Conflict, match="was distributed"):
            await tasks.delete_task(waiting)
        assert waiting.user_id == "me"
        gate.opened.set()
        await running
        with pytest.raises(Conflict, match="w is completed"):
            await tasks.update_task(waiting, priority=1)

    asyncio.run(change())
    assert [task.id for task in asyncio.run(tasks.list_tasks(user_id="me"))] == ["w"]


def test_a_task_that_started_meanwhile_is_not_changed(session: Session) -> None:
    """The row decides, and not what was read before."""
    task = run(session, [{"id": "t", "executor": "noop"}])[0].task
    place = task._entry.place
    assert place is not None

    with pytest.raises(Conflict, match="t is completed"):
        asyncio.run(session.stored.change_labels(place, {"description": "late"}, only_pending=True))
    assert task.description is None
