"""What a task array is checked against: who executes, and what each executor takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inboxd.task import PlaceKind

__all__ = ["Catalog", "InputProblem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputProblem:
    """One thing about a task's `inputs` that its executor does not take."""

    #: From the top of `inputs`: keys and indices; empty for `inputs` as a whole.
    path: tuple[str | int, ...] = ()
    #: What is wrong, without a full stop.
    message: str
    #: What to do about it.
    hint: str | None = None
    #: True: the key that `path` ends with is what is wrong, not its value.
    at_key: bool = False


class Catalog(Protocol):
    """The executors that can be named; the plugins' layer implements it."""

    def kind_of(self, executor: str) -> PlaceKind | None:
        """Return which kind of place the executor takes; None when nobody offers it."""
        ...

    def names(self) -> Iterable[str]:
        """Return the names of all executors, for hints."""
        ...

    def wants_input_check(self, executor: str) -> bool:
        """Return whether `input_problems` can find anything: False when any object will do."""
        ...

    def input_problems(self, executor: str, inputs: dict[str, Any]) -> Sequence[InputProblem]:
        """Return what is wrong with a task's inputs, defaults merged in; empty when nothing is."""
        ...
