"""
The executors that there are now: those that plugins offered at start, and those made since.

One mapping for the check of files, the scheduler and the runner, so that none of them knows an
executor that another does not. It only grows. From any thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inboxd.errors import PluginError
from inboxd.names import escaped
from inboxd.plugins.checks import ExecutorChecks
from inboxd.plugins.configuring import configure_executor
from inboxd.plugins.executor_check import executor_problem, is_executor_name
from inboxd.plugins.failures import said
from inboxd.plugins.hooks import RESOLVE_SECONDS
from inboxd.plugins.limited import within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inboxd.config.settings import Settings
    from inboxd.plugins.hooks import Implementation
    from inboxd.plugins.loaded import ExecutorOrigin, Plugins
    from inboxd.plugins.protocol import Executor

__all__ = ["LiveExecutors"]

logger = logging.getLogger(__name__)

_HOOK = "inboxd_resolve_executor"

#: The distribution that the built-in executors come from.
_OURS = "inboxd"


class LiveExecutors(Mapping[str, "Executor"]):
    """Executors by name; see the module."""

    def __init__(self, plugins: Plugins, settings: Settings) -> None:
        """
        Args:
            plugins: that are loaded.
            settings: of these `[executors.NAME]`, for executors that are made later.
        """
        self._hooks = plugins.hooks
        self._settings = settings
        self._missing = {
            one.executor: f"{one.reason}; see `inboxd plugins`"
            for one in plugins.broken
            if one.executor is not None
        }
        self._entry_points = plugins.entry_points
        #: All that there are, for those to whom a look-up must cost nothing.
        self.by_name: dict[str, Executor] = dict(plugins.executors)
        self._lock = threading.Lock()
        #: Where each comes from.
        self.origins: dict[str, ExecutorOrigin] = dict(plugins.origins)
        #: Whether each looks at inputs and params; the scheduler's view.
        self.reads_inputs: dict[str, bool] = {
            name: _reads_inputs(executor) for name, executor in self.by_name.items()
        }
        #: Called with the name of an executor that was made, when everybody knows it.
        self.on_added: Callable[[str], None] = _nobody

    def __getitem__(self, name: str) -> Executor:
        """Return an executor that is there; makes none."""
        return self.by_name[name]

    def __contains__(self, name: object) -> bool:
        """Return whether it is there; makes none."""
        return name in self.by_name

    def __iter__(self) -> Iterator[str]:
        """Yield the names of those that are there now."""
        return iter(list(self.by_name))

    def __len__(self) -> int:
        """Return how many there are now."""
        return len(self.by_name)

    def why_missing(self, name: str) -> str | None:
        """Return why an executor that some plugin offers is not there; None: nobody offers it."""
        return self._missing.get(name)

    def offer(self, name: str, executor: Executor, origin: ExecutorOrigin) -> None:
        """
        Have an executor of this process under a name, in place of an earlier one if need be.

        Raises:
            PluginError: it is no executor, its name is one of inboxd's own, or the configuration
                switched it off, or refuses it.
        """
        with self._lock:
            if self.by_name.get(name) is executor:
                return
            if problem := executor_problem(executor, giver="@executor"):
                raise PluginError(problem)
            before = self.origins.get(name)
            if before is not None and before.distribution == _OURS:
                raise PluginError(f'executor "{name}" is inboxd\'s own; give yours another name')
            table = self._settings.executors.get(name)
            if table is not None and not table.enabled:
                raise PluginError(
                    f'executor "{name}" is switched off by [executors.{name}] enabled'
                )
            error, problem = configure_executor(
                name, executor, self._settings, lambda call: within(RESOLVE_SECONDS, call)
            )
            if error is not None:
                problem = f"cannot be configured: {said(error)}"
            if problem is not None:
                raise PluginError(f'executor "{name}": {problem}') from error
            self.origins[name] = origin
            self.reads_inputs[name] = _reads_inputs(executor)
            self.by_name[name] = executor
        self.on_added(name)

    def checks(self) -> ExecutorChecks:
        """Return what makes their own checks ready to be asked."""
        return ExecutorChecks(self._hooks, self.origins)

    @property
    def may_grow(self) -> bool:
        """Whether some plugin makes executors for names that nobody registered."""
        return self._hooks.has(_HOOK)

    def resolve(self, name: str, task: Mapping[str, Any]) -> Executor | None:
        """
        Return the executor of a name, made by a plugin if need be; None: there is none.

        Never to be called on the scheduler's thread: a plugin has some seconds.

        Args:
            name: what a task names.
            task: one that does: its `id`, `params` and `inputs`.
        """
        found = self.by_name.get(name)
        if found is not None or not self.may_grow or not self._may_be_made(name):
            return found
        with self._lock:
            found = self.by_name.get(name)
            if found is not None:
                return found
            made = self._made(name, task)
        if made is not None:
            self.on_added(name)
        return made

    def _may_be_made(self, name: str) -> bool:
        table = self._settings.executors.get(name)
        return is_executor_name(name) and (table is None or table.enabled)

    def _made(self, name: str, task: Mapping[str, Any]) -> Executor | None:
        answer = self._hooks.resolve_executor(name, task)
        if answer is None:
            return None
        owner: Implementation = answer[0]
        executor: Executor = answer[1]  # so it says; what it is, is looked at next
        try:
            problem = within(
                RESOLVE_SECONDS, lambda: executor_problem(executor, giver=f"{_HOOK}()")
            )
            if problem is None and executor.name != name:
                problem = f'it gave executor "{escaped(str(executor.name))}"'
        except BaseException as error:  # the door of one plugin: SystemExit too
            self._hooks.failed(owner, error)
            return None
        if problem is not None:
            problem = f'asked for executor "{name}": {problem}'
            self._hooks.failed(owner, TypeError(problem))
            return None
        if not self._is_configured(name, executor, owner):
            return None
        self.origins[name] = replace(self._entry_points[owner.plugin], is_resolved=True)
        self.reads_inputs[name] = _reads_inputs(executor)
        self.by_name[name] = executor
        logger.info(
            "executor %s was made by plugin %s (%s)",
            name,
            escaped(owner.plugin),
            escaped(owner.distribution),
            extra={"event": "executor_resolved", "executor": name, "plugin": owner.plugin},
        )
        return executor

    def _is_configured(self, name: str, executor: Executor, owner: Implementation) -> bool:
        error, problem = configure_executor(
            name, executor, self._settings, lambda call: within(RESOLVE_SECONDS, call)
        )
        if error is not None:
            problem = f"executor {name} cannot be configured: {said(error)}"
        if problem is None:
            return True
        self._hooks.failed(owner, error or ValueError(problem))
        logger.error(
            "executor %s is not used: %s",
            name,
            problem,
            extra={"event": "executor_refused", "executor": name},
        )
        return False


def _reads_inputs(executor: Executor) -> bool:
    return not getattr(executor, "ignores_inputs", False)


def _nobody(name: str) -> None:
    """Stand in until somebody wants to know."""
