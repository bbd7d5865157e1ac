"""Pure: the inputs of a task, checked and made into the request that they describe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import msgspec

from inboxd.durations import duration_seconds
from inboxd.plugins.protocol import InputProblem
from inboxd_http.schema import DEFAULT_RETRY_STATUSES
from inboxd_http.targets import target_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inboxd_http.settings import HttpSettings

__all__ = ["Request", "input_problems", "read_request"]

#: What a header's name is made of (RFC 9110, 5.6.2).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: What no URL holds as it is written; yarl would drop or quote some of it in silence.
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")

_BODIES = ("json", "form", "text")
#: Secrets: they come by `auth`.
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization"})
#: They frame the message or the connection, and are the client's own.
_OWN_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_NO_LITERAL = "a secret does not stand in a task file"
_NAME_IT = 'name it: {"env": "NAME"} or {"file": "NAME"}'
_SECRET_FORMS = ("env", "file", "result_of")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a task asks for."""

    method: str
    url: str
    #: Pairs that are added to the URL's own query.
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    #: As it is written in the inputs: secrets are named, not known.
    auth: dict[str, Any]
    timeout_seconds: float
    max_bytes: int
    expect: frozenset[int]
    retry_statuses: frozenset[int]
    redirects: int
    response: str
    save_to: PurePosixPath | None


def input_problems(inputs: dict[str, Any], settings: HttpSettings) -> list[InputProblem]:
    """Return what is wrong with inputs that fit the schema: all of it, in order."""
    return [
        *_url_problems(inputs["url"], settings),
        *_body_problems(inputs),
        *_header_problems(inputs),
        *_auth_problems(inputs.get("auth", {})),
        *_limit_problems(inputs, settings),
        *_save_problems(inputs),
    ]


def read_request(inputs: dict[str, Any], settings: HttpSettings) -> Request:
    """Return the request that inputs without a problem describe."""
    headers = [(name, _word(value)) for name, value in inputs.get("headers", {}).items()]
    body, content_type = _body(inputs)
    names = {name.lower() for name, _ in headers}
    if content_type is not None and "content-type" not in names:
        headers.append(("Content-Type", content_type))
    limit = settings.max_saved_bytes if "save_to" in inputs else settings.max_bytes
    timeout = duration_seconds(inputs["timeout"]) if "timeout" in inputs else None
    return Request(
        method=inputs.get("method", "GET"),
        url=inputs["url"],
        query=tuple(_pairs(inputs.get("query", {}))),
        headers=tuple(headers),
        body=body,
        auth=inputs.get("auth", {}),
        timeout_seconds=timeout or settings.timeout,
        max_bytes=min(inputs.get("max_bytes", limit), limit),
        expect=frozenset(_statuses(inputs.get("expect", ["2xx"]))),
        retry_statuses=frozenset(inputs.get("retry_statuses", DEFAULT_RETRY_STATUSES)),
        redirects=inputs.get("redirects", 5),
        response=inputs.get("response", "auto"),
        save_to=PurePosixPath(inputs["save_to"]) if "save_to" in inputs else None,
    )


