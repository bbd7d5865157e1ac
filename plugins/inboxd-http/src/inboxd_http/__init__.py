"""The executor `http`, for inboxd; the HTTP client is imported when the first request is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.plugins.hookspecs import hookimpl
from inboxd_http.executor import Http

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd.plugins.protocol import Executor

__all__ = ["Http", "inboxd_executors"]


@hookimpl
def inboxd_executors() -> Iterable[Executor]:
    """Offer `http`."""
    return [Http()]
