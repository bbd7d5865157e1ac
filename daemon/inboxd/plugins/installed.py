"""The plugins that are installed, found so that one broken distribution hides no other."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from importlib.metadata import distributions
from typing import TYPE_CHECKING, TypeVar

from inboxd.names import escaped
from inboxd.plugins.failures import others_frames, said
from inboxd.plugins.hookspecs import PROJECT_NAME
from inboxd.plugins.limited import within
from inboxd.plugins.loaded import BrokenPlugin, ExecutorOrigin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import Distribution, EntryPoint

    from inboxd.plugins.hooks import Implementation
    from inboxd.plugins.protocol import Executor

__all__ = ["Candidate", "candidates_of", "installed_plugins", "traceback_of"]

T = TypeVar("T")

#: The distribution whose plugins and executors keep their names.
_OURS = "inboxd"


@dataclass(slots=True, kw_only=True, eq=False)
class Candidate:
    """A plugin on its way from its entry point to being used."""

    entry_point: EntryPoint
    distribution: str
    is_ours: bool
    plugin: object = None
    implementations: list[Implementation] = field(default_factory=list["Implementation"])
    executors: dict[str, Executor] = field(default_factory=dict[str, "Executor"])
    suffixes: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The name of its entry point."""
        return self.entry_point.name

    @property
    def origin(self) -> ExecutorOrigin:
        """Where another process finds it."""
        return ExecutorOrigin(
            group=PROJECT_NAME,
            name=self.entry_point.name,
            value=self.entry_point.value,
            distribution=self.distribution,
        )

    def implementation(self, hook: str) -> Implementation | None:
        """Return its answer to a hook."""
        return next((one for one in self.implementations if one.hook == hook), None)

    def within(self, limit_seconds: float, function: Callable[[], T]) -> T:
        """Call a function of the plugin; see `limited.within`."""
        started = time.perf_counter()
        try:
            return within(limit_seconds, function)
        finally:
            self.seconds += time.perf_counter() - started

    def broken(
        self,
        reason: str,
        error: BaseException | None = None,
        *,
        is_part: bool = True,
        executor: str | None = None,
    ) -> BrokenPlugin:
        """Return the report on it, or on a part of it."""
        return BrokenPlugin(
            name=self.name,
            distribution=self.distribution,
            reason=reason,
            traceback=None if error is None else traceback_of(error),
            error=error,
            is_part=is_part,
            executor=executor,
        )


def traceback_of(error: BaseException) -> str:
    """Return a traceback as Python prints it, from the plugin's own code on."""
    return "".join(traceback.format_exception(type(error), error, others_frames(error)))


def installed_plugins() -> tuple[list[Candidate], list[BrokenPlugin]]:
    """
    Return the plugins of all distributions, and the distributions whose lists cannot be read.

    Of a distribution that is there twice the first on `sys.path` counts, as for an import.
    (`importlib.metadata.entry_points` gives none at all when one list is broken.)
    """
    found: list[Candidate] = []
    broken: list[BrokenPlugin] = []
    seen: set[str] = set()
    for distribution in distributions():
        name = "unknown"
        try:
            name = _normalized_name(distribution)
            if name in seen:
                continue
            seen.add(name)
            text = distribution.read_text("entry_points.txt")
            if not text or PROJECT_NAME not in text:
                continue
            own = [one for one in distribution.entry_points if one.group == PROJECT_NAME]
            if own:
                found.extend(candidates_of(own, escaped(distribution.name)))
        except Exception as error:
            broken.append(
                BrokenPlugin(
                    name=name,
                    distribution=name,
                    reason="what is installed of it cannot be read; install it again, or uninstall"
                    f" it: {said(error)}",
                    traceback=traceback_of(error),
                    error=error,
                )
            )
    return found, broken


def candidates_of(entry_points: Iterable[EntryPoint], distribution: str) -> list[Candidate]:
    """Return the plugins behind some entry points of one distribution, each of them once."""
    return [
        Candidate(entry_point=one, distribution=distribution, is_ours=distribution == _OURS)
        for one in dict.fromkeys(entry_points)
    ]


def _normalized_name(distribution: Distribution) -> str:
    # The public `name` parses the distribution's whole metadata, of all that are installed; this
    # one, which `entry_points` uses, is cheap.
    name = getattr(distribution, "_normalized_name", None)
    return escaped(str(name or distribution.name))
