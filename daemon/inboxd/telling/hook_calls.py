"""What the hooks' thread calls: one call, and the calls that are owed by the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inboxd.plugins.hooks import Implementation

__all__ = ["HookCall", "OwedCalls"]


@dataclass(slots=True, eq=False)
class HookCall:
    """One call of one plugin's hook."""

    implementation: Implementation
    arguments: Mapping[str, Any]
    #: True once it returned, or raised.
    is_over: bool = False


class OwedCalls(Protocol):
    """The calls that are owed by the store."""

    def newest(self) -> int:
        """
        Return the number of the last debt that can be paid now; 0: there is none.

        Raises:
            Exception: the store cannot be read; it is to be tried again.
        """
        ...

    def calls(self, up_to: int) -> Iterator[HookCall]:
        """
        Yield what is owed; each is over, or was given up, when the next is asked for.

        Args:
            up_to: the number of the last debt to be paid.

        Raises:
            Exception: the store cannot be read or written; it is to be tried again.
        """
        ...
