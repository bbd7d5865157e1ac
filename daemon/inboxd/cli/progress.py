"""The progress of one tree, on one line of a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from inboxd.errors import InboxdError

if TYPE_CHECKING:
    from types import TracebackType

    from inboxd.store.reader import StoreReader

__all__ = ["Progress", "counted"]


class Progress:
    """Shows how far a tree is, on stderr where that is a terminal, else nothing."""

    def __init__(self, store_url: str, tree_id: str) -> None:
        """Open the store; one that this user may not read means that nothing is shown."""
        self._tree_id = tree_id
        self._width = 0
        self._reader: StoreReader | None = None
        if sys.stderr.isatty():
            from inboxd.store.reader import StoreReader  # not needed where nothing is shown

            try:
                self._reader = StoreReader(store_url)
            except InboxdError:
                self._reader = None

    def __enter__(self) -> Progress:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Clear the line and close the store."""
        self.clear()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def show(self) -> None:
        """Draw the line anew."""
        if self._reader is None:
            return
        try:
            tree = self._reader.tree(self._tree_id)
        except InboxdError:
            return  # the daemon is just being replaced; the next time it is there again
        if tree is None:
            return
        counts = tree.counts
        parts = {
            "in progress": counts.in_progress,
            "failed": counts.failed,
            "skipped": counts.skipped,
        }
        text = ", ".join([f"{counts.ended} of {counts.total} ended", *counted(parts)])
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)

    def clear(self) -> None:
        """Take the line away, so that other text can be written."""
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0


def counted(counts: dict[str, int]) -> list[str]:
    """Return `["3 completed", "1 failed"]`: what is not 0, in the order given."""
    return [f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count]
