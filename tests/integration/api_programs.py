"""Programs that use a session in ways that only a process of its own can show."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import inboxd
from inboxd import Session, Task, TaskManager, TaskTreeNode, create_session

#: Kept here so that nothing forgets it before the interpreter ends.
KEPT: list[Session] = []


async def run(session: Session, **fields: Any) -> Task:
    manager = TaskManager(session)
    task = await manager.task_repository.create_task(name="a", **{"executor": "noop"} | fields)
    await manager.distribute_task_tree(TaskTreeNode(task))
    return task


def opened(*arguments: Any, **settings: Any) -> Session:
    session = create_session(*arguments, **settings)
    KEPT.append(session)
    return session


def exit_while_it_is_open() -> None:
    print(asyncio.run(run(opened())).status)
    sys.exit(3)


def raise_while_it_is_open() -> None:
    opened()
    raise LookupError("its own")


def interrupt_a_command() -> None:
    """Ctrl-C while a command runs, and nothing is closed."""
    session = opened()

    async def interrupted() -> None:
        ended = asyncio.create_task(run(session, executor="command", inputs=_long()))
        await asyncio.to_thread(_alive, 1)
        os.kill(os.getpid(), signal.SIGINT)
        await ended

    try:
        asyncio.run(interrupted())
    except KeyboardInterrupt:
        print("interrupted")


def fork_and_go_on() -> None:
    """Children of both kinds: one that would go on with the session, and one with its own."""
    session = opened()
    asyncio.run(run(session))
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(run(session))
        except inboxd.SessionClosed as error:
            print(error, flush=True)
        sys.exit(4)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)

    def own() -> None:
        print(asyncio.run(run(opened())).status, flush=True)

    process = multiprocessing.get_context("fork").Process(target=own)
    process.start()
    process.join()
    print(process.exitcode, asyncio.run(run(session)).status)


def be_killed() -> None:
    """In the middle of a command of a private session, and of a tree of a kept one."""
    url = sys.argv[2]
    private, kept = opened(), opened(url, places=1)

    async def main() -> None:
        manager = TaskManager(kept)
        create = manager.task_repository.create_task
        command: dict[str, Any] = {"executor": "command", "inputs": _long()}
        first = await create(id="first", name="first", **command)
        second = await create(id="second", name="second", executor="noop", dependencies=["first"])
        # There is no place for it.
        third = await create(id="third", name="third", executor="command", inputs=_short())
        tree = TaskTreeNode(first)
        tree.add_child(TaskTreeNode(second))
        tree.add_child(TaskTreeNode(third))
        both = asyncio.gather(run(private, **command), manager.distribute_task_tree(tree))
        print(*await asyncio.to_thread(_alive, 2), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        await both

    asyncio.run(main())


def _alive(count: int) -> list[int]:
    """Wait until so many commands run; return their pids."""
    while True:
        # A private session's directory, and that of a kept store beside.
        found = list(Path(os.environ["TMPDIR"]).parent.glob("*/*/trees/*/alive"))
        if len(found) == count:
            return [int(path.read_text()) for path in found]
        time.sleep(0.01)


def _long() -> dict[str, Any]:
    """A command that says that it runs, and runs on unless it was cut once."""
    script = "test ! -e alive || exit 0; echo $$ >new; mv new alive; exec sleep 300"
    return {"script": script}


def _short() -> dict[str, Any]:
    return {"argv": ["true"]}


if __name__ == "__main__":
    globals()[sys.argv[1]]()
