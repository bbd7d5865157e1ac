"""
Asking code of plugins about each task of a file: guarded, and within a time limit.

A file may have a million tasks, so no call has a thread of its own (see `limited`). The whole check
of a file runs on one, and the thread that waits for it watches what it calls: a call costs no more
than two looks at the clock.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from inboxd.errors import PluginError
from inboxd.names import escaped
from inboxd.plugins.failures import said
from inboxd.plugins.limited import PluginThread, overrun_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.plugins.hooks import Hooks, Implementation

__all__ = ["ASK_SECONDS", "Asked", "watched"]

T = TypeVar("T")

#: All calls of one function for one file have this long, and so much more for each call.
ASK_SECONDS = 10.0
ASK_SECONDS_A_CALL = 0.005
#: So often is looked at the calls of a file.
_WATCH_SECONDS = 0.5


class Asked:
    """One function of a plugin that is asked for every task, or every value, of a file."""

    def __init__(
        self, one: Implementation, hooks: Hooks, clean: Callable[[Any], Any] = lambda given: given
    ) -> None:
        """
        Args:
            one: the function, and whose it is.
            hooks: count and log what it does wrong, and know whether it is switched off.
            clean: makes of what it gives what was asked for; what it raises is the plugin's fault.
        """
        self._one = one
        self._hooks = hooks
        self._clean = clean

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """
        Return what it gives.

        Raises:
            PluginError: it raised, gave what is no answer, or is switched off, which was reported.
        """
        one, run = self._one, getattr(_here, "run", None)
        if (reason := self._hooks.off_reason(one)) is not None:
            raise PluginError(
                f"{self.name} is not called any more until the next start: {escaped(reason)}"
            )
        if run is not None:
            run.begin(self)
        try:
            return self._clean(one.function(*arguments, **named))
        except BaseException as error:  # the door of one plugin: SystemExit too
            if run is not None and run.is_over:
                raise _LeftBehind from None
            if (
                isinstance(error, KeyboardInterrupt)
                and threading.current_thread() is threading.main_thread()
            ):
                raise  # a person's Ctrl-C
            self._hooks.failed(one, error)
            raise PluginError(f"{self.name} failed: {said(error)}") from error
        finally:
            if run is not None:
                run.end(self)

    @property
    def name(self) -> str:
        """What it is, and whose."""
        one = self._one
        return f"{one.hook} of plugin {escaped(one.plugin)} ({escaped(one.distribution)})"

    def give_up(self, error: BaseException) -> None:
        """Report that it does not return, and call it no more."""
        self._hooks.switch_off(self._one, str(error))
        self._hooks.failed(self._one, error)


class _LeftBehind(BaseException):
    """Ends a thread that nobody waits for any more."""


@dataclass(slots=True)
class _Use:
    """The calls of one function for one file."""

    seconds: float = 0.0
    calls: int = 0


@dataclass(slots=True)
class _Run:
    """One check of a file, on its thread; written there, read by the thread that watches."""

    limit_seconds: float
    uses: dict[Asked, _Use] = field(default_factory=dict["Asked", _Use])
    #: What is called now, and since when.
    asked: Asked | None = None
    since: float = 0.0
    #: Nobody waits for it any more.
    is_over: bool = False

    def begin(self, asked: Asked) -> None:
        self.since = time.monotonic()
        self.asked = asked

    def end(self, asked: Asked) -> None:
        self.asked = None
        use = self.uses.get(asked)
        if use is None:
            use = self.uses[asked] = _Use()
        use.seconds += time.monotonic() - self.since
        use.calls += 1
        if self.is_over:
            raise _LeftBehind

    def overdue(self) -> tuple[Asked, float] | None:
        """Return what has overstayed, and its limit in seconds."""
        asked, since = self.asked, self.since
        if asked is None:
            return None
        use = self.uses.get(asked) or _Use()
        limit = self.limit_seconds + ASK_SECONDS_A_CALL * use.calls
        return (asked, limit) if use.seconds + time.monotonic() - since > limit else None


#: The run that this thread is for.
_here = threading.local()


def watched(function: Callable[[], T], *, seconds: float = ASK_SECONDS) -> T:
    """
    Return what *function* returns, and raise what it raises; its `Asked` have *seconds* each.

    It runs on a thread of its own. When something that it asks overstays, that thread is left
    behind and *function* is called again, with that one switched off: so it must do nothing but
    look.
    """
    while True:
        run = _Run(seconds)
        results: list[T] = []
        errors: list[BaseException] = []
        is_done = threading.Event()

        def call(
            run: _Run = run,
            results: list[T] = results,
            errors: list[BaseException] = errors,
            is_done: threading.Event = is_done,
        ) -> None:
            _here.run = run
            try:
                results.append(function())
            except BaseException as error:  # also what is ours: raised where it is waited for
                errors.append(error)
            is_done.set()

        thread = PluginThread(target=call, name="check", daemon=True)
        thread.start()
        overdue = None
        while overdue is None and not is_done.wait(min(_WATCH_SECONDS, seconds / 4)):
            overdue = run.overdue()
        if overdue is None:
            if errors:
                raise errors[0]
            return results[0]
        run.is_over = True
        asked, limit = overdue
        asked.give_up(overrun_of(thread, limit))