def _word(value: Any) -> str:
    """Return a string as it is, another value as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _pairs(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        for one in value if isinstance(value, list) else [value]:  # pyright: ignore[reportUnknownVariableType] # JSON
            yield name, _word(one)


def _body(inputs: dict[str, Any]) -> tuple[bytes | None, str | None]:
    if "json" in inputs:
        return msgspec.json.encode(inputs["json"]), "application/json"
    if "form" in inputs:
        form = urlencode(list(_pairs(inputs["form"])))
        return form.encode(), "application/x-www-form-urlencoded"
    if "text" in inputs:
        return inputs["text"].encode("utf-8", "replace"), "text/plain; charset=utf-8"
    return None, None


def _statuses(expect: Iterable[int | str]) -> Iterator[int]:
    for one in expect:
        if isinstance(one, str):
            first = int(one[0]) * 100
            yield from range(first, first + 100)
        else:
            yield one


def _url_problems(url: str, settings: HttpSettings) -> Iterator[InputProblem]:
    path = ("url",)
    if _NOT_IN_URL.search(url):
        yield InputProblem(
            path=path,
            message="a URL holds no blanks, control characters and backslashes",
            hint="write a blank as %20; values for the query may stand in `query`",
        )
        return
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        yield InputProblem(path=path, message=f"this is no URL: {error}")
        return
    if parts.username is not None or parts.password is not None:
        yield InputProblem(
            path=path, message=f"{_NO_LITERAL}: no user in the URL", hint="use `auth`"
        )
    problem = target_problem(parts.scheme, host, settings)
    if problem is not None:
        yield InputProblem(path=path, message=problem[0], hint=problem[1])


def _body_problems(inputs: dict[str, Any]) -> Iterator[InputProblem]:
    bodies = [name for name in _BODIES if name in inputs]
    if len(bodies) > 1:
        yield InputProblem(
            path=(bodies[1],),
            message=f"{' and '.join(bodies)} exclude each other",
            hint="keep one of them",
            at_key=True,
        )
    if bodies and "method" not in inputs:
        yield InputProblem(
            path=(bodies[0],),
            message="there is a body, but no method",
            hint='say "method": "POST", or which one is meant',
            at_key=True,
        )


def _header_problems(inputs: dict[str, Any]) -> Iterator[InputProblem]:
    seen: set[str] = set()
    for name, value in inputs.get("headers", {}).items():
        path, lowered = ("headers", name), name.lower()
        yield from _name_problems(path, name)
        if lowered in _SECRET_HEADERS:
            yield InputProblem(
                path=path,
                message=_NO_LITERAL,
                hint='use `auth`, which names it: {"bearer": {"env": "NAME"}}; of the result of'
                ' a task {"bearer": {"result_of": "TASK", "pointer": "/json/token"}}',
                at_key=True,
            )
        if lowered in seen:
            yield InputProblem(path=path, message="this header is there twice", at_key=True)
        if _CONTROL.search(_word(value)):
            yield InputProblem(path=path, message="a header is one line of text")
        seen.add(lowered)


def _name_problems(path: tuple[str | int, ...], name: str) -> Iterator[InputProblem]:
    if _TOKEN.fullmatch(name) is None:
        yield InputProblem(path=path, message="this is no name of a header", at_key=True)
    elif name.lower() in _OWN_HEADERS:
        yield InputProblem(path=path, message="this header is the client's own", at_key=True)


def _auth_problems(auth: dict[str, Any]) -> Iterator[InputProblem]:
    if "bearer" in auth:
        yield from _secret_problems(("auth", "bearer"), auth["bearer"])
    if "basic" in auth:
        yield from _secret_problems(("auth", "basic", "password"), auth["basic"]["password"])
        user = auth["basic"]["user"]
        if ":" in user or _CONTROL.search(user):
            yield InputProblem(
                path=("auth", "basic", "user"),
                message="a user's name holds no colon and no control characters",
            )
    for name, secret in auth.get("header", {}).items():
        path = ("auth", "header", name)
        yield from _name_problems(path, name)
        yield from _secret_problems(path, secret)


def _secret_problems(path: tuple[str | int, ...], secret: Any) -> Iterator[InputProblem]:
    if isinstance(secret, str):
        yield InputProblem(path=path, message=_NO_LITERAL, hint=_NAME_IT)
    elif len([form for form in _SECRET_FORMS if form in secret]) != 1:
        yield InputProblem(
            path=path, message="one of env, file and result_of is needed", hint=_NAME_IT
        )
    elif "pointer" in secret and "result_of" not in secret:
        yield InputProblem(
            path=(*path, "pointer"), message="pointer belongs to result_of", at_key=True
        )


def _limit_problems(inputs: dict[str, Any], settings: HttpSettings) -> Iterator[InputProblem]:
    name = "max_saved_bytes" if "save_to" in inputs else "max_bytes"
    most: int = getattr(settings, name)
    if inputs.get("max_bytes", 0) > most:
        yield InputProblem(
            path=("max_bytes",),
            message=f"{name} in [executors.http] allows {most:,} bytes",
            hint=None if "save_to" in inputs else "save a large body to a file by `save_to`",
        )


def _save_problems(inputs: dict[str, Any]) -> Iterator[InputProblem]:
    if "save_to" not in inputs:
        return
    path, text = ("save_to",), inputs["save_to"]
    parts = text.split("/")
    if text.startswith("/") or ".." in parts or text.endswith("/") or text in (".", ""):
        yield InputProblem(
            path=path, message="this is no file below the tree's directory", hint="like data/a.csv"
        )
    elif "\0" in text or any(len(part.encode()) > 200 for part in parts):
        yield InputProblem(path=path, message="Linux takes no such name for a file")
    if "response" in inputs:
        yield InputProblem(
            path=("response",), message="a body that is saved is not in the result", at_key=True
        )
