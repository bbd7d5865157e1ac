"""When a turn that failed is repeated."""

from __future__ import annotations

__all__ = ["BackOff"]

#: After a turn that failed, the next comes after so long, doubled each time up to the second.
_FIRST_SECONDS, _LONGEST_SECONDS = 0.1, 5.0


class BackOff:
    """How many turns in a row have failed, and how long to wait for the next."""

    def __init__(self) -> None:
        #: 0 when the last turn was committed.
        self.failures = 0
        #: When the next turn may be; microseconds since 1970, UTC; None: at any time.
        self.until: int | None = None

    def note_failure(self, now: int, *, at_once: bool) -> float:
        """
        Note that a turn failed.

        Args:
            now: microseconds since 1970, UTC.
            at_once: the first time, the next may follow without a pause.

        Returns:
            Seconds until the next.
        """
        self.failures += 1
        pause = min(_FIRST_SECONDS * (1 << min(self.failures - 1, 10)), _LONGEST_SECONDS)
        if at_once and self.failures == 1:
            pause = 0.0
        self.until = now + int(pause * 1_000_000)
        return pause

    def note_success(self) -> None:
        """Note that a turn was committed."""
        self.failures = 0
        self.until = None

    def holds(self, now: int) -> bool:
        """
        Whether the next turn is still to wait.

        A wait that seems longer than any is that of a clock which was set back, and is over.
        """
        return self.until is not None and now < self.until <= now + int(
            _LONGEST_SECONDS * 1_000_000
        )
