"""Sessions beside each other, one after the other, in several threads and loops, and their ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import (
    SessionClosed,
    StoreError,
    StoreInUse,
    TaskManager,
    TaskTreeNode,
    TaskTrees,
    create_session,
    executor,
)
from inboxd.api.awaiting import result_of
from inboxd.config.load import settings_of_file
from inboxd.daemon import Daemon
from inboxd.store.acceptance import SMALL_TREE
from inboxd.store.engine import open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from inboxd import Session, Task

#: To wait for what is bound to come.
LIMIT_SECONDS = 30


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    with create_session() as session:
        yield session


async def tree_of(session: Session, name: str = "a", **fields: Any) -> tuple[TaskTreeNode, Task]:
    repository = TaskManager(session).task_repository
    task = await repository.create_task(name=name, **{"executor": "noop"} | fields)
    return TaskTreeNode(task), task


async def run(session: Session, **fields: Any) -> Task:
    tree, task = await tree_of(session, **fields)
    await TaskManager(session).distribute_task_tree(tree)
    return task


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go on until something holds that is bound to."""
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0)


class Gate:
    """Executors of this process that wait until the test lets them go."""

    def __init__(self, name: str) -> None:
        self.begun = threading.Event()
        self.open = threading.Event()

        @executor(name)
        def wait(inputs: Any, context: Any) -> str:
            self.begun.set()
            while not self.open.wait(0.01):
                if context.cancelled:
                    return "cancelled"
            return "through"


# Loops, threads and other sessions ---------------------------------------------------------------


def test_a_session_is_used_by_one_loop_after_the_other(shared: Session) -> None:
    tree, task = asyncio.run(tree_of(shared))
    asyncio.run(TaskManager(shared).distribute_task_tree(tree))

    assert task.status.value == "completed"
    assert asyncio.run(run(shared)).status.value == "completed"


