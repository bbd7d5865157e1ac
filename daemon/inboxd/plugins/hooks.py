"""
Calling hooks: each plugin by itself, so that what one raises, or one that hangs, harms no other.

pluggy calls all plugins in one go that the first exception ends, and knows no time limit; so it
checks what plugins offer (see `manager`), and the calls are ours.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from inboxd.array.problem import MOST_PROBLEMS, Problem
from inboxd.names import escaped
from inboxd.plugins.failures import Failures, said
from inboxd.plugins.limited import Overrun, within
from inboxd.plugins.protocol import ParseProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from inboxd.plugins.candidate import CandidateTree

__all__ = ["HookFailed", "Hooks", "Implementation", "Parsed", "Unparsed"]

logger = logging.getLogger(__name__)

#: A plugin's look at a file has this long, and so much more for each MiB: a parser that is
#: written in Python reads 50 to 200 KB/s.
PARSE_SECONDS = 30.0
PARSE_SECONDS_A_MIB = 30.0
#: A plugin's look at a tree has this long, and so much more for each task: making a
#: `CandidateTask` alone takes some 10 µs on a slow machine.
VALIDATE_SECONDS = 10.0
VALIDATE_SECONDS_A_TASK = 0.0005
#: The time to resolve one name.
RESOLVE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """One plugin's answer to one hook."""

    #: The name of the plugin's entry point; no two plugins that are used share one.
    plugin: str
    distribution: str
    hook: str
    function: Callable[..., Any] = field(repr=False)
    #: The names of the hook's arguments that the function takes.
    arguments: tuple[str, ...] = ()
    #: -1: wants to be called before the others, 1: after them.
    rank: int = 0

    def __call__(self, **arguments: Any) -> Any:
        """Call it with those of *arguments* that it takes, and raise what it raises."""
        return self.function(**{name: arguments[name] for name in self.arguments})


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFailed:
    """A plugin's hook raised, hung, or gave what is no answer; it was reported."""

    plugin: str
    distribution: str
    #: One sentence for people.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A plugin read a file."""

    plugin: str
    distribution: str
    #: As the plugin gave it: its parts may be anything.
    document: list[Any] | dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unparsed:
    """A plugin says that a file cannot be read, and why."""

    plugin: str
    problem: ParseProblem


