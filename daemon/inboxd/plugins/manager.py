"""
Loading plugins: every one by itself, so that a broken one is reported and harms no other.

pluggy loads all entry points in one loop that the first error ends, takes a misspelt hook in
silence, and lets the last of two plugins with one name win (measured with 1.7.0); so the loop,
the look for misspelt hooks and the calls are ours, and pluggy checks signatures.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pluggy

from inboxd.names import did_you_mean, escaped
from inboxd.plugins import hookspecs
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.executor_check import executor_problem
from inboxd.plugins.hookspecs import PROJECT_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inboxd.config.settings import PluginSettings, Settings
    from inboxd.plugins.protocol import Executor

__all__ = ["BrokenPlugin", "ExecutorCatalog", "LoadedPlugin", "Plugins", "load_plugins"]

T = TypeVar("T")

#: The distribution whose executors keep their names.
_OURS = "inboxd"
#: A plugin that takes longer to import, or to answer, is given up.
LOAD_LIMIT_SECONDS = 10.0
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPlugin:
    """A plugin that works."""

    name: str
    #: The distribution it comes from, with its version: `inboxd 0.1.0`.
    distribution: str
    #: The names of its executors, sorted.
    executors: tuple[str, ...] = ()
    #: How long its import and its answer took.
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPlugin:
    """A plugin, or a part of one, that is not used."""

    name: str
    distribution: str
    #: One sentence: what is wrong and what to do.
    reason: str
    #: Where it was raised; None when nothing was.
    traceback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """What was loaded, and what was not."""

    executors: Mapping[str, Executor]
    loaded: tuple[LoadedPlugin, ...] = ()
    broken: tuple[BrokenPlugin, ...] = ()
    #: Installed, but kept out by `[plugins] allow` and `disable`: their entry points' names.
    disabled: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Candidate:
    """An entry point on its way."""

    entry_point: EntryPoint
    distribution: str
    is_ours: bool
    plugin: object = None
    executors: dict[str, Executor] = field(default_factory=dict[str, "Executor"])
    seconds: float = 0.0


def load_plugins(
    settings: Settings,
    *,
    installed: Iterable[EntryPoint] | None = None,
    limit_seconds: float = LOAD_LIMIT_SECONDS,
) -> Plugins:
    """
    Load the plugins that are installed and allowed; never raises for what is wrong with one.

    Args:
        settings: of these `[plugins]`, and `[executors.NAME]`: one with `enabled = false` is
            left out.
        installed: the entry points; by default those of the group `inboxd`.
        limit_seconds: for the import of one plugin, and for each of its answers.
    """
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    broken: list[BrokenPlugin] = []
    candidates: list[_Candidate] = []
    disabled: list[str] = []
    found = entry_points(group=PROJECT_NAME) if installed is None else installed
    # Ours first, then by name: the order in which hooks are called does not depend on the disk.
    for candidate in sorted(map(_candidate, found), key=_load_order):
        name = candidate.entry_point.name
        if not _is_allowed(name, settings.plugins):
            disabled.append(name)
            continue
        problem = _load(manager, candidate, limit_seconds)
        if problem is None:
            candidates.append(candidate)
        else:
            broken.append(problem)
    for candidate in candidates:
        broken.extend(_ask_executors(manager, candidate, limit_seconds))
    executors, clashes = _without_clashes(candidates)
    broken.extend(clashes)
    off = {name for name, one in settings.executors.items() if not one.enabled}
    return Plugins(
        executors={name: one for name, one in executors.items() if name not in off},
        loaded=tuple(
            LoadedPlugin(
                name=candidate.entry_point.name,
                distribution=candidate.distribution,
                executors=tuple(sorted(candidate.executors)),
                seconds=candidate.seconds,
            )
            for candidate in candidates
        ),
        broken=tuple(broken),
        disabled=tuple(disabled),
    )


def _candidate(entry_point: EntryPoint) -> _Candidate:
    distribution = entry_point.dist
    if distribution is None:
        return _Candidate(entry_point=entry_point, distribution="unknown", is_ours=False)
    # No look at the version: reading one means to parse the distribution's whole metadata.
    return _Candidate(
        entry_point=entry_point,
        distribution=distribution.name,
        is_ours=distribution.name == _OURS,
    )


def _load_order(candidate: _Candidate) -> tuple[bool, str, str]:
    return (not candidate.is_ours, candidate.entry_point.name, candidate.distribution)


def _is_allowed(name: str, settings: PluginSettings) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in settings.allow) and not any(
        fnmatchcase(name, pattern) for pattern in settings.disable
    )


def _load(
    manager: pluggy.PluginManager, candidate: _Candidate, limit_seconds: float
) -> BrokenPlugin | None:
    """Import and register one plugin; return what is wrong with it."""
    entry_point = candidate.entry_point
    name = f"{candidate.distribution}:{entry_point.name}"
    try:
        candidate.plugin = _within(limit_seconds, entry_point.load, candidate)
        manager.register(candidate.plugin, name=name)
        manager.check_pending()
    except BaseException as error:
        if manager.has_plugin(name):
            manager.unregister(name=name)
        return _broken(candidate, _reason(error, f"{entry_point.value} cannot be used"), error)
    return None


def _ask_executors(
    manager: pluggy.PluginManager, candidate: _Candidate, limit_seconds: float
) -> list[BrokenPlugin]:
    """Fill in the candidate's executors; return what is wrong with those that it does not get."""
    problems: list[BrokenPlugin] = []
    for implementation in manager.hook.inboxd_executors.get_hookimpls():
        if implementation.plugin is not candidate.plugin:
            continue
        function = cast("Callable[[], Iterable[Any]]", implementation.function)
        try:
            answer: Sequence[tuple[Any, str | None]] = _within(
                limit_seconds,
                lambda: tuple((one, executor_problem(one)) for one in function()),  # noqa: B023
                candidate,
            )
        except BaseException as error:
            problems.append(_broken(candidate, _reason(error, "inboxd_executors() failed"), error))
            continue
        for executor, found_problem in answer:
            problem = found_problem
            if problem is None and executor.name in candidate.executors:
                problem = f'it offers two executors named "{executor.name}"'
            if problem is None:
                candidate.executors[executor.name] = executor
            else:
                problems.append(_broken(candidate, problem))
    return problems


