"""The failure that another attempt may mend; what it may not mend is `inboxd.NoRetry`."""

from __future__ import annotations

from inboxd.errors import InboxdError

__all__ = ["RequestFailed"]


class RequestFailed(InboxdError):
    """A request failed in a way that another attempt may not."""
