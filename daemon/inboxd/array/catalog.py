"""What a task array is checked against: who executes, and what each executor takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from inboxd.task import PlaceKind

__all__ = ["Catalog", "InputPath", "InputProblem"]

#: From the top of `inputs`: keys and indices.
InputPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputProblem:
    """One thing about a task's `inputs` that its executor does not take."""

    #: From the top of `inputs`: keys and indices; empty for `inputs` as a whole.
    path: InputPath = ()
    #: What is wrong, without a full stop.
    message: str
    #: What to do about it.
    hint: str | None = None
    #: True: the key that `path` ends with is what is wrong, not its value.
    at_key: bool = False
    #: True: it is wrong whatever the values of the keys there are, as when one is missing; so it
    #: counts also where an expression, whose value nobody knows yet, stands for one of them.
    whatever_values: bool = False


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

    def wants_params_check(self, executor: str) -> bool:
        """Return whether `params_problems` can find anything: False when any params will do."""
        ...

    def params_problems(self, executor: str, params: dict[str, Any]) -> Sequence[InputProblem]:
        """Return what is wrong with a task's params, defaults merged in; empty when nothing is."""
        ...

    def input_problems(
        self, executor: str, inputs: dict[str, Any], *, open_at: Collection[InputPath] = ()
    ) -> Sequence[InputProblem]:
        """
        Return what is wrong with a task's inputs, defaults merged in; empty when nothing is.

        Args:
            executor: its name.
            inputs: decoded.
            open_at: where strings stand for values that nobody knows yet: what could be right with
                some value there is no problem.
        """
        ...

    def code_places(self, executor: str, inputs: dict[str, Any]) -> Sequence[InputPath]:
        """
        Return which of these inputs are code, so that no value may be put into them.

        Raises:
            PluginError: the executor could not say it, which is a plugin's fault.
        """
        ...