def _without_clashes(
    candidates: Sequence[_Candidate],
) -> tuple[dict[str, Executor], list[BrokenPlugin]]:
    """Return the executors by name, without those that two plugins offer unless one is ours."""
    offers: dict[str, list[_Candidate]] = {}
    for candidate in candidates:
        for name in candidate.executors:
            offers.setdefault(name, []).append(candidate)
    executors: dict[str, Executor] = {}
    clashes: list[BrokenPlugin] = []
    for name, rivals in offers.items():
        keeper = rivals[0] if len(rivals) == 1 or rivals[0].is_ours else None
        if keeper is not None:
            executors[name] = keeper.executors[name]
        if len(rivals) == 1:
            continue
        owners = " and ".join(sorted({rival.distribution for rival in rivals}))
        verdict = "the built-in one is used" if keeper else "neither is used: uninstall one"
        for rival in rivals:
            if rival is not keeper:
                del rival.executors[name]
                reason = f'executor "{name}" is offered by {owners}; {verdict}'
                clashes.append(_broken(rival, reason))
    return executors, clashes


def _within(limit_seconds: float, function: Callable[[], T], candidate: _Candidate) -> T:
    """
    Return what a plugin's function returns, and raise what it raises, within a time limit.

    It runs on a thread of its own, since Python cannot end code that does not return; one that
    overstays is left behind as a daemon thread.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:  # a plugin's sys.exit() must not end us
            errors.append(error)

    started = time.perf_counter()
    thread = threading.Thread(target=call, name="plugin-load", daemon=True)
    thread.start()
    thread.join(limit_seconds)
    candidate.seconds += time.perf_counter() - started
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"it did not return within {limit_seconds:g} s")
    return results[0]


def _reason(error: BaseException, what: str) -> str:
    """Return one sentence for people, with the nearest hook for a misspelt one."""
    is_pluggys = isinstance(error, pluggy.PluginValidationError)
    # pluggy says what is wrong on the lines after the first.
    lines = str(error).splitlines() if is_pluggys else str(error).splitlines()[:1]
    text = escaped(", ".join(line.strip() for line in lines))[:_LONGEST_REASON]
    if is_pluggys:
        known = [name for name in dir(hookspecs) if name.startswith("inboxd_")]
        misspelt = next((word for word in text.split("'") if word.startswith("inboxd_")), None)
        hint = None if misspelt in {None, *known} else did_you_mean(str(misspelt), known)
        return f"{what}: {text}" + ("" if hint is None else f"; {hint}")
    return f"{what}: {type(error).__name__}: {text}" if text else f"{what}: {type(error).__name__}"


def _broken(candidate: _Candidate, reason: str, error: BaseException | None = None) -> BrokenPlugin:
    text = None
    if error is not None:
        text = "".join(traceback.format_exception(error))
    return BrokenPlugin(
        name=candidate.entry_point.name,
        distribution=candidate.distribution,
        reason=reason,
        traceback=text,
    )
