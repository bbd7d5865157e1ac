"""The routes of the control socket, and who may take them (docs/reference/control.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from inboxd.control.answers import Refused
from inboxd.control.peers import Right

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ROUTES", "Action", "Route", "route_of"]


class Action(Enum):
    """What a route does."""

    HEALTH = auto()
    METRICS = auto()
    VERSION = auto()
    TREES = auto()
    TREE = auto()
    RESULT = auto()
    TASKS = auto()
    TASK = auto()
    ATTEMPTS = auto()
    LOG = auto()
    EXPLAIN = auto()
    WAIT = auto()
    EVENTS = auto()
    CANCEL = auto()
    RETRY = auto()
    RELEASE = auto()
    PAUSE = auto()
    RESUME = auto()
    PRIORITY = auto()


@dataclass(frozen=True, slots=True)
class Route:
    """One route; `{ref}` and `{id}` in its path stand for a segment each."""

    method: str
    path: str
    action: Action
    #: Parameters of the query.
    query: Sequence[str] = ()
    #: Fields of the body.
    body: Sequence[str] = ()

    @property
    def right(self) -> Right:
        """What is needed to take it."""
        return Right.READ if self.method == "GET" else Right.OPERATE


_TREE = "/v1/trees/{ref}"
_TASK = "/v1/trees/{ref}/tasks/{id}"

ROUTES = (
    Route("GET", "/healthz", Action.HEALTH),
    Route("GET", "/metrics", Action.METRICS),
    Route("GET", "/v1/version", Action.VERSION),
    Route("GET", "/v1/trees", Action.TREES, ("status", "limit", "after")),
    Route("GET", _TREE, Action.TREE),
    Route("GET", f"{_TREE}/tasks", Action.TASKS, ("status", "limit", "after")),
    Route("GET", f"{_TREE}/result", Action.RESULT),
    Route("GET", f"{_TREE}/wait", Action.WAIT, ("timeout",)),
    Route("GET", _TASK, Action.TASK),
    Route("GET", f"{_TASK}/attempts", Action.ATTEMPTS),
    Route("GET", f"{_TASK}/logs", Action.LOG, ("attempt", "stream", "offset")),
    Route("GET", f"{_TASK}/explain", Action.EXPLAIN),
    Route("GET", "/v1/events", Action.EVENTS, ("tree",)),
    Route("POST", f"{_TREE}/cancel", Action.CANCEL),
    Route("POST", f"{_TREE}/retry", Action.RETRY),
    Route("POST", f"{_TREE}/pause", Action.PAUSE),
    Route("POST", f"{_TREE}/resume", Action.RESUME),
    Route("POST", f"{_TREE}/priority", Action.PRIORITY, (), ("priority",)),
    Route("POST", f"{_TASK}/cancel", Action.CANCEL),
    Route("POST", f"{_TASK}/retry", Action.RETRY),
    Route("POST", f"{_TASK}/release", Action.RELEASE),
    Route("POST", f"{_TASK}/priority", Action.PRIORITY, (), ("priority",)),
    Route("POST", "/v1/pause", Action.PAUSE),
    Route("POST", "/v1/resume", Action.RESUME),
)

_SEGMENTS = tuple((route, route.path.split("/")[1:]) for route in ROUTES)


def route_of(method: str, segments: Sequence[str]) -> tuple[Route, str, str]:
    """
    Return the route that is meant, and TREE and TASK of its path; empty where it has none.

    Raises:
        Refused: there is no such path, or it cannot be used with this method.
    """
    allowed: set[str] = set()
    for route, pattern in _SEGMENTS:
        values = _match(pattern, segments)
        if values is None:
            continue
        if route.method == method:
            return route, values.get("{ref}", ""), values.get("{id}", "")
        allowed.add(route.method)
    if allowed:
        names = ", ".join(sorted(allowed))
        raise Refused(
            405, f"this path is used with {names}", headers={"allow": names, "connection": "close"}
        )
    raise Refused(
        404,
        "there is no such path",
        hint="docs/reference/control.md lists them; TREE and TASK are percent-encoded",
        headers={"connection": "close"},
    )


def _match(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    values: dict[str, str] = {}
    for wanted, found in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            if not found:
                return None
            values[wanted] = found
        elif wanted != found:
            return None
    return values
