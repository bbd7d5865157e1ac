"""Serving HTTP on the control socket; loaded when the first client connects."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from inboxd.control.app import App
from inboxd.control.connections import Connection, Door
from inboxd.control.following import Following
from inboxd.control.socket import BACKLOG

if TYPE_CHECKING:
    import socket
    from contextlib import ExitStack

    from inboxd.control.parts import Parts
    from inboxd.store.reader import StoreReader

__all__ = ["serve"]

#: Threads that read the store; SQLite and decoding hold the interpreter most of the time, so that
#: more would only take it from the scheduler's thread.
_THREADS = 2

#: Of a request's head; uvicorn's default is 64 KiB.
_MOST_HEAD_BYTES = 32 * 1024
_KEEP_ALIVE_SECONDS = 30
#: What is under way has this long to end when the daemon stops.
_STOP_SECONDS = 1.0


async def serve(parts: Parts, listening: socket.socket, stopped: int, closing: ExitStack) -> None:
    """
    Serve until the descriptor *stopped* can be read.

    Args:
        parts: of the daemon.
        listening: the socket; closed by the caller.
        stopped: a pipe's end.
        closing: what is left to close when the loop has ended.
    """
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="control-read")
    closing.callback(pool.shutdown)
    readers: SimpleQueue[StoreReader] = SimpleQueue()
    for _ in range(_THREADS):
        reader = parts.open_reader()
        closing.callback(reader.close)
        readers.put(reader)
    following = Following(parts.feed, loop)
    door = Door(parts.permissions)
    app = App(parts, pool=pool, readers=readers, following=following, door=door)
    config = Config(
        app,
        lifespan="off",
        ws="none",
        http=Connection,
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        interface="asgi3",
        h11_max_incomplete_event_size=_MOST_HEAD_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    config.load()
    state = ServerState()
    # Not uvicorn's own server: that looks ten times a second whether it is to end.
    server = await loop.create_server(
        lambda: Connection(config, state, door), sock=listening.dup(), backlog=BACKLOG
    )
    end = asyncio.Event()
    loop.add_reader(stopped, end.set)
    try:
        await end.wait()
    finally:
        loop.remove_reader(stopped)
        server.close()
        following.close()
        await _end(state)


async def _end(state: ServerState) -> None:
    """Let what is under way end, then end it."""
    tasks = set(state.tasks)
    if tasks:
        await asyncio.wait(tasks, timeout=_STOP_SECONDS)
    for connection in list(state.connections):
        cast("Connection", connection).shutdown()
    await asyncio.sleep(0)  # closing is done by the loop
    for task in set(state.tasks):
        task.cancel()
    if state.tasks:
        await asyncio.wait(set(state.tasks), timeout=_STOP_SECONDS)
