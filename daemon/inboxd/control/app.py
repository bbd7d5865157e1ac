"""The ASGI application: from a request to its answer, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, TypeVar, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from inboxd.control import reads
from inboxd.control.answers import Refused, document, refusal_of
from inboxd.control.asked import asked_of, path_segments
from inboxd.control.health import health
from inboxd.control.routes import Action, route_of
from inboxd.control.steering import priority_of, steer
from inboxd.errors import InboxdError
from inboxd.store.json_documents import encoded, tree_fields
from inboxd.store.result_document import result_document_pieces
from inboxd.task import TERMINAL_STATUSES
from inboxd.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
    from concurrent.futures import Executor
    from queue import SimpleQueue

    from starlette.types import Receive, Scope, Send

    from inboxd.control.asked import Asked
    from inboxd.control.connections import Door
    from inboxd.control.following import Following
    from inboxd.control.parts import Parts
    from inboxd.control.peers import Right
    from inboxd.control.routes import Route
    from inboxd.store.reader import StoreReader

__all__ = ["App"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: A body says a priority; more than this is nothing that we know.
_MOST_BODY_BYTES = 64 * 1024
_BODY_SECONDS = 30.0

#: Longest and usual wait of one request.
_MOST_WAIT_SECONDS = 60
_WAIT_SECONDS = 30


class _Events(StreamingResponse):
    """Events, whose reader is let go at once when the connection is."""

    async def stream_response(self, send: Send) -> None:
        events = cast("AsyncGenerator[bytes]", self.body_iterator)
        async with aclosing(events):
            await super().stream_response(send)


class App:
    """Answers requests on the control socket's event loop; what reads the store, on a pool."""

    def __init__(
        self,
        parts: Parts,
        *,
        pool: Executor,
        readers: SimpleQueue[StoreReader],
        following: Following,
        door: Door,
    ) -> None:
        """
        Args:
            parts: of the daemon.
            pool: runs what reads.
            readers: as many as the pool has threads.
            following: readers of events.
            door: knows how many connections there are.
        """
        self._parts = parts
        self._pool = pool
        self._readers = readers
        self._following = following
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (asgi.readthedocs.io)."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except Refused as refused:
            response = refused.response()
        except InboxdError as error:
            response = refusal_of(error).response()
        except ClientDisconnect:
            return
        except Exception:  # the outer door of a request: a fault of ours
            logger.exception(
                "a request to the control socket failed", extra={"event": "control_failed"}
            )
            response = Refused(500, "a fault of the daemon; its log says more").response()
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        raw_path: bytes = request.scope["raw_path"]
        route, tree, task = route_of(request.method, path_segments(raw_path))
        right: Right = request.scope["state"]["right"]
        if right < route.right:
            raise Refused(
                403,
                "you may look, and not steer",
                hint="[control] operators says who may",
                headers={"connection": "close"},
            )
        body = await _body_of(request)
        asked = asked_of(
            request.scope["query_string"], route.query, tree=tree, task=task, body=body
        )
        fields = asked.fields(route.body)
        if route.method == "POST":
            return document(await self._steer(route, asked, fields))
        return await self._look(request, route.action, asked)

    # Looking -------------------------------------------------------------------------------------

    async def _look(self, request: Request, action: Action, asked: Asked) -> Response:
        parts = self._parts
        now = parts.clock.now_micros()
        match action:
            case Action.VERSION:
                return document(encoded({"format": 1, "version": VERSION, "api": 1}) + b"\n")
            case Action.HEALTH:
                found = await self._read(lambda reader: health(parts, reader))
                response = document(encoded(found) + b"\n")
                response.status_code = 200 if found["status"] == "ok" else 503
                return response
            case Action.METRICS:
                return await self._metrics()
            case Action.TREES:
                return document(await self._read(lambda reader: reads.trees(reader, asked)))
            case Action.TREE:
                return document(await self._read(lambda reader: reads.tree(reader, asked)))
            case Action.TASKS:
                return document(await self._read(lambda reader: reads.tasks(reader, asked, now)))
            case Action.TASK:
                return document(await self._read(lambda reader: reads.task(reader, asked, now)))
            case Action.ATTEMPTS:
                return document(await self._read(lambda reader: reads.attempts(reader, asked)))
            case Action.EXPLAIN:
                return document(
                    await self._read(lambda reader: reads.explained(reader, asked, parts))
                )
            case Action.LOG:
                state = parts.settings.state.path
                return document(await self._read(lambda reader: reads.log(reader, asked, state)))
            case Action.RESULT:
                return await self._result(asked)
            case Action.WAIT:
                return document(await self._wait(asked))
            case Action.EVENTS:
                return await self._events(request, asked)
            case _:
                raise AssertionError(action)  # the others steer

    async def _metrics(self) -> Response:
        from inboxd.control.metrics import CONTENT_TYPE, metrics  # costs memory, when asked for

        text = await self._read(
            lambda reader: metrics(
                self._parts,
                reader,
                connections=self._door.count,
                readers=self._following.readers,
            )
        )
        return Response(text, headers={"content-type": CONTENT_TYPE})

    async def _result(self, asked: Asked) -> Response:
        tree = await self._read(lambda reader: reads.find(reader, asked))

        async def pieces() -> AsyncIterator[bytes]:
            # A thread and a reader are held for each piece alone: who reads slowly keeps nobody.
            reader = self._parts.open_reader()
            try:
                document = result_document_pieces(reader, tree)
                while piece := await self._in_pool(lambda: next(document, b"")):
                    yield piece
            finally:
                reader.close()

        return StreamingResponse(pieces(), media_type="application/json")

    async def _wait(self, asked: Asked) -> bytes:
        seconds = asked.seconds("timeout", _WAIT_SECONDS, most=_MOST_WAIT_SECONDS)
        tree = await self._read(lambda reader: reads.find(reader, asked))
        async with self._following.end_of(tree.id) as ended:
            # Looked at again, since it may have ended before anybody listened.
            found = await self._read(lambda reader: reader.tree(tree.id))
            if found is not None and found.status not in TERMINAL_STATUSES:
                try:
                    async with asyncio.timeout(seconds):
                        await ended.wait()
                except TimeoutError:
                    pass
                found = await self._read(lambda reader: reader.tree(tree.id))
        tree = found or tree
        is_ended = tree.status in TERMINAL_STATUSES
        return encoded({"format": 1, "ended": is_ended, "tree": tree_fields(tree)}) + b"\n"

    async def _events(self, request: Request, asked: Asked) -> Response:
        tree_id: str | None = None
        if reference := asked.query.get("tree"):
            tree_id = (await self._read(lambda reader: reader.find_tree(reference))).id
        last = request.headers.get("last-event-id")
        place: int | None = None
        if last is not None:
            # What is no number of ours is none that we have: the reader is told to begin anew.
            place = int(last) if last.isascii() and last.isdigit() and len(last) <= 19 else -1
        events = self._following.events(tree_id, place)
        return _Events(
            events, media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    # Steering ------------------------------------------------------------------------------------

    async def _steer(self, route: Route, asked: Asked, fields: dict[str, object]) -> bytes:
        tree = task = None
        if route.action is Action.PRIORITY:
            priority_of(fields)  # before anything is looked for
        if asked.task:
            tree, task = await self._read(lambda reader: reads.find_one(reader, asked))
        elif asked.tree:
            tree = await self._read(lambda reader: reads.find(reader, asked))
        return await steer(self._parts.scheduler, route.action, tree, task, fields)

    # The store -----------------------------------------------------------------------------------

    async def _read(self, look: Callable[[StoreReader], T]) -> T:
        """Have something looked up on a thread of the pool, with a reader of its own."""

        def run() -> T:
            with self._reader() as reader:
                return look(reader)

        return await self._in_pool(run)

    async def _in_pool(self, run: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, run)

    @contextmanager
    def _reader(self) -> Generator[StoreReader]:
        reader = self._readers.get()
        try:
            yield reader
        finally:
            self._readers.put(reader)


async def _body_of(request: Request) -> bytes:
    """
    Return the body of a request.

    Raises:
        Refused: it is too long, or does not come.
    """
    too_large = Refused(
        413, f"the body has more than {_MOST_BODY_BYTES} bytes", headers={"connection": "close"}
    )
    length = request.headers.get("content-length", "0")
    if len(length) > 10 or (length.isdigit() and int(length) > _MOST_BODY_BYTES):
        raise too_large
    body = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > _MOST_BODY_BYTES:
                    raise too_large
    except TimeoutError:
        raise Refused(
            400,
            f"the body did not come within {_BODY_SECONDS:.0f} s",
            headers={"connection": "close"},
        ) from None
    return body
