"""
Requests by aiohttp: the one module that knows it, but for `connecting` and `reasons`.

Every request gets a connection of its own, and every redirect is a request like the first: so every
address is checked, and a connection that a server closed while it was idle fails nothing.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import aiohttp
from aiohttp.payload import BytesIOPayload
from multidict import CIMultiDict
from yarl import URL

from inboxd.errors import NoRetry, RetryLater
from inboxd.names import escaped
from inboxd_http.bodies import ACCEPTED_ENCODINGS, BodyError, Decoder
from inboxd_http.connecting import Doorkeeper, Lookup, Resolver
from inboxd_http.errors import RequestFailed
from inboxd_http.reasons import reason_of
from inboxd_http.results import body_entry, header_table, text_of
from inboxd_http.saving import SavedBody
from inboxd_http.targets import matches, plain_host, target_problem
from inboxd_http.verdict import REDIRECTS, method_after, retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path, PurePosixPath

    from inboxd_http.credentials import Credentials
    from inboxd_http.inputs import Request
    from inboxd_http.settings import HttpSettings

__all__ = ["Client"]

#: Of a body that goes with an unexpected status, this much is looked at (and what a secret may be
#: long, so that none is cut before it is hidden).
_EXCERPT_BYTES = 2048
_EXCERPT_CHARACTERS = 200
_ADDRESS_CHARACTERS = 200
_REASON_CHARACTERS = 300
#: aiohttp warns of larger bodies that are given as bytes.
_LARGE_BODY = 1024 * 1024
#: A saved body goes to a thread in pieces of about this size.
_WRITE_BYTES = 1024 * 1024
#: What an answer's headers may take: lines of this length, so many of them.
_MOST_HEADER_BYTES = 8190
_MOST_HEADERS = 128
#: The task's own headers that go to the first origin only, as the credentials do.
_ORIGIN_HEADERS = frozenset({"cookie", "authorization"})
_BODY_HEADERS = frozenset({"content-type", "content-encoding", "content-language"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hop:
    """One request on the way along the redirects."""

    method: str
    url: URL
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    credentials: tuple[tuple[str, str], ...]
    #: For messages: the method and the URL, without what is secret.
    shown: str


class Client:
    """Makes requests within the settings; holds nothing open between them."""

    def __init__(self, settings: HttpSettings, *, lookup: Lookup) -> None:
        """
        Args:
            settings: `[executors.http]`.
            lookup: `socket.getaddrinfo`, or what stands for it.
        """
        self._settings = settings
        self._resolver = Resolver(lookup)
        self._tls: ssl.SSLContext | None = None

    async def fetch(
        self,
        request: Request,
        *,
        credentials: Credentials,
        idempotency_key: str,
        directory: Callable[[], Path],
    ) -> dict[str, Any]:
        """
        Make a request, follow its redirects, and return the result of the task.

        Args:
            request: what the task asks for.
            credentials: for the origin of the URL.
            idempotency_key: sent with a method that changes something.
            directory: gives the tree's directory; called for `save_to`.

        Raises:
            NoRetry: another attempt would fail as well.
            RetryLater: the server says when to come again.
            RequestFailed: it failed, and another attempt may not.
        """
        hop = self._first(request, credentials, idempotency_key)
        for followed in range(request.redirects + 1):
            self._refuse_target(hop, credentials)
            async with self._answer(hop, credentials) as answer:
                is_redirect = answer.status in REDIRECTS and "Location" in answer.headers
                if not is_redirect or answer.status in request.expect or not request.redirects:
                    return await self._result(request, hop, answer, credentials, directory)
                if followed < request.redirects:
                    location = answer.headers["Location"]
                    hop = _next_hop(hop, answer.status, location, credentials)
        raise NoRetry(f"{hop.shown}: more than {request.redirects} redirects")

    def _first(self, request: Request, credentials: Credentials, idempotency_key: str) -> _Hop:
        headers = list(request.headers)
        names = {name.lower() for name, _ in headers}
        if request.method not in ("GET", "HEAD", "OPTIONS") and "idempotency-key" not in names:
            headers.append(("Idempotency-Key", idempotency_key))
        if "user-agent" not in names:
            headers.append(("User-Agent", self._settings.user_agent))
        if "accept" not in names:
            headers.append(("Accept", "*/*"))
        try:
            url = URL(request.url).with_fragment(None)
            if request.query:
                url = url.extend_query(request.query)
        except ValueError as error:
            raise NoRetry(f"url: this is no URL: {credentials.hidden(str(error))}") from None
        return _Hop(
            method=request.method,
            url=url,
            headers=tuple(headers),
            body=request.body,
            credentials=credentials.headers,
            shown=_shown(request.method, url, credentials),
        )

    def _refuse_target(self, hop: _Hop, credentials: Credentials) -> None:
        """
        Refuse a URL that no request may go to, by its words.

        Raises:
            NoRetry: it is one.
        """
        problem = target_problem(hop.url.scheme, hop.url.raw_host or "", self._settings)
        if problem is not None:
            text = credentials.hidden(f"{problem[0]}; {problem[1]}")
            raise NoRetry(f"{hop.shown}: {text}")
        try:
            _ = hop.url.host  # decoded, which a name may not stand
        except ValueError:
            raise NoRetry(
                f"{hop.shown}: the host is no international name; write it in its own script"
            ) from None

    @asynccontextmanager
    async def _answer(
        self, hop: _Hop, credentials: Credentials
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Make one request on a connection of its own, which is closed at the end."""
        doorkeeper = Doorkeeper(
            policy=self._settings.addresses,
            is_allowed_name=matches(hop.url.raw_host or "", self._settings.allowed_names),
        )
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,
            socket_factory=doorkeeper.socket,
            ssl=await self._tls_context() if hop.url.scheme == "https" else True,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            trust_env=False,
            max_line_size=_MOST_HEADER_BYTES,
            max_field_size=_MOST_HEADER_BYTES,
            max_headers=_MOST_HEADERS,
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
        )
        headers = CIMultiDict(hop.headers)
        headers["Accept-Encoding"] = ACCEPTED_ENCODINGS
        for name, value in hop.credentials:
            headers[name] = value
        try:
            async with (
                session,
                session.request(
                    hop.method,
                    hop.url,
                    headers=headers,
                    data=_payload(hop.body),
                    allow_redirects=False,
                ) as answer,
            ):
                yield answer
        except (aiohttp.ClientError, OSError, BodyError) as error:
            if isinstance(error, TimeoutError) and not str(error):
                raise  # the request's own time limit, or the task's
            reason = _reason(error, credentials)
            if doorkeeper.refused and not doorkeeper.has_tried:
                address, kind = doorkeeper.refused[0]
                raise NoRetry(
                    f"{hop.shown}: {address} is {kind}, and so not asked; an operator allows it"
                    " by allow_hosts in [executors.http]"
                ) from None
            raise RequestFailed(f"{hop.shown}: {reason}") from None
        except ValueError as error:
            raise NoRetry(f"{hop.shown}: {_reason(error, credentials)}") from None

    async def _tls_context(self) -> ssl.SSLContext:
        """Return what TLS is done with; made once, on a thread: it reads the system's files."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(_tls_context, self._settings.ca_file)
        return self._tls

    async def _result(
        self,
        request: Request,
        hop: _Hop,
        answer: aiohttp.ClientResponse,
        credentials: Credentials,
        directory: Callable[[], Path],
    ) -> dict[str, Any]:
        """Return the result that an answer gives, or raise what its status says."""
        if answer.status not in request.expect:
            await self._fail(request, hop, answer, credentials)
        head: dict[str, Any] = {
            "status": answer.status,
            "url": str(answer.url),
            "headers": header_table(answer.headers.items()),
        }
        decoder = Decoder(answer.headers.get("Content-Encoding", ""), max_bytes=request.max_bytes)
        if request.save_to is not None:
            digest = await _save(answer, decoder, directory(), request.save_to)
            result = {**head, "saved_to": str(request.save_to), "sha256": digest}
        else:
            data = bytearray()
            async for piece in answer.content.iter_any():
                for decoded in decoder.feed(piece):
                    data += decoded
            decoder.end()
            name, value = body_entry(
                bytes(data),
                response=request.response,
                media_type=answer.content_type.lower(),
                charset=answer.charset,
                hide=credentials.hidden_bytes,
            )
            result = {**head, name: value}
        result["bytes"] = decoder.size
        hidden: dict[str, Any] = credentials.hidden_in(result)
        return hidden

    async def _fail(
        self,
        request: Request,
        hop: _Hop,
        answer: aiohttp.ClientResponse,
        credentials: Credentials,
    ) -> NoReturn:
        """
        Say what an unexpected status means.

        Raises:
            RetryLater, RequestFailed, NoRetry: always one of them.
        """
        reason = credentials.hidden(answer.reason or "")[:_EXCERPT_CHARACTERS]
        text = f"{hop.shown}: {answer.status} {reason}".rstrip()
        excerpt = await _excerpt(answer, credentials)
        if excerpt:
            text = f"{text}: {excerpt}"
        if answer.status not in request.retry_statuses:
            raise NoRetry(text)
        wait = retry_after_seconds(
            answer.headers.get("Retry-After"),
            now=datetime.now(UTC),
            most=self._settings.max_retry_after,
        )
        if wait is not None:
            raise RetryLater(wait, text)
        raise RequestFailed(text)


def _next_hop(hop: _Hop, status: int, location: str, credentials: Credentials) -> _Hop:
    """
    Return the request that a redirect asks for.

    Raises:
        NoRetry: it leads nowhere, or from https to http.
    """
    try:
        url = hop.url.join(URL(location)).with_fragment(None)
        host = url.raw_host or ""
    except ValueError as error:
        raise NoRetry(
            f"{hop.shown}: a redirect to what is no URL: {credentials.hidden(str(error))[:100]}"
        ) from None
    if hop.url.scheme == "https" and url.scheme == "http":
        raise NoRetry(f"{hop.shown}: a redirect from https to http, which is not followed")
    if url.raw_user is not None or url.raw_password is not None:
        raise NoRetry(f"{hop.shown}: a redirect to a URL with a user in it")
    headers = hop.headers
    is_same = (url.scheme, plain_host(host), url.port) == (
        hop.url.scheme,
        plain_host(hop.url.raw_host or ""),
        hop.url.port,
    )
    if not is_same:
        headers = _without(headers, _ORIGIN_HEADERS)
    method = method_after(status, hop.method)
    if method != hop.method:
        headers = _without(headers, _BODY_HEADERS | {"idempotency-key"})
    return replace(
        hop,
        method=method,
        url=url,
        headers=headers,
        body=hop.body if method == hop.method else None,
        credentials=hop.credentials if is_same else (),
        shown=_shown(method, url, credentials),
    )


def _without(
    headers: tuple[tuple[str, str], ...], names: frozenset[str]
) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers if name.lower() not in names)


def _payload(body: bytes | None) -> Any:
    if body is not None and len(body) > _LARGE_BODY:
        return BytesIOPayload(io.BytesIO(body))
    return body


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise RequestFailed(
                f"ca_file {escaped(ca_file)} cannot be used: {reason_of(error)}"
            ) from None
    return context


async def _save(
    answer: aiohttp.ClientResponse, decoder: Decoder, directory: Path, name: PurePosixPath
) -> str:
    """Write a body to a file; return the SHA-256 of what was written."""
    waiting = bytearray()
    with SavedBody(directory, name) as saved:
        async for piece in answer.content.iter_any():
            for decoded in decoder.feed(piece):
                waiting += decoded
            if len(waiting) >= _WRITE_BYTES:
                full, waiting = waiting, bytearray()
                await asyncio.to_thread(saved.write, bytes(full))
        decoder.end()
        await asyncio.to_thread(saved.write, bytes(waiting))
        return await asyncio.to_thread(saved.keep)


async def _excerpt(answer: aiohttp.ClientResponse, credentials: Credentials) -> str:
    """Return the beginning of a body in one line, if it is text; for messages."""
    longest = credentials.longest_bytes
    size = _EXCERPT_BYTES + 2 * longest
    try:
        decoder = Decoder(answer.headers.get("Content-Encoding", ""), max_bytes=1 << 62)
        data = bytearray()
        async for piece in answer.content.iter_any():
            for decoded in decoder.feed(piece):
                data += decoded
                if len(data) >= size:
                    break
            if len(data) >= size:
                break
    except (BodyError, aiohttp.ClientError):
        return ""
    text = credentials.hidden(text_of(bytes(data[:size]), answer.charset) or "")
    if len(data) >= size and longest:
        text = text[:-longest]  # where a secret may have been cut
    line = " ".join(text.split())
    return line[:_EXCERPT_CHARACTERS]


def _reason(error: BaseException, credentials: Credentials) -> str:
    """Return why a request failed; hidden first, then cut: of a cut secret nothing is found."""
    return " ".join(credentials.hidden(reason_of(error)).split())[:_REASON_CHARACTERS]


def _shown(method: str, url: URL, credentials: Credentials) -> str:
    """Return a request for a message: without its query, which is nobody's business."""
    plain = url.with_query(None).with_user(None) if url.raw_host else url
    return f"{method} {escaped(credentials.hidden(str(plain)))[:_ADDRESS_CHARACTERS]}"
