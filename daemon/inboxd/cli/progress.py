"""The progress of one tree, on one line of a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from inboxd.errors import InboxdError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from inboxd.store.reader import StoreReader

__all__ = ["Progress", "counted"]


#: Of a terminal that does not say how wide it is.
_USUAL_COLUMNS = 80

_ENDED = ("completed", "failed", "cancelled", "skipped")
_SHOWN = ("in_progress", "failed", "skipped")


class Progress:
    """Shows how far a tree is, on stderr where that is a terminal, else nothing."""

    def __init__(self, store_url: str | None = None, tree_id: str = "") -> None:
        """Open the store to read from, if any; without one `show` shows nothing, `draw` does."""
        self._tree_id = tree_id
        self._width = 0
        #: Whether there is a terminal to show it on.
        self.is_shown = sys.stderr.isatty()
        self._reader: StoreReader | None = None
        if self.is_shown and store_url is not None:
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

    def show(self, told: str = "") -> None:
        """Draw the line anew, with what a task says of itself, safe to show."""
        if self._reader is None:
            return
        try:
            tree = self._reader.tree(self._tree_id)
        except InboxdError:
            return  # the daemon is just being replaced; the next time it is there again
        if tree is None:
            return
        counts = tree.counts
        self.draw({name: getattr(counts, name) for name in ("total", *_SHOWN, *_ENDED)}, told)

    def draw(self, counts: Mapping[str, int], told: str = "") -> None:
        """Draw the line anew from what is known otherwise: the counts of a tree by status."""
        if not self.is_shown:
            return
        parts = {name.replace("_", " "): counts[name] for name in _SHOWN}
        ended = sum(counts[name] for name in _ENDED)
        text = ", ".join([f"{ended} of {counts['total']} ended", *counted(parts)])
        if told:
            # One line, whatever is said: a longer one could not be taken back.
            room = _columns() - 1 - len(text)
            text += f"; {told}"[: max(0, room)]
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)

    def clear(self) -> None:
        """Take the line away, so that other text can be written."""
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError):
        return _USUAL_COLUMNS


def counted(counts: dict[str, int]) -> list[str]:
    """Return `["3 completed", "1 failed"]`: what is not 0, in the order given."""
    return [f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count]
