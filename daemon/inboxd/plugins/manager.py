"""
Loading plugins: every one by itself, so that a broken one is reported and harms no other.

pluggy loads all entry points in one loop that the first error ends, registers a plugin whole or not
at all, takes a misspelt hook in silence, and lets the last of two plugins with one name win
(measured with 1.7.0); so the loop, the look for misspelt hooks and the calls are ours, each hook of
a plugin is registered by itself, and pluggy checks signatures.
"""

from __future__ import annotations

import inspect
import re
from fnmatch import fnmatchcase
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from inboxd.names import did_you_mean, escaped
from inboxd.plugins import hookspecs
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.configuring import (
    configure_executor,
    configure_plugin,
    misplaced_executor_settings,
    unknown_plugin_settings,
)
from inboxd.plugins.decorator import executors_in
from inboxd.plugins.failures import said
from inboxd.plugins.hooks import Hooks, Implementation
from inboxd.plugins.hookspecs import PROJECT_NAME
from inboxd.plugins.installed import Candidate, candidates_of, installed_plugins
from inboxd.plugins.loaded import (
    BrokenPlugin,
    ExecutorOrigin,
    LoadedPlugin,
    Plugins,
    WorksBesides,
)
from inboxd.plugins.offers import ask_executors, ask_suffixes, suffix_owners, without_rivals
from inboxd.plugins.protocol import Executor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from importlib.metadata import EntryPoint

    from inboxd.config.settings import PluginSettings, Settings

__all__ = [
    "LOAD_LIMIT_SECONDS",
    "BrokenPlugin",
    "ExecutorCatalog",
    "ExecutorOrigin",
    "LoadedPlugin",
    "Plugins",
    "load_plugins",
]

#: A plugin that takes longer to import, or to answer, is given up.
LOAD_LIMIT_SECONDS = 10.0
_LONGEST_REASON = 500

_HOOKS = tuple(name for name in dir(hookspecs) if name.startswith("inboxd_"))
#: So that a name can stand in a table of the configuration and be that of a directory.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


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
    return _Loading(settings, limit_seconds).load(installed)


