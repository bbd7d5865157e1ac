"""What executors themselves say of inputs and params: whose check it is, and what an answer is."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from inboxd.array.catalog import InputProblem
from inboxd.array.problem import MOST_PROBLEMS
from inboxd.names import escaped
from inboxd.plugins.asking import Asked
from inboxd.plugins.hooks import Hooks, Implementation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inboxd.array.catalog import InputPath
    from inboxd.plugins.loaded import ExecutorOrigin

__all__ = ["ExecutorChecks"]

#: An executor's own text is cut after so many characters.
_LONGEST_TEXT = 1_000
#: No inputs have more places with code.
_MOST_PLACES = 100_000

#: The distribution whose executors need no guard.
_OURS = "inboxd"


class ExecutorChecks:
    """Makes the methods of executors ready to be asked about each task of a file."""

    def __init__(
        self,
        hooks: Hooks | None = None,
        origins: Mapping[str, ExecutorOrigin] | None = None,
    ) -> None:
        """
        Args:
            hooks: count and log what a check does wrong, and remember which are switched off.
            origins: by the names of executors: whose each is.
        """
        self._hooks = hooks or Hooks()
        self._origins = origins or {}
        #: Some of them are others' code, so that their calls must be watched; see `asking`.
        self.has_others = False

    def guarded(self, name: str, executor: object, method: str) -> Callable[..., Any]:
        """
        Return a method of an executor, guarded unless it is ours.

        Args:
            name: of the executor.
            executor: itself.
            method: `input_problems`, `params_problems` or `code_places`.
        """
        function: Callable[..., Any] = getattr(executor, method)
        origin = self._origins.get(name)
        if origin is not None and origin.distribution == _OURS:
            return function
        self.has_others = True
        one = Implementation(
            plugin=name if origin is None else origin.name,
            distribution="unknown" if origin is None else origin.distribution,
            hook=f'{method} of executor "{name}"',
            function=function,
        )
        return Asked(one, self._hooks, _places if method == "code_places" else _problems)


def _problems(given: Any) -> list[InputProblem]:
    """Return an answer as problems that are safe to show; raise TypeError when it is none."""
    if given is None:
        return []
    found: list[InputProblem] = []
    for problem in islice(given, MOST_PROBLEMS + 1):
        if not isinstance(problem, InputProblem):
            raise TypeError(f"it gave a {type(problem).__name__}, no InputProblem")
        hint: object = problem.hint
        found.append(
            replace(
                problem,
                path=_path(problem.path),
                message=_text(problem.message),
                hint=None if hint is None else _text(hint),
            )
        )
    return found


def _places(given: Any) -> list[InputPath]:
    """Return an answer as paths; raise TypeError when it is none."""
    return [_path(path) for path in islice(given, _MOST_PLACES)]


def _path(given: Any) -> InputPath:
    if not isinstance(given, list | tuple):
        raise TypeError(f"it gave a path that is a {type(given).__name__}, not a tuple")
    parts = tuple(cast("Iterable[Any]", given))
    for part in parts:
        if not isinstance(part, str | int):
            raise TypeError(f"it gave a path with a {type(part).__name__} in it")
        if isinstance(part, str):
            part.encode()
    return parts


def _text(given: object) -> str:
    return escaped(str(given)[:_LONGEST_TEXT])
