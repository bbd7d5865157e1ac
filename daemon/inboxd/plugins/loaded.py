"""What became of the plugins that are installed: those that work, those that do not, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from inboxd.plugins.failures import others_frames
from inboxd.plugins.hooks import Hooks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from inboxd.plugins.protocol import Executor

__all__ = ["BrokenPlugin", "ExecutorOrigin", "LoadedPlugin", "Plugins", "WorksBesides"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPlugin:
    """A plugin that works."""

    #: The name of its entry point; no two plugins that are used share one.
    name: str
    #: The distribution it comes from.
    distribution: str
    #: The names of its executors, sorted.
    executors: tuple[str, ...] = ()
    #: The hooks it implements, sorted.
    hooks: tuple[str, ...] = ()
    #: The suffixes of the task files it reads, sorted.
    suffixes: tuple[str, ...] = ()
    #: How long its import and its answers took.
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPlugin:
    """A plugin, or a part of one, that is not used."""

    name: str
    distribution: str
    #: One sentence: what is wrong and what to do.
    reason: str
    #: What to do, where that is not to update, uninstall or disable it.
    advice: str | None = None
    #: Where it was raised; None when nothing was.
    traceback: str | None = None
    #: What was raised, for the log.
    error: BaseException | None = field(default=None, repr=False, compare=False)
    #: True: the plugin's other parts are used.
    is_part: bool = False
    #: The name of the executor that is not there for it, where it is one.
    executor: str | None = None

    @property
    def exc_info(self) -> tuple[type[BaseException], BaseException, TracebackType | None] | None:
        """What was raised, for the log, from the plugin's own code on."""
        error = self.error
        return None if error is None else (type(error), error, others_frames(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorOrigin:
    """Where an executor comes from, so that another process can get it again."""

    #: The entry point: its group, name and value, and the distribution that has it.
    group: str
    name: str
    value: str
    distribution: str
    #: False: by `inboxd_executors`, or the entry point's object is the executor itself; True: by
    #: `inboxd_resolve_executor`.
    is_resolved: bool = False


@runtime_checkable
class WorksBesides(Protocol):
    """A built-in plugin that goes on with what it was told, on a thread of its own."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left that it could do now; from any thread, at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """What was loaded, and what was not."""

    #: Those that are offered at start; see `LiveExecutors` for those that come later.
    executors: Mapping[str, Executor]
    loaded: tuple[LoadedPlugin, ...] = ()
    broken: tuple[BrokenPlugin, ...] = ()
    #: Installed, but kept out by `[plugins] allow` and `disable`: their entry points' names.
    disabled: tuple[str, ...] = ()
    #: By the names of the executors.
    origins: Mapping[str, ExecutorOrigin] = field(default_factory=dict[str, ExecutorOrigin])
    #: The entry points of the plugins that work, by their names.
    entry_points: Mapping[str, ExecutorOrigin] = field(default_factory=dict[str, ExecutorOrigin])
    hooks: Hooks = field(default_factory=Hooks, repr=False, compare=False)
    #: `--until-idle` waits for these; built-in ones only, which do not hang.
    working: tuple[WorksBesides, ...] = field(default=(), repr=False, compare=False)
    #: What is wrong with settings of plugins and executors, a sentence each: the daemon does not
    #: start with one of these.
    problems: tuple[str, ...] = ()