class _Loading:
    """One pass over all plugins."""

    def __init__(self, settings: Settings, limit_seconds: float) -> None:
        self._settings = settings
        self._limit = limit_seconds
        self._manager = pluggy.PluginManager(PROJECT_NAME)
        self._manager.add_hookspecs(hookspecs)
        self._broken: list[BrokenPlugin] = []
        self._problems: list[str] = []

    def load(self, installed: Iterable[EntryPoint] | None) -> Plugins:
        settings = self._settings
        unreadable: list[BrokenPlugin] = []
        if installed is None:
            found, unreadable = installed_plugins()
            self._broken = without_disabled(unreadable, settings.plugins)
        else:
            found = [one for point in installed for one in candidates_of([point], _owner(point))]
        # Ours first, then by name: the order in which hooks are called does not depend on the disk.
        found.sort(key=_load_order)
        allowed = [one for one in found if _is_allowed(one.name, settings.plugins)]
        candidates = [one for one in self._without_namesakes(allowed) if self._is_usable(one)]
        for candidate in candidates:
            self._broken.extend(ask_executors(candidate, self._limit))
            self._broken.extend(ask_suffixes(candidate, self._limit))
        owners, clashes = without_rivals(candidates)
        self._broken.extend(clashes)
        suffixes, clashes = suffix_owners(candidates)
        self._broken.extend(clashes)
        executors = self._configured(owners)
        self._problems.extend(misplaced_executor_settings(settings, owners))
        disabled = (
            *(one.name for one in found if one not in allowed),
            *(one.name for one in unreadable if one not in self._broken),
        )
        self._problems.extend(
            unknown_plugin_settings(
                settings, candidates, [*(one.name for one in self._broken), *disabled]
            )
        )
        return Plugins(
            executors=executors,
            loaded=tuple(map(_loaded, candidates)),
            broken=tuple(self._broken),
            disabled=disabled,
            origins={name: owners[name].origin for name in executors},
            entry_points={one.name: one.origin for one in candidates},
            hooks=Hooks(_in_order(candidates), suffixes=suffixes),
            working=tuple(
                one.plugin
                for one in candidates
                if one.is_ours and isinstance(one.plugin, WorksBesides)
            ),
            problems=tuple(self._problems),
        )

    def _without_namesakes(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates without those of one name, unless one of them is ours."""
        named: dict[str, list[Candidate]] = {}
        for candidate in candidates:
            named.setdefault(candidate.name, []).append(candidate)
        kept: list[Candidate] = []
        for name, namesakes in named.items():
            keeper = namesakes[0] if len(namesakes) == 1 or namesakes[0].is_ours else None
            if keeper is not None:
                kept.append(keeper)
            who = " and ".join(sorted(one.distribution for one in namesakes))
            verdict = "the built-in one is used" if keeper else "neither is used: uninstall one"
            self._broken.extend(
                one.broken(
                    f"{who} each have a plugin named {escaped(name)}; {verdict}", is_part=False
                )
                for one in namesakes
                if one is not keeper
            )
        return kept

    def _is_usable(self, candidate: Candidate) -> bool:
        """Import a plugin, look what it implements and configure it; report what is wrong."""
        name, value = candidate.name, candidate.entry_point.value
        if _NAME.fullmatch(name) is None:
            reason = "the name of its entry point is not made of letters, digits and ._-"
            self._broken.append(candidate.broken(reason, is_part=False))
            return False
        if value.strip().startswith(":") or not value.strip():
            reason = f'its entry point says "{escaped(value)}", no module or module:object'
            self._broken.append(candidate.broken(reason, is_part=False))
            return False
        try:
            candidate.plugin = candidate.within(self._limit, candidate.entry_point.load)
            problems = candidate.within(self._limit, lambda: self._find_hooks(candidate))
        except BaseException as error:  # the door of one plugin: SystemExit too
            reason = f"{escaped(value)} cannot be used: {said(error)}"
            self._broken.append(candidate.broken(reason, error, is_part=False))
            return False
        is_empty = not candidate.implementations and not executors_in(candidate.plugin)
        if is_empty and not problems:
            reason = f"{escaped(value)} has no @hookimpl and no @executor, and is no executor"
            problems.append(candidate.broken(reason))
        if is_empty or any(one.reason.startswith("inboxd_configure ") for one in problems):
            self._broken.extend(candidate.broken(one.reason, is_part=False) for one in problems)
            return False
        self._broken.extend(problems)
        broken, problem = configure_plugin(candidate, self._settings, self._limit)
        if problem is not None:
            self._problems.append(problem)
        if broken is not None:
            self._broken.append(broken)
        return broken is None

    def _find_hooks(self, candidate: Candidate) -> list[BrokenPlugin]:
        """Fill in what a plugin implements, and return what is wrong with the rest."""
        plugin, problems = candidate.plugin, list[BrokenPlugin]()
        for attribute in dir(plugin):
            options: Any = self._manager.parse_hookimpl_opts(plugin, attribute)
            if options is None:
                if attribute in _HOOKS and _is_unmarked(plugin, attribute):
                    problems.append(candidate.broken(f"{attribute} is not marked with @hookimpl"))
                continue
            function = getattr(plugin, attribute)
            problem = _kind_problem(attribute, function, options)
            if problem is None:
                problem = self._register(candidate, attribute, function, options)
            if problem is not None:
                problems.append(candidate.broken(problem))
        return problems

    def _register(
        self, candidate: Candidate, attribute: str, function: Callable[..., Any], options: Any
    ) -> str | None:
        """Have pluggy check one hook of a plugin; return what is wrong with it."""
        part = ModuleType(attribute)
        setattr(part, attribute, function)
        name = f"{candidate.distribution}:{candidate.name}:{attribute}"
        try:
            self._manager.register(part, name=name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            return f"{attribute} is not used: {_pluggys_reason(error)}"
        for caller in self._manager.get_hookcallers(part) or ():
            taken = next(one for one in caller.get_hookimpls() if one.plugin is part)
            if caller.name not in _HOOKS:
                continue  # `optionalhook`: of a later inboxd
            if candidate.implementation(caller.name) is not None:
                return f"{attribute} is not used: the plugin implements {caller.name} twice"
            candidate.implementations.append(
                Implementation(
                    plugin=candidate.name,
                    distribution=candidate.distribution,
                    hook=caller.name,
                    function=taken.function,
                    arguments=tuple(taken.argnames),
                    rank=-1 if options.get("tryfirst") else int(bool(options.get("trylast"))),
                )
            )
        return None

    def _configured(self, owners: dict[str, Candidate]) -> dict[str, Executor]:
        """Give the executors that are not switched off their settings; return those that work."""
        off = {name for name, one in self._settings.executors.items() if not one.enabled}
        executors: dict[str, Executor] = {}
        for name, owner in owners.items():
            if name in off:
                continue
            executor = owner.executors[name]
            error, problem = configure_executor(
                name,
                executor,
                self._settings,
                lambda call: owner.within(self._limit, call),  # noqa: B023 - called at once
            )
            if problem is not None:
                self._problems.append(problem)
            if error is not None:
                reason = f'executor "{name}" cannot be configured: {said(error)}'
                self._broken.append(owner.broken(reason, error, executor=name))
                continue
            executors[name] = executor
        return executors


def _owner(entry_point: EntryPoint) -> str:
    return "unknown" if entry_point.dist is None else entry_point.dist.name


def _load_order(candidate: Candidate) -> tuple[bool, str, str]:
    return (not candidate.is_ours, candidate.name, candidate.distribution)


def without_disabled(
    unreadable: Iterable[BrokenPlugin], settings: PluginSettings
) -> list[BrokenPlugin]:
    """Return the distributions that cannot be read, without those that `disable` names."""
    return [
        one
        for one in unreadable
        if not any(fnmatchcase(one.name, pattern) for pattern in settings.disable)
    ]


def _is_allowed(name: str, settings: PluginSettings) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in settings.allow) and not any(
        fnmatchcase(name, pattern) for pattern in settings.disable
    )


def _in_order(candidates: Sequence[Candidate]) -> list[Implementation]:
    """Return all implementations: in the order of loading, `tryfirst` before, `trylast` behind."""
    found = [one for candidate in candidates for one in candidate.implementations]
    return sorted(found, key=lambda one: one.rank)


def _loaded(candidate: Candidate) -> LoadedPlugin:
    return LoadedPlugin(
        name=candidate.name,
        distribution=candidate.distribution,
        executors=tuple(sorted(candidate.executors)),
        hooks=tuple(sorted(one.hook for one in candidate.implementations)),
        suffixes=tuple(sorted(candidate.suffixes)),
        seconds=candidate.seconds,
    )


def _is_unmarked(plugin: object, attribute: str) -> bool:
    """Whether a plugin has a function with a hook's name that is not inboxd's own."""
    found = inspect.getattr_static(plugin, attribute, None)
    return inspect.isroutine(found) and not hasattr(found, f"{PROJECT_NAME}_spec")


def _kind_problem(attribute: str, function: object, options: Any) -> str | None:
    if options.get("wrapper") or options.get("hookwrapper"):
        return (
            f"{attribute} is not used: it is a wrapper, and each plugin is called by itself, so"
            " there is nothing to wrap; take `wrapper=True` out"
        )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return (
            f"{attribute} is not used: it is a coroutine function, and hooks are called, not"
            " awaited; write `def` for `async def`"
        )
    return None


def _pluggys_reason(error: pluggy.PluginValidationError) -> str:
    """Return what pluggy says in one line, with the nearest hook for a misspelt one."""
    # It says which plugin on the first line and what is wrong on those that follow.
    lines = [line.strip() for line in str(error).splitlines()]
    text = escaped(", ".join(lines[1:] or lines))[:_LONGEST_REASON]
    if (unknown := re.match(r"unknown hook '(\w+)'", text)) is not None:
        hint = did_you_mean(unknown[1], _HOOKS)
        return f"there is no hook {unknown[1]}" + ("" if hint is None else f"; {hint}")
    return text
