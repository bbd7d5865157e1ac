"""The executor `http`: one request, its redirects, and its answer as the result."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from inboxd.errors import NoRetry
from inboxd.plugins.protocol import InputProblem, Isolation
from inboxd_http.credentials import Credentials, read_credentials
from inboxd_http.errors import RequestFailed
from inboxd_http.inputs import input_problems, read_request
from inboxd_http.schema import INPUTS_SCHEMA
from inboxd_http.settings import HttpSettings, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inboxd.plugins.protocol import TaskContext
    from inboxd_http.client import Client

__all__ = ["Http"]


class Http:
    """Makes HTTP requests."""

    name = "http"
    description = "Makes an HTTP request; its answer is the result."
    inputs_schema: Mapping[str, Any] | None = INPUTS_SCHEMA
    isolation: str = Isolation.ASYNC
    example: Mapping[str, Any] = {"url": "https://example.org/report", "query": {"day": "today"}}

    def __init__(
        self, *, lookup: Callable[..., list[tuple[Any, ...]]] = socket.getaddrinfo
    ) -> None:
        """*lookup* gives the addresses of a name."""
        self._settings = HttpSettings()
        self._lookup = lookup
        self._client: Client | None = None
        #: How many requests may still begin, on each event loop.
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )

    def configure(self, options: Mapping[str, Any]) -> None:
        """
        Take `[executors.http]`.

        Raises:
            ValueError: a setting cannot be used; the text names it and says what is wanted.
        """
        self._settings = read_settings(options)
        self._client = None

    def input_problems(self, inputs: dict[str, Any]) -> list[InputProblem]:
        """Return what is wrong with inputs that fit the schema: all of it, in order."""
        return input_problems(inputs, self._settings)

    async def execute(self, inputs: dict[str, Any], context: TaskContext) -> dict[str, Any]:
        """
        Make the request and return `status`, `url`, `headers`, the body and `bytes`.

        Raises:
            NoRetry: another attempt would fail as well.
            RetryLater: the server says when to come again.
            RequestFailed: it failed, and another attempt may not.
        """
        problems = self.input_problems(inputs)
        if problems:
            first = problems[0]
            where = "/".join(map(str, ("inputs", *first.path)))
            raise NoRetry(f"{where}: {first.message}")
        request = read_request(inputs, self._settings)
        credentials = Credentials()
        if request.auth:
            credentials = await asyncio.to_thread(self._credentials, request.auth, context)
        client = await self._made_client()
        async with self._gate():
            limit = asyncio.timeout(request.timeout_seconds)
            try:
                async with limit:
                    return await client.fetch(
                        request,
                        credentials=credentials,
                        idempotency_key=context.idempotency_key,
                        directory=lambda: context.directory,
                    )
            except TimeoutError:
                if not limit.expired():
                    raise
                raise RequestFailed(
                    f"no whole answer within the {request.timeout_seconds:g} s of the"
                    " request's timeout"
                ) from None

    async def _made_client(self) -> Client:
        if self._client is None:
            # On a thread: the import of the client takes a quarter of a second.
            module = await asyncio.to_thread(importlib.import_module, "inboxd_http.client")
            client: Client = module.Client(self._settings, lookup=self._lookup)
            self._client = client
        return self._client

    def _credentials(self, auth: Mapping[str, Any], context: TaskContext) -> Credentials:
        named = [secret for secret in _secrets(auth) if "result_of" in secret]
        return read_credentials(
            auth,
            self._settings,
            environ=os.environ,
            results=context.dependencies if named else {},
        )

    def _gate(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        gate = self._gates.get(loop)
        if gate is None:
            gate = self._gates[loop] = asyncio.Semaphore(self._settings.connections)
        return gate


def _secrets(auth: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Return where the secrets of `auth` are."""
    if "basic" in auth:
        return [auth["basic"]["password"]]
    return [auth["bearer"]] if "bearer" in auth else list(auth.get("header", {}).values())