class Hooks:
    """The hooks of the plugins that are loaded; from any thread."""

    def __init__(
        self,
        implementations: Iterable[Implementation] = (),
        *,
        suffixes: Mapping[str, str] | None = None,
        parse_seconds: float = PARSE_SECONDS,
    ) -> None:
        """
        Args:
            implementations: of one hook, in the order in which they are called.
            suffixes: of task files besides `.json`, and the plugin that named each.
            parse_seconds: the time to read a small file.
        """
        self._parse_seconds = parse_seconds
        self._by_hook: dict[str, tuple[Implementation, ...]] = {}
        for one in implementations:
            self._by_hook[one.hook] = (*self._by_hook.get(one.hook, ()), one)
        self._suffixes = dict(suffixes or {})
        self._lock = threading.Lock()
        self._off: dict[tuple[str, str], str] = {}
        self._failures = Failures()

    def has(self, hook: str) -> bool:
        """Return whether any plugin implements a hook; the same as long as the process lives."""
        return hook in self._by_hook

    def plugins_with(self, hook: str) -> tuple[str, ...]:
        """Return the names of the plugins that implement a hook, also of those switched off."""
        return tuple(one.plugin for one in self._by_hook.get(hook, ()))

    def implementations(self, hook: str) -> tuple[Implementation, ...]:
        """Return who is to be called, in this order."""
        found = self._by_hook.get(hook, ())
        if not self._off:
            return found
        return tuple(one for one in found if (one.plugin, hook) not in self._off)

    @property
    def failures(self) -> dict[tuple[str, str], int]:
        """How often the hook of a plugin, (plugin, hook), failed in this run."""
        return self._failures.counts

    @property
    def off(self) -> dict[tuple[str, str], str]:
        """The hooks that are not called until the daemon starts anew, (plugin, hook), and why."""
        return dict(self._off)

    def off_reason(self, one: Implementation) -> str | None:
        """Return why a plugin's hook is not called until the daemon starts anew; None: it is."""
        return self._off.get((one.plugin, one.hook)) if self._off else None

    def switch_off(self, one: Implementation, reason: str) -> None:
        """Call a plugin's hook no more, since it does not return."""
        with self._lock:
            if (one.plugin, one.hook) in self._off:
                return
            self._off = {**self._off, (one.plugin, one.hook): reason}
        logger.error(
            "%s of plugin %s (%s) is not called any more until the next start: %s;"
            " mend the plugin, or name it in [plugins] disable",
            one.hook,
            escaped(one.plugin),
            escaped(one.distribution),
            reason,
            extra={"event": "hook_off", "plugin": one.plugin, "hook": one.hook, "reason": reason},
        )

    def call(self, one: Implementation, **arguments: Any) -> Any | HookFailed:
        """Return what one plugin's hook gives; what it raises is counted, logged and given."""
        try:
            return one(**arguments)
        except BaseException as error:  # the door of one plugin: SystemExit too
            if isinstance(error, KeyboardInterrupt) and _is_main_thread():
                raise  # a person's Ctrl-C
            return self.failed(one, error)

    def call_within(
        self,
        seconds: float,
        one: Implementation,
        *,
        then: Callable[[Any], Any] | None = None,
        **arguments: Any,
    ) -> Any | HookFailed:
        """
        Return what one plugin's hook gives within a time limit, put through *then*; see `call`.

        One that overstays is left behind on its thread, and is not called any more.
        """

        def answer() -> Any:
            try:
                given = one(**arguments)
                return given if then is None else then(given)
            except ParseProblem as problem:
                return problem
            except BaseException as error:  # the door of one plugin: SystemExit too
                if (one.plugin, one.hook) in self._off:
                    return None  # it was left behind, and reported
                return self.failed(one, error)

        try:
            return within(seconds, answer)
        except Overrun as error:
            self.switch_off(one, str(error))
            return self.failed(one, error)

    def failed(self, one: Implementation, error: BaseException) -> HookFailed:
        """Count and log what a plugin's hook did wrong."""
        self._failures.add(one.plugin, one.distribution, one.hook, error)
        return HookFailed(plugin=one.plugin, distribution=one.distribution, reason=said(error))

    # The hooks that are asked something --------------------------------------------------------

    def file_suffixes(self) -> Mapping[str, str]:
        """Return the suffixes of task files besides `.json`, and the plugin that named each."""
        return self._suffixes

    def parse_file(self, path: Path, data: bytes) -> Parsed | Unparsed | HookFailed | None:
        """
        Have the plugins read a file; the first that does is taken.

        Returns:
            `Parsed`, or `Unparsed` from a plugin that says what is wrong; when none of them read
            it, the first failure; None: it is nobody's.
        """
        limit = self._parse_seconds + PARSE_SECONDS_A_MIB * len(data) / 2**20
        failure: HookFailed | None = None
        for one in self.implementations("inboxd_parse_file"):
            answer = self.call_within(limit, one, path=path, data=data)
            if isinstance(answer, ParseProblem):
                return Unparsed(plugin=one.plugin, problem=answer)
            if isinstance(answer, list | dict):
                return Parsed(
                    plugin=one.plugin,
                    distribution=one.distribution,
                    document=cast("list[Any]", answer),
                )
            if isinstance(answer, HookFailed):
                failure = failure or answer
            elif answer is not None:
                error = TypeError(f"it gave a {type(answer).__name__}, not a list, a dict or None")
                failure = failure or self.failed(one, error)
        return failure

    def resolve_executor(
        self, name: str, task: Mapping[str, Any]
    ) -> tuple[Implementation, Any] | None:
        """Return what the first plugin that knows the name gave, unchecked, and who it was."""
        for one in self.implementations("inboxd_resolve_executor"):
            answer = self.call_within(RESOLVE_SECONDS, one, name=name, task=task)
            if answer is not None and not isinstance(answer, HookFailed):
                return one, answer
        return None

    def validate_tree(
        self, tree: CandidateTree, *, seconds: float | None = None
    ) -> list[tuple[str, Problem]]:
        """
        Return what plugins find wrong with a tree, each with the plugin's name.

        What a plugin raises, or gives that is no problem, is its own failure and no problem of the
        file.
        """
        limit = seconds
        if limit is None:
            limit = VALIDATE_SECONDS + VALIDATE_SECONDS_A_TASK * tree.task_count
        found: list[tuple[str, Problem]] = []
        for one in self.implementations("inboxd_validate_tree"):
            answer = self.call_within(limit, one, then=_problems, tree=tree)
            if not isinstance(answer, HookFailed):
                found.extend((one.plugin, problem) for problem in answer)
        return found


def _problems(answer: Any) -> list[Problem]:
    """Return what `inboxd_validate_tree` gave, which may be a generator, as a bounded list."""
    if answer is None:
        return []
    found: list[Problem] = []
    for problem in islice(answer, MOST_PROBLEMS + 1):
        if not isinstance(problem, Problem):
            raise TypeError(f"it gave a {type(problem).__name__}, no Problem")
        found.append(problem)
    return found


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