def test_threads_with_loops_of_their_own_use_one_session_at_once(shared: Session) -> None:
    count = 4
    together = threading.Barrier(count)
    ended: list[str] = []

    async def several() -> None:
        together.wait(LIMIT_SECONDS)
        tasks = await asyncio.gather(*(run(shared, name=f"a{number}") for number in range(5)))
        ended.extend(task.status.value for task in tasks)

    threads = [threading.Thread(target=lambda: asyncio.run(several())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_SECONDS)

    assert ended == ["completed"] * 5 * count


def test_sessions_of_one_process_know_nothing_of_each_other(shared: Session) -> None:
    async def both() -> tuple[Task, Task]:
        with create_session(places=1) as other:
            return await asyncio.gather(
                run(shared, id="same", executor="command", inputs={"script": "echo 1"}),
                run(other, id="same", executor="command", inputs={"script": "echo 2"}),
            )

    one, two = asyncio.run(both())

    assert one.result is not None
    assert two.result is not None
    assert (one.result["stdout"], two.result["stdout"]) == ("1\n", "2\n")


def test_a_tree_is_distributed_once_whoever_asks_at_the_same_time(shared: Session) -> None:
    async def twice() -> tuple[object, object]:
        tree, _ = await tree_of(shared)
        manager = TaskManager(shared)
        return await asyncio.gather(
            manager.distribute_task_tree(tree),
            manager.distribute_task_tree(tree),
            return_exceptions=True,
        )

    first, second = asyncio.run(twice())

    assert isinstance(first, TaskTreeNode)
    assert "distributed already" in str(second)


def test_a_loop_that_was_closed_is_no_error_for_who_ends_the_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    future: Future[int] = Future()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(result_of(future))
    loop.run_until_complete(asyncio.sleep(0))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(waiting)
    loop.close()
    future.set_result(1)

    assert future.result() == 1, "cancelling the wait must leave the work alone"
    assert [record for record in caplog.records if record.name == "concurrent.futures"] == []


# A kept store ------------------------------------------------------------------------------------


def test_a_kept_store_is_one_owners_at_a_time_by_whatever_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    (tmp_path / "link.db").symlink_to("x.db")
    daemon = Daemon(
        settings_of_file(
            None,
            overrides={"state.path": str(tmp_path / "daemon"), "store.url": url},
            environ={},
            cwd=tmp_path,
        ),
        is_listed=False,
    )
    with create_session(url):
        with pytest.raises(StoreInUse, match=r"x\.db: this process uses this store"):
            create_session(url)
        with pytest.raises(StoreInUse):
            create_session(f"sqlite:///{tmp_path}/link.db")
        with pytest.raises(StoreInUse) as refused:
            daemon.start()
    beside = {path.name for path in tmp_path.iterdir()} - {"daemon", "link.db"}
    daemon.start()
    try:
        with pytest.raises(StoreInUse):
            create_session(url)
    finally:
        daemon.stop()

    assert refused.value.exit_code == 73
    assert beside == {"x.db", "x.db.lock", "x.db.state"}


def test_what_one_session_finished_the_next_one_has(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    with create_session(url) as session:
        asyncio.run(run(session, id="first"))
    with create_session(url) as session:
        found = asyncio.run(TaskManager(session).task_repository.get_task_by_id("first"))

        assert (found.status.value, found.attempts) == ("completed", 1)


# The end -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["close", "aclose"])
def test_who_waits_is_told_when_the_session_is_closed(way: str) -> None:
    async def main() -> Task:
        session = create_session()
        gate = Gate("sessions.gate")
        tree, task = await tree_of(session, executor="sessions.gate")
        waiting = asyncio.create_task(TaskManager(session).distribute_task_tree(tree))
        await asyncio.to_thread(gate.begun.wait, LIMIT_SECONDS)
        if way == "close":
            session.close()
        else:
            await session.aclose()
        with pytest.raises(SessionClosed, match="while its tree ran"):
            await waiting
        session.close()  # once more does nothing
        with pytest.raises(SessionClosed, match="the session is closed"):
            await run(session)
        return task

    asyncio.run(main())


def test_what_runs_has_the_drain_to_end_by_itself() -> None:
    async def main() -> str:
        gate = Gate("sessions.drained")
        async with create_session(drain_timeout=LIMIT_SECONDS) as session:
            tree, task = await tree_of(session, executor="sessions.drained")
            waiting = asyncio.create_task(TaskManager(session).distribute_task_tree(tree))
            await asyncio.to_thread(gate.begun.wait, LIMIT_SECONDS)
            closing = asyncio.create_task(session.aclose())
            gate.open.set()
            await waiting
            status = task.status.value
            await closing
        return status

    assert asyncio.run(main()) == "completed"


def test_a_session_that_is_forgotten_leaves_no_thread_and_no_directory() -> None:
    before = set(threading.enumerate())

    def forgotten() -> tuple[weakref.ref[object], weakref.ref[object], Path]:
        session = create_session()
        asyncio.run(run(session))
        engine = session._engine
        return weakref.ref(session), weakref.ref(engine), engine.settings.state.path

    session, engine, directory = forgotten()
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(LIMIT_SECONDS)
    gc.collect()

    assert session() is None
    assert set(threading.enumerate()) - before == set()
    assert not directory.exists()
    assert engine() is None


def test_a_library_says_nothing_where_the_program_did_not_ask(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest has handlers of its own, which a program that configures nothing has not.
    monkeypatch.setattr(logging.getLogger("inboxd"), "propagate", False)
    with create_session() as session:
        task = asyncio.run(run(session, executor="command", inputs={"script": "exit 65"}))

    assert task.status.value == "failed"
    assert capfd.readouterr() == ("", "")


# Coming in ---------------------------------------------------------------------------------------


def rows(session: Session) -> tuple[int, int]:
    """How many trees and tasks the store has, those that nobody sees too."""
    reader = open_reader(session._engine.settings.store.url)
    with reader.connect() as connection:
        trees = connection.exec_driver_sql("SELECT count(*) FROM trees").scalar_one()
        tasks = connection.exec_driver_sql("SELECT count(*) FROM tasks").scalar_one()
    reader.dispose()
    return int(trees), int(tasks)


@pytest.mark.parametrize("after", [0, 3])
def test_a_distribute_that_is_cancelled_while_its_tree_comes_in_leaves_nothing(after: int) -> None:
    async def main() -> tuple[tuple[int, int], tuple[int, int]]:
        repository = TaskManager(session).task_repository
        drafts = [
            await repository.create_task(id=f"t{number}", name="noop", dependencies=[])
            for number in range(SMALL_TREE * 2)
        ]
        nodes = TaskTrees([TaskTreeNode(draft) for draft in drafts])
        waiting = asyncio.create_task(TaskManager(session).distribute_task_tree(nodes))
        await until(lambda: rows(session)[1] > after * 500)
        coming = rows(session)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return coming, rows(session)

    with create_session() as session:
        coming, left = asyncio.run(main())

    assert coming[0] == 1
    assert 0 < coming[1] < SMALL_TREE * 2
    assert left == (0, 0)


def test_who_comes_in_when_the_session_closes_is_told() -> None:
    async def main() -> None:
        session = create_session()
        trees = [(await tree_of(session))[0] for _ in range(20)]
        manager = TaskManager(session)
        waiting = [asyncio.create_task(manager.distribute_task_tree(tree)) for tree in trees]
        await asyncio.sleep(0)
        await session.aclose()
        for ended in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(ended, TaskTreeNode | SessionClosed)

    asyncio.run(main())


def test_a_kept_store_that_is_removed_while_it_is_used_is_an_error(tmp_path: Path) -> None:
    with create_session(f"sqlite:///{tmp_path}/x.db") as session:
        assert asyncio.run(run(session, executor="noop")).status == "completed"
        (tmp_path / "x.db").unlink()

        with pytest.raises(StoreError, match="removed or replaced"):
            asyncio.run(run(session, executor="noop"))
