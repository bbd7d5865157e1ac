"""What the control socket answers: documents, and errors that a program can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from inboxd.errors import AmbiguousReference, Conflict, InboxdError, NotFound, StoreError
from inboxd.names import escaped
from inboxd.scheduling.mailbox import StoreClosed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Refused", "document", "error_body", "refusal_of"]

_CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    500: "internal",
    503: "unavailable",
}


class Refused(Exception):  # an answer, not a fault
    """A request that is not done, and why."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        candidates: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(status, message, hint=hint, code=code, candidates=candidates)
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the answer."""
        return _json(self.body, self.status, self.headers)


def error_body(
    status: int,
    message: str,
    *,
    hint: str | None = None,
    code: str | None = None,
    candidates: Sequence[str] | None = None,
) -> bytes:
    """Return the document of an error."""
    error: dict[str, Any] = {"code": code or _CODES[status], "message": message, "hint": hint}
    if candidates is not None:
        error["candidates"] = list(candidates)
    return msgspec.json.encode({"error": error}) + b"\n"


def document(body: bytes) -> Response:
    """Return a document as the answer."""
    return _json(body, 200, {})


def refusal_of(error: InboxdError) -> Refused:
    """Return the answer that an error of ours is."""
    text = escaped(str(error), keep_newlines=True)
    match error:
        case AmbiguousReference():
            return Refused(
                400, text, code="ambiguous", candidates=[*map(escaped, error.candidates)]
            )
        case NotFound():
            return Refused(404, text)
        case Conflict():
            return Refused(409, text)
        case StoreClosed() | StoreError():
            return Refused(503, text)
        case _:
            return Refused(400, text)


def _json(body: bytes, status: int, headers: Mapping[str, str]) -> Response:
    return Response(body, status, headers=dict(headers), media_type="application/json")
